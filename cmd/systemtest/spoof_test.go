package systemtest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/edge/header"
)

// spoofedHeaders sends every name by which an app might be told who somebody is, in every spelling that some server folds
// into it, on every kind of route. None arrives.
func spoofedHeaders(t *testing.T, d *demo, c *crowd) {
	const evil = "evil-value"
	doc := d.document(t)
	_, alice := d.member(t, "alice", 0)
	names := spellings(t)
	sent := 0
	for at, edge := range doc.Edges {
		for _, client := range []*http.Client{d.browser(t), http1(d.browser(t))} {
			// Few at a time: there is a limit to what one request may bring.
			for some := range slices.Chunk(names, 60) {
				for route, r := range map[string]*http.Request{
					"public":        request(t, "GET", doc.at(at, "api", "/v1/status"), ""),
					"with a token":  request(t, "GET", doc.at(at, "api", "/v1/whoami"), "", doc.robot()...),
					"with a cookie": request(t, "GET", doc.at(at, "api", "/v1/echo"), "", "Cookie", sessionCookie+"="+alice["api"]),
				} {
					for _, name := range some {
						r.Header[name] = []string{evil} // not Set: it would correct the spelling
					}
					a := send(t, client, r)
					if a.Status != http.StatusOK || !strings.Contains(a.Body, `"headers"`) || strings.Contains(a.Body, evil) {
						t.Errorf("%s, %s: %d %s", edge.Name, route, a.Status, a.Body)
					}
					sent += len(some)
				}
				trailers := request(t, "POST", doc.at(at, "api", "/v1/echo"), "body", "Cookie", sessionCookie+"="+alice["api"])
				trailers.ContentLength = -1
				trailers.Trailer = http.Header{"X-Harmless": {"kept-or-not"}}
				for _, name := range some {
					trailers.Trailer[name] = []string{evil}
				}
				a := send(t, client, trailers)
				// Announced in Trailer, some may not be (RFC 9110, section 6.5.1), and the whole is refused then.
				if strings.Contains(a.Body, evil) || a.Status != http.StatusOK {
					t.Errorf("%s, trailers: %d %s", edge.Name, a.Status, a.Body)
				}
				sent += len(some)
			}
		}
		for some := range slices.Chunk(names, 60) {
			var headers []string
			for _, name := range some {
				headers = append(headers, name, evil)
			}
			got := says(t, d.socket(t, at, c.members[0]["wiki"], headers...), "/request")
			if !strings.Contains(got, `"headers"`) || strings.Contains(got, evil) {
				t.Errorf("%s, WebSocket: %s", edge.Name, got)
			}
			sent += len(some)
		}
	}
	t.Logf("%d spellings, %d headers and trailers sent, none arrived", len(names), sent)
}

// spellings are those of all names that are ours, and of all that must not come from outside. They are of the one list of
// them, so that a name is tested by being there.
func spellings(t *testing.T) []string {
	t.Helper()
	listed := append(header.Reserved(), "X-Sallyport", "X-Sallyport-Anything", "X-Sallyport-Assertion-2")
	if len(listed) < 60 {
		t.Fatalf("the list has %d names: %q", len(listed), listed)
	}
	var all []string
	for _, name := range listed {
		name = strings.ReplaceAll(name, "*", "Anything")
		if name == header.Token {
			continue // as such a credential, and refused as a bad one
		}
		words := strings.Split(name, "-")
		for i, separator := range []string{"-", "_", "."} {
			spelled := strings.Join(words, separator)
			all = append(all, spelled, strings.ToLower(spelled), strings.ToUpper(spelled))
			if len(words) > 2 { // mixed
				all = append(all, words[0]+[]string{"_", ".", "-"}[i]+strings.Join(words[1:], separator))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
