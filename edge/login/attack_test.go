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

// nobody wants a browser without any session.
func (b *browser) nobody() {
	b.w.t.Helper()
	for host, list := range b.jar {
		if list[header.Session].value != "" {
			b.w.t.Errorf("there is a session on %s", host)
		}
	}
}

func (b *browser) refused(target string) *answer {
	b.w.t.Helper()
	a := b.w.ask(http.MethodGet, target, b.jar, nil, "")
	if a.status != http.StatusBadRequest || a.location() != "" {
		b.w.t.Fatalf("%s: %d %s\n%s", target, a.status, a.location(), a.body)
	}
	if !strings.Contains(a.body, "Start again") || a.header.Get("Referrer-Policy") != "no-referrer" {
		b.w.t.Errorf("no way on, or a referrer that holds a code:\n%v\n%s", a.header, a.body)
	}
	return a
}

// with changes one parameter of an address.
func with(target, name, value string) string {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// OI-01: the attacker signs in as themselves up to the callback, and sends that address to the victim.
func TestLoginCSRF(t *testing.T) {
	t.Parallel()
	w := setup(t)
	attacker, victim := w.browser(), w.browser()
	w.idp.bend(func(p *idp) { p.person["email"], p.person["sub"] = "mallory@acme.test", "mallory" })
	callback := attacker.until(wikiURL+"/", "/oidc/callback")
	victim.refused(callback)
	victim.nobody()
	// Nor in the middle of a sign-in of their own.
	victim.until(wikiURL+"/a", "/oidc/callback")
	victim.refused(callback)
	victim.nobody()
	// It was not spent by that: whoever began may go on.
	attacker.arrives(callback, "/", "mallory@acme.test")
}

// OI-02
func TestTheStateIsGoodOnceAndForAWhile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	callback := b.until(wikiURL+"/a", "/oidc/callback")
	state := mustQuery(callback).Get("state")
	before := b.jar.clone()
	for name, other := range map[string]string{
		"edited":  state[:42] + flip(state[42:]),
		"cut":     state[:42],
		"empty":   "",
		"long":    strings.Repeat("x", 64<<10),
		"padded":  state + "=",
		"foreign": strings.Repeat("A", 43),
		"dots":    "../../../../../../../../../../../../../../../x"[:43],
	} {
		a := w.ask(http.MethodGet, with(callback, "state", other), before.clone(), nil, "")
		if a.status != http.StatusBadRequest && a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if a := w.ask(http.MethodGet, callback+"&state="+state, before.clone(), nil, ""); a.status != http.StatusBadRequest {
		t.Errorf("twice: %d", a.status)
	}
	u, _ := url.Parse(callback)
	q := u.Query()
	q.Del("state")
	u.RawQuery = q.Encode()
	if a := w.ask(http.MethodGet, u.String(), before.clone(), nil, ""); a.status != http.StatusBadRequest {
		t.Errorf("missing: %d", a.status)
	}
	b.arrives(callback, "/a", "bob@acme.test")
	// A copy of the browser, cookies and all, made before: used is used, whatever the provider would say.
	copied := &browser{w: w, jar: before}
	w.idp.mu.Lock()
	w.idp.codes[mustQuery(callback).Get("code")] = w.idp.asked[0]
	w.idp.mu.Unlock()
	copied.refused(callback)
	copied.nobody()

	late := w.browser()
	callback = late.until(wikiURL+"/a", "/oidc/callback")
	stale := late.jar.clone()
	w.add(10 * time.Minute)
	late.refused(callback) // the browser has dropped the cookie
	for _, c := range stale {
		for name, k := range c {
			k.until = time.Time{}
			c[name] = k
		}
	}
	(&browser{w: w, jar: stale}).refused(callback) // one that has not
}

func flip(c string) string {
	// Of the last character four bits are the state's; the strict form of the others is refused as well.
	if c == "A" {
		return "E"
	}
	return "A"
}

func mustQuery(target string) url.Values {
	u, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	return u.Query()
}

// OI-04: the victim's code in the attacker's flow.
func TestCodeInjection(t *testing.T) {
	t.Parallel()
	w := setup(t)
	victim, attacker := w.browser(), w.browser()
	theirs := victim.until(wikiURL+"/", "/oidc/callback")
	w.idp.bend(func(p *idp) { p.person["email"], p.person["sub"] = "mallory@acme.test", "mallory" })
	mine := attacker.until(wikiURL+"/", "/oidc/callback")
	a := attacker.open(with(mine, "code", mustQuery(theirs).Get("code")))
	if a.status != 403 {
		t.Errorf("%d\n%s", a.status, a.body)
	}
	attacker.nobody()
}

func TestAHandOffIsGoodInOneBrowserOnce(t *testing.T) {
	t.Parallel()
	for _, store := range []bool{true, false} {
		t.Run(fmt.Sprint("store ", store), func(t *testing.T) {
			t.Parallel()
			w := bare(t)
			if store {
				w.addEdge(session.Dial(redisAddr(t), "", ""))
			} else {
				w.addEdge(nil)
			}
			b, thief := w.browser(), w.browser()
			handOff := b.until(wikiURL+"/a", "/.sallyport/callback")
			thief.refused(handOff)
			// Nor in a browser that began something itself.
			thief.until(wikiURL+"/b", "/oidc/callback")
			thief.refused(handOff)
			thief.nobody()
			copied := &browser{w: w, jar: b.jar.clone()}
			delete(copied.jar, sessiontest.AuthHost)
			// Not at another app, another tenant, or with a byte changed.
			code := mustQuery(handOff).Get("code")
			for _, origin := range []string{apiURL, "https://wiki.globex.localhost:8443"} {
				other := &browser{w: w, jar: cookies{mustHost(origin): b.jar[sessiontest.WikiHost]}}
				other.refused(origin + "/.sallyport/callback?code=" + code)
			}
			for i := 0; i < len(code); i += 37 {
				(&browser{w: w, jar: b.jar.clone()}).refused(with(handOff, "code", code[:i]+other(code[i])+code[i+1:]))
			}
			b.arrives(handOff, "/a", "bob@acme.test")
			copied.refused(handOff)
			copied.nobody()
			// Back and forward again, in the browser that is signed in: where it wanted to go, and nothing new.
			before := b.session(sessiontest.WikiHost)
			b.arrives(handOff, "/a", "bob@acme.test")
			if b.session(sessiontest.WikiHost) != before {
				t.Error("a second session of one hand-off")
			}
		})
	}
}

func mustHost(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		panic(err)
	}
	return u.Hostname()
}

