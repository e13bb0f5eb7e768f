package login_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

const out = "/.sallyport/sign-out"

func TestSignOutOfEverything(t *testing.T) {
	t.Parallel()
	w := bare(t)
	eu, us := w.addEdge(session.Dial(redisAddr(t), "", "")), w.addEdge(nil)
	w.answers = func(string) *edge { return eu }
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	b.arrives(apiURL+"/", "/", "bob@acme.test")
	recorded := b.jar.clone()
	sid := w.me(b, wikiURL).Session
	for host := range recorded {
		if w.live(us, host, recorded[host][header.Session].value) != session.Live {
			t.Fatalf("not live in the other region on %s", host)
		}
	}
	// Asking is not doing.
	if a := b.open(wikiURL + out); a.status != 200 || !strings.Contains(a.body, "Sign out?") || !strings.Contains(a.body, "bob@acme.test") {
		t.Fatalf("%d\n%s", a.status, a.body)
	}
	b.arrives(wikiURL+"/", "/", "bob@acme.test")

	eu.enforced.Store(true)
	a := b.post(wikiURL+out, url.Values{"scope": {"everything"}}, nil)
	if a.status != 200 || !strings.Contains(a.body, "Signed out everywhere") || b.session(sessiontest.WikiHost) != "" {
		t.Fatalf("%d\n%s\n%v", a.status, a.body, b.jar)
	}
	for host := range recorded {
		if got := w.live(eu, host, recorded[host][header.Session].value); got != session.Ended {
			t.Errorf("the recorded cookie of %s is %v here", host, got)
		}
	}
	w.Revoke(acme, "session:"+sid) // as the control plane does
	for host := range recorded {
		if got := w.live(us, host, recorded[host][header.Session].value); got != session.Ended {
			t.Errorf("the recorded cookie of %s is %v in the other region", host, got)
		}
	}
	// The browser's other cookies are still there, and are nobody: it has to sign in.
	n := w.idp.count("/token")
	b.arrives(apiURL+"/", "/", "bob@acme.test")
	if w.idp.count("/token") != n+1 {
		t.Error("let in again without a sign-in")
	}
	end := lastEnd(eu)
	if end == nil || end.Sid != sid || end.Reason != "signed_out" || end.Host != sessiontest.WikiHost {
		t.Errorf("%v", end)
	}
}

func lastEnd(e *edge) (end *edgev1.SessionEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.events {
		if ev.Kind == edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED {
			end = ev
		}
	}
	return end
}

func TestEverywhereIsNotSaidOnAHope(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	a := b.post(authURL+out, url.Values{}, nil) // everything is the default
	if a.status != 200 || !strings.Contains(a.body, "Signed out here; elsewhere as soon as it can be reached.") || strings.Contains(a.body, "everywhere") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
	if got := w.live(w.edges[0], sessiontest.WikiHost, b.session(sessiontest.WikiHost)); got != session.Ended {
		t.Errorf("%v", got)
	}
	// Twice: there is nothing more to end, and that is said.
	if a := b.post(authURL+out, url.Values{}, nil); a.status != 200 || !strings.Contains(a.body, "There was no session here to end.") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
}

func TestSignOutOfThisApp(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	b.arrives(apiURL+"/", "/", "bob@acme.test")
	wiki := b.session(sessiontest.WikiHost)
	a := b.post(wikiURL+out, url.Values{"scope": {"app"}}, nil)
	if a.status != 200 || !strings.Contains(a.body, "signed out of The wiki") {
		t.Fatalf("%d\n%s", a.status, a.body)
	}
	if w.live(w.edges[0], sessiontest.WikiHost, wiki) != session.Ended {
		t.Error("the cookie is live")
	}
	b.arrives(apiURL+"/", "/", "bob@acme.test")
	n := w.idp.count("/token")
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	if w.idp.count("/token") != n {
		t.Error("asked for a password")
	}
	if w.live(w.edges[0], sessiontest.WikiHost, wiki) != session.Ended {
		t.Error("the old cookie is live again")
	}
	if end := lastEnd(w.edges[0]); !strings.HasPrefix(end.Sid, "h_") {
		t.Errorf("%v", end)
	}
}

