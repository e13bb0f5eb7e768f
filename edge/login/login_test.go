package login_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/login"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func TestSignInOnceUseAllApps(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	b.arrives(wikiURL+"/reports/a%20b?q=1&r=%2F&q=2", "/reports/a%20b?q=1&r=%2F&q=2", "bob@acme.test")
	b.arrives(apiURL+"/v1/x", "/v1/x", "bob@acme.test")
	if n := w.idp.count("/token"); n != 1 {
		t.Errorf("signed in %d times", n)
	}
	asked := w.idp.lastAsked()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "sallyport", "redirect_uri": authURL + "/.sallyport/oidc/callback", "scope": "openid email",
		"code_challenge_method": "S256",
	} {
		if got := asked[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	for name, size := range map[string]int{"state": 43, "nonce": 43, "code_challenge": 43} {
		if got := asked[name]; len(got) != 1 || len(got[0]) != size {
			t.Errorf("%s = %q", name, got)
		}
	}
	// Nothing of the sign-in stays behind but the sessions and a short count.
	for host, list := range b.jar {
		for name := range list {
			if name != header.Session && name != header.Session+"-round" {
				t.Errorf("%s keeps the cookie %s", host, name)
			}
		}
	}
	a, c := b.session(sessiontest.WikiHost), b.session(sessiontest.APIHost)
	if a == c || a == b.session(sessiontest.AuthHost) {
		t.Error("one cookie for two hosts")
	}
}

func TestRegionsShareNothingButKeys(t *testing.T) {
	t.Parallel()
	w := bare(t)
	auth, apps := w.addEdge(session.Dial(redisAddr(t), "", "")), w.addEdge(nil)
	w.answers = func(host string) *edge {
		if host == sessiontest.AuthHost {
			return auth
		}
		return apps
	}
	b := w.browser()
	b.arrives(wikiURL+"/a", "/a", "bob@acme.test")
	// The other region's edge knows the cookie as well.
	if w.live(auth, sessiontest.WikiHost, b.session(sessiontest.WikiHost)) != session.Live {
		t.Error("not a session at the other edge")
	}
}

func TestSignInNeedsNoStore(t *testing.T) {
	t.Parallel()
	w := bare(t)
	w.addEdge(session.Dial("127.0.0.1:1", "", ""))
	b := w.browser()
	b.arrives(wikiURL+"/a?b", "/a?b", "bob@acme.test")
	b.arrives(apiURL+"/", "/", "bob@acme.test")
}

func TestAProgramIsNotSentToALoginPage(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, path := range []string{"/v1/x", "/.sallyport/me"} {
		a := w.ask(http.MethodGet, apiURL+path, cookies{}, http.Header{"Accept": {"application/json"}}, "")
		if a.status != http.StatusUnauthorized || len(a.cookies) > 0 || a.location() != "" {
			t.Errorf("%s: %d %v %v", path, a.status, a.cookies, a.header)
		}
	}
}

func TestManyTabsAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	const tabs = 10
	var atProvider, arriving [tabs]string
	for i := range tabs {
		atProvider[i] = b.until(fmt.Sprintf("%s/tab/%d?x=%s", wikiURL, i, strings.Repeat("y", 50*i)), "/oidc/callback")
	}
	if n := len(b.jar[sessiontest.WikiHost]); n != tabs {
		t.Errorf("%d cookies on the app's host", n)
	}
	for i := range tabs {
		arriving[i] = b.until(atProvider[i], "/.sallyport/callback")
	}
	var sids []string
	for i := range tabs {
		b.arrives(arriving[i], fmt.Sprintf("/tab/%d?x=%s", i, strings.Repeat("y", 50*i)), "bob@acme.test")
		sids = append(sids, w.me(b, wikiURL).Session)
	}
	if len(slices.Compact(sids)) != 1 {
		t.Errorf("%d Sessions of one sign-in in one browser", len(slices.Compact(sids)))
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	first := b.until(wikiURL+"/first", "/oidc/callback")
	for i := range 40 {
		w.add(time.Second)
		b.until(fmt.Sprintf("%s/%d?x=%s", wikiURL, i, strings.Repeat("y", 1900)), "/oidc/callback")
		if n := len(b.jar[sessiontest.WikiHost]); n > 12 {
			t.Fatalf("%d cookies of attempts", n)
		}
		if size := len(b.jar.line(sessiontest.AuthHost, w.now())); size > header.MaxCookieBytes {
			t.Fatalf("the browser would send %d bytes of cookies", size)
		}
	}
	// The newest goes on; the oldest, whose cookies had to go, is told to start again.
	last := b.until(wikiURL+"/last", "/oidc/callback")
	b.arrives(last, "/last", "bob@acme.test")
	if a := b.open(first); a.status != http.StatusBadRequest {
		t.Errorf("the first attempt: %d", a.status)
	}
}

func TestALongPathStillSignsIn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	long := "/p?x=" + strings.Repeat("y", 2040)
	w.browser().arrives(wikiURL+long, long, "bob@acme.test")
	w.browser().arrives(wikiURL+"/p?x="+strings.Repeat("y", 3000), "/", "bob@acme.test")
}