func other(c byte) string {
	if c == 'x' {
		return "y"
	}
	return "x"
}

func TestAHandOffIsGoodForHalfAMinute(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	handOff := b.until(wikiURL+"/a", "/.sallyport/callback")
	w.add(30 * time.Second)
	b.refused(handOff)
	// The person is signed in all the same: starting again takes no password.
	b.arrives(wikiURL+"/a", "/a", "bob@acme.test")
	if n := w.idp.count("/token"); n != 1 {
		t.Errorf("%d sign-ins", n)
	}
}

func TestAnAttemptIsGoodForTenMinutes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	atAuth := b.until(wikiURL+"/a", "/sign-in?start=")
	w.add(10 * time.Minute)
	b.refused(atAuth)
	// Whoever took long at the provider is signed in, and the app is asked anew.
	c := w.browser()
	atAuth = c.until(wikiURL+"/slow", "/sign-in?start=")
	w.add(9 * time.Minute)
	callback := c.until(atAuth, "/oidc/callback")
	w.add(2 * time.Minute)
	c.arrives(callback, "/slow", "bob@acme.test")
	if n := w.idp.count("/token"); n != 1 {
		t.Errorf("%d sign-ins", n)
	}
}

// What is sealed for one step opens at no other, and at no other tenant.
func TestBlobsAreOfOneStep(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	sign := b.until(wikiURL+"/a", "/sign-in?start=")
	start := mustQuery(sign).Get("start")
	handOff := b.until(sign, "/.sallyport/callback?code=")
	code := mustQuery(handOff).Get("code")
	var flow string
	c := w.browser()
	c.until(wikiURL+"/a", "/oidc/callback")
	for name, k := range c.jar[sessiontest.AuthHost] {
		if strings.HasPrefix(name, header.OIDCPrefix) {
			flow = k.value
		}
	}
	for _, target := range []string{
		authURL + "/.sallyport/sign-in?start=" + code, authURL + "/.sallyport/sign-in?start=" + flow, authURL + "/.sallyport/sign-in?start=" + start + "&start=" + start,
		authURL + "/.sallyport/sign-in?start=x", authURL + "/.sallyport/sign-in?start=" + start + "%0a", authURL + "/.sallyport/sign-in?start=" + start + "=",
		wikiURL + "/.sallyport/callback?code=" + start, wikiURL + "/.sallyport/callback?code=" + flow, wikiURL + "/.sallyport/callback", wikiURL + "/.sallyport/callback?code=" + code + "&code=" + code,
		"https://auth.globex.localhost:8443/.sallyport/sign-in?start=" + start, "https://wiki.globex.localhost:8443/.sallyport/callback?code=" + code,
	} {
		b.refused(target)
	}
}