// LR-03, CO-02
func TestOnlyOurOwnPagesSignOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	for name, change := range map[string]func(http.Header){
		"another site":                func(h http.Header) { h.Set("Origin", "https://evil.test"); h.Set("Sec-Fetch-Site", "cross-site") },
		"another host of the tenant":  func(h http.Header) { h.Set("Origin", apiURL); h.Set("Sec-Fetch-Site", "same-site") },
		"another host, no fetch data": func(h http.Header) { h.Set("Origin", apiURL); h.Del("Sec-Fetch-Site") },
		"another port":                func(h http.Header) { h.Set("Origin", "https://wiki.acme.localhost") },
		"another scheme":              func(h http.Header) { h.Set("Origin", "http://wiki.acme.localhost:8443") },
		"null":                        func(h http.Header) { h.Set("Origin", "null") },
		"no origin":                   func(h http.Header) { h.Del("Origin") },
		"neither":                     func(h http.Header) { h.Del("Origin"); h.Del("Sec-Fetch-Site") },
		"a longer one":                func(h http.Header) { h.Set("Origin", wikiURL+".evil.test") },
		"two":                         func(h http.Header) { h["Origin"] = []string{wikiURL, "https://evil.test"} },
		"lies about the origin":       func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
	} {
		if a := b.post(wikiURL+out, url.Values{}, change); a.status != http.StatusForbidden || len(a.cookies) > 0 {
			t.Errorf("%s: %d %v", name, a.status, a.cookies)
		}
	}
	for name, change := range map[string]func(http.Header){
		"text":      func(h http.Header) { h.Set("Content-Type", "text/plain") },
		"JSON":      func(h http.Header) { h.Set("Content-Type", "application/json") },
		"no type":   func(h http.Header) { h.Del("Content-Type") },
		"multipart": func(h http.Header) { h.Set("Content-Type", "multipart/form-data; boundary=x") },
	} {
		if a := b.post(wikiURL+out, url.Values{}, change); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if a := b.post(wikiURL+out, url.Values{"scope": {"app", "everything"}}, nil); a.status != http.StatusBadRequest {
		t.Errorf("a field twice: %d", a.status)
	}
	if a := b.post(wikiURL+out, url.Values{"x": {strings.Repeat("x", 9<<10)}}, nil); a.status != http.StatusBadRequest {
		t.Errorf("a large form: %d", a.status)
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		a := w.ask(method, wikiURL+out+"?scope=everything", b.jar, nil, "")
		if method != "GET" && a.status != http.StatusMethodNotAllowed || len(a.cookies) > 0 {
			t.Errorf("%s: %d %v", method, a.status, a.cookies)
		}
	}
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
}

func TestUseAnotherAccount(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	w.idp.bend(func(p *idp) { p.person["email"], p.person["sub"] = "alice@acme.test", "alice" })
	for name, c := range map[string]struct{ back, want string }{
		"a path":       {"/admin/?a=1&b=%2F", "/admin/?a=1&b=%2F"},
		"no path":      {"", "/"},
		"another host": {"//evil.test/", "/"},
	} {
		a := b.post(wikiURL+out, url.Values{"then": {"sign-in"}, "return": {c.back}}, nil)
		if a.status != 200 || !strings.Contains(a.body, "Sign in with another account") {
			t.Fatalf("%s: %d\n%s", name, a.status, a.body)
		}
		w.sentTo(w.Site(acme), refresh(t, a))
		b.arrives(refresh(t, a), c.want, "alice@acme.test")
		if got := w.idp.lastAsked().Get("prompt"); got != "select_account" {
			t.Errorf("prompt %q", got)
		}
	}
	// On the auth host.
	a := b.post(authURL+out, url.Values{"then": {"sign-in"}}, nil)
	if a = b.open(refresh(t, a)); a.status != 200 || a.url != authURL+"/" || !strings.Contains(a.body, "alice@acme.test") {
		t.Errorf("%d %s\n%s", a.status, a.url, a.body)
	}
	// A provider that announces its prompts, and has no such one, is asked for a sign-in.
	w2 := setup(t)
	w2.idp.bend(func(p *idp) {
		p.metadata = func(m map[string]any) { m["prompt_values_supported"] = []string{"none", "login", "consent"} }
	})
	c := w2.browser()
	c.arrives(wikiURL+"/", "/", "bob@acme.test")
	c.open(refresh(t, c.post(wikiURL+out, url.Values{"then": {"sign-in"}}, nil)))
	if got := w2.idp.lastAsked().Get("prompt"); got != "login" {
		t.Errorf("prompt %q", got)
	}
}

func TestDeniedByTheApp(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	if a := b.open(wikiURL + "/.sallyport/denied"); a.status != 403 || !strings.Contains(a.body, ">Sign in<") || strings.Contains(a.body, "Use another") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
	b.arrives(wikiURL+"/.sallyport/sign-in?return=/x", "/x", "bob@acme.test")
	a := b.open(wikiURL + "/.sallyport/denied")
	if a.status != 403 || !strings.Contains(a.body, "Use another account") || !strings.Contains(a.body, "bob@acme.test") || !strings.Contains(a.body, "d_ID") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
}

// While the store is down and the grace is over, nobody is sent to sign in and no cookie is touched; signing out works.
func TestUnavailableIsNotSignedOut(t *testing.T) {
	t.Parallel()
	w := bare(t)
	w.addEdge(session.Dial("127.0.0.1:1", "", ""))
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	sessiontest.Edit(w.World, acme, "wiki", func(a *edgev1.App) { a.SessionStoreGrace.Seconds = 60 })
	w.add(5 * time.Minute)
	for _, path := range []string{"/", "/.sallyport/me", "/.sallyport/denied"} {
		a := w.ask(http.MethodGet, wikiURL+path, b.jar, nil, "")
		if a.status != 503 || a.denial == nil || a.denial.Reason != "unavailable.session_store" || len(a.cookies) > 0 {
			t.Errorf("%s: %d %v %v", path, a.status, a.denial, a.cookies)
		}
	}
	if a := b.post(wikiURL+out, url.Values{}, nil); a.status != 200 || !strings.Contains(a.body, "Signed out here") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
	if end := lastEnd(w.edges[0]); end == nil {
		t.Error(fmt.Sprint("the end was not reported: ", end))
	}
}