func TestTheChooser(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.Put(acme, &edgev1.IdentityProvider{
		Id: "other", Uid: "0195a000-0000-7000-8000-0000000002d9", DisplayName: "Other directory", Issuer: "http://127.0.0.1:1", AllowHttpLoopback: true,
		ClientId: "x", EmailClaim: "email", NameClaim: "name", GroupsClaim: "groups",
	})
	b := w.browser()
	a := b.open(wikiURL + "/a")
	if a.status != 200 || !strings.Contains(a.body, "Demo directory") || !strings.Contains(a.body, "Other directory") || !strings.Contains(a.body, "The wiki") {
		t.Fatalf("%d\n%s", a.status, a.body)
	}
	b.arrives(authURL+link(t, a.body, "Demo directory"), "/a", "bob@acme.test")
	// One that is down is named; one that is not there is nobody's.
	c := w.browser()
	a = c.open(wikiURL + "/a")
	if down := c.open(authURL + link(t, a.body, "Other directory")); down.status != 503 || !strings.Contains(down.body, "Other directory") {
		t.Errorf("%d\n%s", down.status, down.body)
	}
	u, _ := url.Parse(authURL + link(t, a.body, "Other directory"))
	q := u.Query()
	q.Set("idp", "nobody")
	u.RawQuery = q.Encode()
	if gone := c.open(u.String()); gone.status != 400 {
		t.Errorf("%d", gone.status)
	}
}

// link finds where a button leads.
func link(t *testing.T, body, text string) string {
	t.Helper()
	found := regexp.MustCompile(`<a [^>]*href="([^"]*)"[^>]*>` + regexp.QuoteMeta(text)).FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("no link %q in\n%s", text, body)
	}
	return html.UnescapeString(found[1])
}

func TestTheAuthHostsFrontPage(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	a := b.open(authURL + "/")
	if a.status != 200 || !strings.Contains(a.body, "Welcome") || strings.Contains(a.body, "The wiki") {
		t.Fatalf("%d\n%s", a.status, a.body)
	}
	a = b.open(authURL + link(t, a.body, "Sign in"))
	if a.status != 200 || a.url != authURL+"/" || !strings.Contains(a.body, "bob@acme.test") {
		t.Fatalf("%s %d\n%s", a.url, a.status, a.body)
	}
	// The wiki lets engineers in, nobody lets anybody into the API.
	if !strings.Contains(a.body, `href="`+wikiURL+`/"`) || strings.Contains(a.body, "The API") {
		t.Errorf("the launcher shows\n%s", a.body)
	}
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	if a := b.open(authURL + "/.sallyport/me"); a.status != 200 || !strings.Contains(a.body, "Demo directory") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
	if a := w.ask(http.MethodGet, authURL+"/other", b.jar, nil, ""); a.status != 404 {
		t.Errorf("%d", a.status)
	}
}