// RD-13, OI-07: everything of one tenant is nothing at another, though provider and people are the same.
func TestTenantsShareNothing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	b.arrives(wikiURL+"/a", "/a", "bob@acme.test")
	other := "https://wiki.globex.localhost:8443"
	thief := &browser{w: w, jar: cookies{"wiki.globex.localhost": b.jar[sessiontest.WikiHost], "auth.globex.localhost": b.jar[sessiontest.AuthHost]}}
	if a := thief.w.ask(http.MethodGet, other+"/a", thief.jar, http.Header{"Accept": {"application/json"}}, ""); a.status != 401 {
		t.Errorf("%d", a.status)
	}
	if a := thief.w.ask(http.MethodGet, "https://auth.globex.localhost:8443/.sallyport/me", thief.jar, http.Header{"Accept": {"application/json"}}, ""); a.status != 401 {
		t.Errorf("%d", a.status)
	}
	b.arrives(other+"/a", "/a", "bob@acme.test")
	if m, n := w.me(b, wikiURL), w.me(b, other); m.Subject == n.Subject || m.Session == n.Session || n.Tenant != "globex" {
		t.Errorf("%+v %+v", m, n)
	}
}

// CS-07: what was in the browser before the sign-in is worth nothing after it.
func TestNoIdSurvivesASignIn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.idp.bend(func(p *idp) { p.person["email"], p.person["sub"] = "mallory@acme.test", "mallory" })
	mallory := w.browser()
	mallory.arrives(wikiURL+"/", "/", "mallory@acme.test")
	planted := mallory.jar.clone()
	w.add(5 * time.Minute)
	w.idp.bend(func(p *idp) { p.person["email"], p.person["sub"] = "bob@acme.test", "bob" })
	// The victim's browser has mallory's cookies, and uses another account.
	victim := &browser{w: w, jar: mallory.jar.clone()}
	a := victim.post(wikiURL+"/.sallyport/sign-out", url.Values{"then": {"sign-in"}, "return": {"/a"}}, nil)
	victim.arrives(refresh(t, a), "/a", "bob@acme.test")
	for host := range planted {
		if got := w.live(w.edges[0], host, planted[host][header.Session].value); got == session.Live {
			t.Errorf("what was planted on %s is live", host)
		}
		if planted[host][header.Session].value == victim.session(host) {
			t.Errorf("the id on %s was kept", host)
		}
	}
	// Without signing out first: a sign-in in a browser that has a session ends that session.
	second := w.browser()
	second.arrives(wikiURL+"/", "/", "bob@acme.test")
	old := second.jar.clone()
	w.add(5 * time.Minute)
	b := &browser{w: w, jar: cookies{sessiontest.AuthHost: second.jar[sessiontest.AuthHost]}}
	sessiontest.Edit(w.World, acme, "api", func(a *edgev1.App) { a.Session = sessiontest.Limits(time.Minute, time.Minute) })
	b.arrives(apiURL+"/", "/", "bob@acme.test")
	for host := range old {
		if got := w.live(w.edges[0], host, old[host][header.Session].value); got == session.Live {
			t.Errorf("on %s the session from before is live", host)
		}
	}
}

// refresh is where a page leads by itself.
func refresh(t *testing.T, a *answer) string {
	t.Helper()
	_, target, ok := strings.Cut(a.header.Get("Refresh"), "0; url=")
	if !ok {
		t.Fatalf("%d %v\n%s", a.status, a.header, a.body)
	}
	return target
}

