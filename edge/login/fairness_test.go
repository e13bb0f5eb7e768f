package login_test

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/route"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// An app's idle limit may be shorter than the Session's. Who signs out there is signed out of everything all the same.
func TestSignOutWhereTheAppHasForgotten(t *testing.T) {
	t.Parallel()
	w := bare(t)
	w.addEdge(nil)
	sessiontest.Edit(w.World, acme, "wiki", func(a *edgev1.App) { a.Session = sessiontest.Limits(12*time.Hour, 5*time.Minute) })
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	w.add(6 * time.Minute)
	b.post(wikiURL+out, url.Values{}, nil)
	if lastEnd(w.edges[0]) == nil {
		t.Error("no end was reported")
	}
	asked := w.idp.count("/token")
	b.open(apiURL + "/")
	if w.idp.count("/token") == asked {
		t.Error("the next app let the session in without asking the provider")
	}
}

// What is learnt of a provider is everybody's: a client that hangs up while it is being read takes nothing away from
// the next one.
func TestHangingUpHurtsNobody(t *testing.T) {
	t.Parallel()
	w := bare(t)
	w.addEdge(nil)
	ctx, hangUp := context.WithCancel(t.Context())
	w.idp.bend(func(p *idp) {
		p.before = func(string, http.ResponseWriter, *http.Request) bool {
			hangUp()
			return false
		}
	})
	u, err := url.Parse(authURL)
	if err != nil {
		t.Fatal(err)
	}
	site, app, _ := w.Table().Host(u.Hostname())
	h := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Accept": {"text/html"}}
	taken, err := header.Strip(h, header.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path, err := route.Canonical("/.sallyport/sign-in", route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.edges[0].Auth(ctx, &exchange.Request{
		ID: "x", Method: http.MethodGet, Protocol: "HTTP/2.0", Host: u.Hostname(), PublicPort: port, Path: path, Header: h, Taken: taken,
		Body: strings.NewReader(""), ClientIP: netip.MustParseAddr("192.0.2.7"), Now: w.now(), Site: site, App: app,
		Client: exchange.Classify(http.MethodGet, h, false),
	})
	if ctx.Err() == nil {
		t.Fatal("the provider was not asked")
	}
	if a := w.browser().open(wikiURL + "/"); a.status != http.StatusOK {
		t.Errorf("the next one to sign in got %d", a.status)
	}
}