// me is what a program of the page reads.
func (w *world) me(b *browser, origin string) (m login.Me) {
	w.t.Helper()
	a := w.ask(http.MethodGet, origin+"/.sallyport/me", b.jar, http.Header{"Accept": {"application/json"}}, "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" {
		w.t.Fatalf("%d %v %s", a.status, a.denial, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		w.t.Fatal(err)
	}
	return m
}

func TestMe(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	// Asking who I am signs me in first.
	a := b.open(wikiURL + "/.sallyport/me")
	if a.status != 200 || a.url != wikiURL+"/.sallyport/me" || !strings.Contains(a.body, "Sign out of The wiki only") {
		t.Fatalf("%s %d\n%s", a.url, a.status, a.body)
	}
	m := w.me(b, wikiURL)
	if m.Tenant != "acme" || m.App != "wiki" || m.Email != "bob@acme.test" || !m.EmailVerified || m.IdentityProvider != "demo" ||
		!slices.Equal(m.Groups, []string{"engineering"}) || !strings.HasPrefix(m.Subject, "user:") || !strings.HasPrefix(m.Session, "s_") ||
		!m.ExpireTime.Equal(start.Add(12*time.Hour)) {
		t.Errorf("%+v", m)
	}
	for _, never := range []string{b.session(sessiontest.WikiHost), "access-token", "eyJ", secret} {
		if strings.Contains(a.body, never) {
			t.Errorf("the page holds %q", never)
		}
	}
}

func TestAStricterAppWantsARecentSignIn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	sessiontest.Edit(w.World, acme, "api", func(a *edgev1.App) { a.Session = sessiontest.Limits(time.Hour, 10*time.Minute) })
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	w.add(5 * time.Minute)
	b.arrives(apiURL+"/", "/", "bob@acme.test")
	if n := w.idp.count("/token"); n != 1 {
		t.Fatalf("%d sign-ins", n)
	}
	w.add(20 * time.Minute)
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	b.arrives(apiURL+"/", "/", "bob@acme.test")
	if n := w.idp.count("/token"); n != 2 {
		t.Errorf("%d sign-ins: idle in the stricter app, and no new sign-in", n)
	}
	// What was before is replaced, and the wiki goes on without a password.
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	if n := w.idp.count("/token"); n != 2 {
		t.Errorf("%d sign-ins", n)
	}
}

func TestGoingOnIsUse(t *testing.T) {
	t.Parallel()
	w := bare(t)
	w.addEdge(nil) // no store that would know of the apps' use
	sessiontest.Edit(w.World, acme, "acme", func(x *edgev1.Tenant) { x.Session = sessiontest.Limits(12*time.Hour, 30*time.Minute) })
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	w.add(25 * time.Minute)
	b.arrives(apiURL+"/", "/", "bob@acme.test")
	w.add(25 * time.Minute)
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	if n := w.idp.count("/token"); n != 1 {
		t.Errorf("%d sign-ins", n)
	}
}

func TestASessionThatDoesNotStickEndsOnAPage(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	for visit := range 20 {
		a := w.ask(http.MethodGet, wikiURL+"/a", b.jar, nil, "")
		if a.status == http.StatusForbidden {
			if visit != 4 || !strings.Contains(a.body, "Signing in does not help") || !strings.Contains(a.body, "d_ID") {
				t.Errorf("at visit %d:\n%s", visit, a.body)
			}
			w.add(time.Minute)
			b.arrives(wikiURL+"/a", "/a", "bob@acme.test")
			return
		}
		b.until(a.location(), wikiURL+"/a")
		delete(b.jar[sessiontest.WikiHost], header.Session) // a browser that does not keep it
	}
	t.Error("an endless loop")
}

func TestProvidersAreReadSeldom(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for range 20 {
		w.browser().arrives(wikiURL+"/", "/", "bob@acme.test")
	}
	if m, k := w.idp.count("/.well-known/openid-configuration"), w.idp.count("/keys"); m != 1 || k != 1 {
		t.Errorf("metadata read %d times, keys %d times", m, k)
	}
}

func TestOneProviderThatHangsHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w := setup(t)
	other := newIDP(t, w.now)
	w.provider(globex, func(p *edgev1.IdentityProvider) { p.Issuer = other.issuer })
	hang, inside := make(chan struct{}), make(chan struct{}, 100)
	release := sync.OnceFunc(func() { close(hang) })
	t.Cleanup(release) // or the provider would never close
	other.bend(func(p *idp) {
		p.before = func(string, http.ResponseWriter, *http.Request) bool { inside <- struct{}{}; <-hang; return true }
	})
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			b := w.browser()
			a := b.open("https://wiki.globex.localhost:8443/")
			if a.status != http.StatusServiceUnavailable {
				t.Errorf("%d\n%s", a.status, a.body)
			}
		})
	}
	<-inside
	began := time.Now()
	w.browser().arrives(wikiURL+"/", "/", "bob@acme.test")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("another tenant's sign-in took %v", took)
	}
	release()
	all.Wait()
	if n := len(inside); n > 16 {
		t.Errorf("%d requests to the provider at once", n+1)
	}
}