// OI-14
func TestPathsAreExact(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	callback := b.until(wikiURL+"/a", "/oidc/callback")
	query := callback[strings.Index(callback, "?"):]
	for _, target := range []string{
		authURL + "/.sallyport/oidc/callback/", authURL + "/.sallyport/oidc/callback/x", authURL + "/.sallyport/callback",
		wikiURL + "/.sallyport/oidc/callback", authURL + "/.sallyport/oidc/Callback", authURL + "/.sallyport/x",
	} {
		if a := w.ask(http.MethodGet, target+query, b.jar.clone(), nil, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", target, a.status)
		}
	}
	for _, method := range []string{"POST", "PUT", "HEAD", "OPTIONS", "DELETE"} {
		for _, target := range []string{callback, authURL + "/.sallyport/sign-in", wikiURL + "/.sallyport/callback?code=x", wikiURL + "/.sallyport/me", authURL + "/"} {
			if a := w.ask(method, target, b.jar.clone(), nil, ""); a.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, target, a.status)
			}
		}
	}
	b.arrives(callback, "/a", "bob@acme.test")
}

// OI-21
func TestTheProviderIsDisabledMeanwhile(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	callback := b.until(wikiURL+"/a", "/oidc/callback")
	w.provider(acme, func(p *edgev1.IdentityProvider) { p.Disabled = true })
	b.refused(callback)
	b.nobody()
	w.provider(acme, func(p *edgev1.IdentityProvider) { p.Disabled = false })
	c := w.browser()
	handOff := c.until(wikiURL+"/a", "/.sallyport/callback")
	w.provider(acme, func(p *edgev1.IdentityProvider) { p.Disabled = true })
	a := c.open(handOff)
	if a.status != 401 && a.status != 403 {
		t.Errorf("%d\n%s", a.status, a.body)
	}
	if w.live(w.edges[0], sessiontest.AuthHost, c.session(sessiontest.AuthHost)) == session.Live {
		t.Error("its session lives on")
	}
}

// A session that is revoked on its way to the app is not a session there, and the browser is asked to sign in anew.
func TestRevokedOnTheWay(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	handOff := b.until(wikiURL+"/a", "/.sallyport/callback")
	w.Revoke(acme, session.Subject(acme, w.idp.issuer, "bob"))
	b.arrives(handOff, "/a", "bob@acme.test")
	if n := w.idp.count("/token"); n != 2 {
		t.Errorf("%d sign-ins", n)
	}
}

func TestWhereNobodySignsIn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.provider(acme, func(p *edgev1.IdentityProvider) { p.Disabled = true })
	for _, target := range []string{wikiURL + "/", authURL + "/", authURL + "/.sallyport/sign-in"} {
		if a := w.ask(http.MethodGet, target, cookies{}, nil, ""); a.status != 401 || a.location() != "" {
			t.Errorf("%s: %d", target, a.status)
		}
	}
	w.provider(acme, func(p *edgev1.IdentityProvider) { p.Disabled = false })
	w.ReplaceKeys(acme, "login", true)
	for _, target := range []string{wikiURL + "/", authURL + "/.sallyport/sign-in"} {
		if a := w.ask(http.MethodGet, target, cookies{}, nil, ""); a.status != 503 || a.location() != "" {
			t.Errorf("%s: %d", target, a.status)
		}
	}
}

// CS-04: whatever the browser sends in our cookies' names, it is an answer and no crash.
func TestCookiesOfOurNames(t *testing.T) {
	t.Parallel()
	w := setup(t)
	b := w.browser()
	b.arrives(wikiURL+"/", "/", "bob@acme.test")
	good := b.session(sessiontest.WikiHost)
	for _, line := range []string{
		"__Host-sp=" + good + "; __Host-sp=" + good, "__Host-sp=" + good + "; __Host-sp=x", "__host-sp=" + good, "__Host-sp=\"" + good + "\"",
		"__Host-sp-start-x=y", "__Host-sp-start-0000000000000000=", "__Host-sp-round=999999999999999999999", "__Host-sp-round=-1", "__Host-sp=;=;;", "__Host-sp",
		strings.Repeat("__Host-sp-start-0000000000000000=x; ", 100), strings.Repeat("__Host-sp-oidc-aaaaaaaa=x; ", 100),
	} {
		for _, target := range []string{wikiURL + "/", wikiURL + "/.sallyport/callback?code=x", authURL + "/.sallyport/sign-in", authURL + "/.sallyport/oidc/callback?state=" + strings.Repeat("a", 43), authURL + "/", wikiURL + "/.sallyport/me"} {
			h := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Cookie": {line}}
			a := w.ask(http.MethodGet, target, nil, h, "")
			if a.status >= 500 || strings.HasPrefix(a.body, "app: ") {
				t.Errorf("%q at %s: %d %s", line[:min(len(line), 40)], target, a.status, a.body)
			}
		}
	}
}
