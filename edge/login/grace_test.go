package login_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// An app that carries nobody for longer than a minute does not either because the auth host does.
func TestAHandOffDoesNotStretchTheGrace(t *testing.T) {
	t.Parallel()
	w := bare(t)
	w.addEdge(session.Dial("127.0.0.1:1", "", ""))
	sessiontest.Edit(w.World, acme, "api", func(a *edgev1.App) { a.SessionStoreGrace.Seconds = 60 })
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	w.add(5 * time.Minute)
	before := b.jar.clone()
	callback := b.until(apiURL+"/v1/x", "/.sallyport/callback?")
	for range 2 { // as often as somebody reloads
		a := b.open(callback)
		if a.status != 503 || a.denial == nil || a.denial.Reason != "unavailable.session_store" || a.denial.RetryAfter == 0 || len(a.cookies) > 0 {
			t.Fatalf("%d %v %v\n%s", a.status, a.denial, a.cookies, a.body)
		}
	}
	for host, cookies := range before {
		for name, c := range cookies {
			if b.jar[host][name].value != c.value {
				t.Errorf("%s lost the cookie %s", host, name)
			}
		}
	}
	// The wiki, whose grace is an hour, goes on.
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	if n := w.idp.count("/token"); n != 1 {
		t.Errorf("%d sign-ins", n)
	}

	// A new sign-in is news, and good for the app's minute.
	if a := b.post(authURL+out, url.Values{}, nil); a.status != 200 || !strings.Contains(a.body, "signed out") {
		t.Fatalf("%d\n%s", a.status, a.body)
	}
	b.arrives(apiURL+"/v1/x", "/v1/x", "bob@acme.test")
	w.add(2 * time.Minute)
	if a := b.open(apiURL + "/v1/x"); a.status != 503 {
		t.Errorf("%d\n%s", a.status, a.body)
	}
}
