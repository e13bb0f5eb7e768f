package exchange

import (
	"net/http"
	"testing"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	h := func(pairs ...string) http.Header {
		header := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			header.Add(pairs[i], pairs[i+1])
		}
		return header
	}
	const chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
	for _, c := range []struct {
		name, method string
		header       http.Header
		webSocket    bool
		want         Client
	}{
		{"browser", "GET", h("Accept", chrome, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), false, Navigation},
		{"old browser", "GET", h("Accept", chrome), false, Navigation},
		{"iframe", "GET", h("Accept", chrome, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"), false, API},
		{"fetch", "GET", h("Accept", "text/html", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"), false, API},
		{"only the site", "GET", h("Accept", "text/html", "Sec-Fetch-Site", "same-origin"), false, API},
		{"form", "POST", h("Accept", chrome, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), false, Browser},
		{"HEAD", "HEAD", h("Accept", "text/html"), false, Browser},
		{"curl", "GET", h("Accept", "*/*"), false, API},
		{"nothing", "GET", h(), false, API},
		{"JSON", "GET", h("Accept", "application/json"), false, API},
		{"HTML refused", "GET", h("Accept", "text/html;q=0, application/json"), false, API},
		{"HTML refused in decimals", "GET", h("Accept", "text/html;q=0.000"), false, API},
		{"HTML at last", "GET", h("Accept", "application/json, text/html ; level=1 ; q=0.1"), false, Navigation},
		{"a weight that is none", "GET", h("Accept", "text/html;q=x"), false, API},
		{"in capitals", "GET", h("Accept", "TEXT/HTML"), false, Navigation},
		{"like HTML", "GET", h("Accept", "text/htmlx"), false, API},
		{"with a token", "GET", h("Accept", "text/html", "Authorization", "Bearer x"), false, API},
		{"socket", "GET", h("Accept", "text/html"), true, API},
		{"some upgrade", "GET", h("Accept", "text/html", "Upgrade", "h2c"), false, API},
		{"gRPC", "POST", h("Content-Type", "application/grpc"), false, GRPC},
		{"gRPC of a kind", "POST", h("Content-Type", "application/grpc-web+proto", "Accept", "text/html"), false, GRPC},
	} {
		if got := Classify(c.method, c.header, c.webSocket); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for port, want := range map[int]string{443: "https://a.test", 8443: "https://a.test:8443"} {
		if got := Origin("a.test", port); got != want {
			t.Errorf("port %d: %s", port, got)
		}
	}
}
