package edgetest

import (
	"context"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Browser has cookies, follows redirects, and remembers where they led.
type Browser struct {
	Visited []string // addresses since the last Open, without their queries

	t      testing.TB
	client *http.Client
}

// Browser is a new one, which reaches the edge as every host but those of this machine by address.
func (e *Edge) Browser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, _, err := net.SplitHostPort(address); err != nil || net.ParseIP(host) == nil {
				address = e.Addr
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
		TLSClientConfig: &tls.Config{RootCAs: e.Roots, MinVersion: tls.VersionTLS12},
	}
	t.Cleanup(transport.CloseIdleConnections)
	b := &Browser{t: t}
	b.client = &http.Client{Transport: transport, Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > 20 {
			t.Errorf("a redirect loop: %q", b.Visited)
			return http.ErrUseLastResponse
		}
		b.visit(r)
		return nil
	}}
	return b
}

func (b *Browser) visit(r *http.Request) {
	b.Visited = append(b.Visited, r.URL.Scheme+"://"+r.URL.Host+r.URL.Path)
}

// Open goes to a page and to wherever it leads.
func (b *Browser) Open(target string) Response {
	b.t.Helper()
	return b.send(http.MethodGet, target, http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}, "")
}

// Submit sends a form of the page's own host.
func (b *Browser) Submit(target string, form url.Values) Response {
	b.t.Helper()
	u, err := url.Parse(target)
	must(b.t, err)
	return b.send(http.MethodPost, target, http.Header{
		"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"same-origin"},
		"Origin": {u.Scheme + "://" + u.Host}, "Content-Type": {"application/x-www-form-urlencoded"},
	}, form.Encode())
}

// Fetch is a script of a page that asks its own host.
func (b *Browser) Fetch(method, target string, more http.Header) Response {
	b.t.Helper()
	h := http.Header{"Accept": {"application/json"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}
	maps.Copy(h, more)
	return b.send(method, target, h, "")
}

func (b *Browser) send(method, target string, header http.Header, body string) Response {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
	must(b.t, err)
	r.Header = header
	b.Visited = nil
	b.visit(r)
	res, err := b.client.Do(r)
	must(b.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(b.t, err)
	return Response{res, string(text)}
}

// Cookies are those that the browser would send.
func (b *Browser) Cookies(target string) []*http.Cookie {
	u, err := url.Parse(target)
	must(b.t, err)
	return b.client.Jar.Cookies(u)
}
