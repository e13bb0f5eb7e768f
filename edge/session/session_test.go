package session_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func setup(t *testing.T) *edge {
	t.Helper()
	return newEdge(t, sessiontest.New(t), newClock(), dial(t, redisAddr(t)))
}

func TestASessionIsWhoSignedIn(t *testing.T) {
	t.Parallel()
	e := setup(t)
	_, wiki := e.signIn(alice())
	r := e.wiki(wiki)
	e.wants(r, session.Live, "")
	c := r.Caller
	if c.Email != "alice@acme.test" || c.Identity.IDP != "demo" || !c.Identity.EmailVerified || c.Credential != "session" ||
		!strings.HasPrefix(c.Subject, "user:") || !strings.HasPrefix(c.SessionID, "s_") || !strings.HasPrefix(c.HostSession, "h_") {
		t.Errorf("caller %+v", c)
	}
	if got := c.Principal(e.site()).Groups(); !slices.Equal(got, []string{"admins", "engineering"}) {
		t.Errorf("groups %v", got)
	}
	if c.Subject != session.Subject(acme, "https://idp.test", "alice") || c.Subject == session.Subject(globex, "https://idp.test", "alice") {
		t.Error("the subject is not of (tenant, issuer, sub)")
	}
	if again := e.wiki(wiki); again.Caller != c {
		t.Error("another caller for the same claims")
	}
}

func TestTheCookieIsOfThisHostOnly(t *testing.T) {
	t.Parallel()
	e := setup(t)
	begun, err := e.Begin(context.Background(), e.site(), authHost, bob(), client, e.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	c := begun.Cookie
	if c.Name != "__Host-sp" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 {
		t.Errorf("cookie %+v", c)
	}
	if f := session.Forget(); f.Name != c.Name || !f.Secure || !f.HttpOnly || f.MaxAge >= 0 || f.Value != "" {
		t.Errorf("forget %+v", f)
	}
}

func TestACookieIsGoodNowhereElse(t *testing.T) {
	t.Parallel()
	e := setup(t)
	_, wiki := e.signIn(bob())
	ctx, now := context.Background(), e.clock.now()
	other := e.world.Site(globex)
	for _, warm := range []bool{false, true} {
		e := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
		if warm {
			e.wants(e.wiki(wiki), session.Live, "")
		}
		e.wants(e.Authenticate(ctx, e.site(), e.app("api"), apiHost, wiki, client, now), session.Anonymous, "identity.none")
		e.wants(e.Authenticate(ctx, e.site(), nil, authHost, wiki, client, now), session.Anonymous, "identity.none")
		e.wants(e.Authenticate(ctx, other, other.App("wiki"), "wiki.globex.localhost", wiki, client, now), session.Anonymous, "identity.none")
		e.wants(e.Authenticate(ctx, other, other.App("wiki"), wikiHost, wiki, client, now), session.Anonymous, "identity.none")
		e.wants(e.wiki(wiki), session.Live, "")
	}
}

// FuzzNoOtherCookieIsASession holds that of all strings only the one that was made is the session.
func FuzzNoOtherCookieIsASession(f *testing.F) {
	w := sessiontest.New(f)
	c := newClock()
	s := session.New(session.Config{Now: c.now, Log: discard(), Report: func(string, *edgev1.SessionEvent) {}})
	begun, err := s.Begin(context.Background(), w.Site(acme), wikiHost, bob(), client, c.now())
	if err != nil {
		f.Fatal(err)
	}
	good, site := begun.Cookie.Value, w.Site(acme)
	f.Add(good)
	f.Add("")
	f.Add(".")
	f.Add(good + "=")
	f.Add(good + "\n")
	f.Add(strings.Replace(good, ".", "..", 1))
	for i := range good {
		f.Add(good[:i] + string(good[i]^1) + good[i+1:])
		f.Add(good[:i])
	}
	f.Fuzz(func(t *testing.T, cookie string) {
		r := s.Authenticate(context.Background(), site, nil, wikiHost, cookie, client, c.now())
		if live := r.State == session.Live; live != (cookie == good) {
			t.Fatalf("%q is live: %v", cookie, live)
		}
	})
}

// TestOneSpellingOnly: base64 leaves bits of the last character unused, and decoders skip line breaks. Two values that are
// one session would be two keys in every cache.
func TestOneSpellingOnly(t *testing.T) {
	t.Parallel()
	e := setup(t)
	_, wiki := e.signIn(bob())
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, at := range []int{42, len(wiki) - 1} {
		for _, c := range alphabet {
			if other := wiki[:at] + string(c) + wiki[at+1:]; other != wiki {
				e.wants(e.wiki(other), session.Anonymous, "identity.none")
			}
		}
	}
	for _, other := range []string{wiki + "=", wiki + "\n", wiki[:43] + "\r\n" + wiki[43:], wiki[:43] + "=" + wiki[43:], " " + wiki, wiki + ".", wiki + ".AAAA"} {
		e.wants(e.wiki(other), session.Anonymous, "identity.none")
	}
	e.wants(e.wiki(wiki), session.Live, "")
}

func TestAssociatedDataHasOneReading(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"", "ab"}, {"ab", ""}, {"a", "", "b"}, {"\x00\x00\x00\x01a"}, {"a\x00\x00\x00\x01b"}} {
		data := string(session.AssociatedData(parts...))
		if seen[data] {
			t.Errorf("%q reads like another list", parts)
		}
		seen[data] = true
	}
}

func TestLimitsAreExact(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for _, c := range []struct {
		name  string
		steps []time.Duration // after each but the last there is a request
		live  bool
	}{
		{"just before idle", []time.Duration{time.Hour - second}, true},
		{"idle", []time.Duration{time.Hour}, false},
		{"just after idle", []time.Duration{time.Hour + second}, false},
		{"use extends idle", []time.Duration{59 * time.Minute, 59 * time.Minute, 59 * time.Minute}, true},
		{"use extends idle exactly", []time.Duration{59 * time.Minute, time.Hour}, false},
		{"just before the end", append(slices.Repeat([]time.Duration{30 * time.Minute}, 23), 30*time.Minute-second), true},
		{"the end", slices.Repeat([]time.Duration{30 * time.Minute}, 24), false},
		{"use does not extend the end", append(slices.Repeat([]time.Duration{30 * time.Minute}, 23), 29*time.Minute, 2*time.Minute), false},
		{"the clock is put back", []time.Duration{30 * time.Minute, -time.Hour}, true},
		{"put back, then past the end", []time.Duration{30 * time.Minute, -time.Hour, 13 * time.Hour}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := setup(t)
			_, wiki := e.signIn(bob())
			for i, step := range c.steps {
				e.clock.add(step)
				r := e.wiki(wiki)
				switch {
				case i < len(c.steps)-1 || c.live:
					e.wants(r, session.Live, "")
				default:
					e.wants(r, session.Anonymous, "identity.expired")
				}
			}
			if !c.live {
				// Neither a second look nor another edge brings it back.
				e.wants(e.wiki(wiki), session.Anonymous, "identity.expired")
				e.wants(newEdge(t, e.world, e.clock, dial(t, redisAddr(t))).wiki(wiki), session.Anonymous, "identity.expired")
			}
		})
	}
}

func TestAnAppMayBeStricter(t *testing.T) {
	t.Parallel()
	e := setup(t)
	auth, wiki := e.signIn(bob())
	sessiontest.Edit(e.world, acme, "wiki", func(a *edgev1.App) { a.Session = sessiontest.Limits(2*time.Hour, 10*time.Minute) })
	e.clock.add(10*time.Minute - time.Second)
	e.wants(e.wiki(wiki), session.Live, "")
	e.clock.add(10 * time.Minute)
	e.wants(e.wiki(wiki), session.Anonymous, "identity.expired")
	e.wants(e.auth(auth), session.Live, "")
}

func TestWhatRevokes(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{"session", "host session", "user", "email", "idp", "app", "tenant"} {
		t.Run(subject, func(t *testing.T) {
			t.Parallel()
			e := setup(t)
			// Another region: another edge, another store.
			us := newEdge(t, e.world, e.clock, nil)
			auth, wiki := e.signIn(bob())
			r := e.wiki(wiki)
			e.wants(r, session.Live, "")
			us.wants(us.wiki(wiki), session.Live, "")
			name := map[string]string{
				"session": "session:" + r.Caller.SessionID, "host session": "session:" + r.Caller.HostSession, "user": r.Caller.Subject,
				"email": "email:Bob@Acme.test", "idp": "idp:" + sessiontest.IDP, "app": "app:" + sessiontest.Wiki, "tenant": "tenant",
			}[subject]
			app := e.app("wiki")
			if ok, _ := e.Alive(e.site(), app, r.Caller, e.clock.now()); !ok {
				t.Fatal("not alive before")
			}
			e.world.Revoke(acme, name)
			e.wants(e.wiki(wiki), session.Ended, "identity.revoked")
			us.wants(us.wiki(wiki), session.Ended, "identity.revoked")
			if ok, reason := e.Alive(e.site(), e.app("wiki"), r.Caller, e.clock.now()); ok || reason != "identity.revoked" {
				t.Error("an open stream lives on")
			}
			elsewhere := e.auth(auth)
			if want := subject == "host session" || subject == "app"; (elsewhere.State == session.Live) != want {
				t.Errorf("on the auth host: %v", elsewhere.State)
			}
			// What is made from now on is not meant.
			_, fresh := e.signIn(bob())
			e.wants(e.wiki(fresh), session.Live, "")
			us.wants(us.wiki(fresh), session.Live, "")
		})
	}
}

func TestAProviderThatIsGoneSignsNobodyIn(t *testing.T) {
	t.Parallel()
	e := setup(t)
	_, wiki := e.signIn(bob())
	r := e.wiki(wiki)
	e.wants(r, session.Live, "")
	sessiontest.Edit(e.world, acme, "demo", func(p *edgev1.IdentityProvider) { p.Disabled = true })
	e.wants(e.wiki(wiki), session.Ended, "identity.disabled")
	if ok, reason := e.Alive(e.site(), e.app("wiki"), r.Caller, e.clock.now()); ok || reason != "identity.disabled" {
		t.Error("an open stream lives on")
	}
}

func TestKeysThatAreGoneOpenNothing(t *testing.T) {
	t.Parallel()
	e := setup(t)
	_, wiki := e.signIn(bob())
	e.wants(e.wiki(wiki), session.Live, "")
	e.world.ReplaceKeys(acme, "ticket", false)
	e.wants(e.wiki(wiki), session.Anonymous, "identity.none")
	e.world.ReplaceKeys(acme, "ticket", true)
	e.wants(e.wiki(wiki), session.Unavailable, "unavailable.key")
}

func TestWithoutTheStoresKeyTheTicketCarries(t *testing.T) {
	t.Parallel()
	e := setup(t)
	_, wiki := e.signIn(bob())
	e.world.ReplaceKeys(acme, "redis", true)
	cold := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
	cold.wants(cold.wiki(wiki), session.Live, "")
}

func TestATicketIsRenewed(t *testing.T) {
	t.Parallel()
	e := setup(t)
	_, wiki := e.signIn(bob())
	for range 4 {
		e.clock.add(time.Minute)
		if r := e.wiki(wiki); r.SetCookie != nil {
			t.Fatal("renewed too early")
		}
	}
	e.clock.add(time.Minute)
	r := e.wiki(wiki)
	if r.SetCookie == nil {
		t.Fatal("not renewed")
	}
	if other := e.wiki(wiki); other.SetCookie == nil || other.SetCookie.Value != r.SetCookie.Value {
		t.Error("requests at the same time get different cookies")
	}
	next := r.SetCookie.Value
	if next == wiki || next[:43] != wiki[:43] {
		t.Error("want the same id and another ticket")
	}
	// The old one stays good: a request that is under way has it.
	e.wants(e.wiki(wiki), session.Live, "")
	if n := e.wiki(next); n.Caller != r.Caller || n.SetCookie != nil {
		t.Error("the new cookie is another caller, or renewed again")
	}
	// It carries the use with it: at an edge that knows nothing, idle counts from it.
	e.clock.add(56 * time.Minute)
	lone := newEdge(t, e.world, e.clock, nil)
	lone.wants(lone.wiki(wiki), session.Anonymous, "identity.expired")
	lone.wants(lone.wiki(next), session.Live, "")
}

func TestEventsAreReported(t *testing.T) {
	t.Parallel()
	e := setup(t)
	auth, wiki := e.signIn(bob())
	for range 12 {
		e.wants(e.wiki(wiki), session.Live, "")
		e.wants(e.auth(auth), session.Live, "")
		e.clock.add(time.Minute)
	}
	// Two hosts, at minute 0, 5 and 10.
	if b, s := e.reported(edgev1.SessionEventKind_SESSION_EVENT_KIND_BEGUN), e.reported(edgev1.SessionEventKind_SESSION_EVENT_KIND_SEEN); b != 1 || s != 6 {
		t.Errorf("%d begun, %d seen; want 1, 6", b, s)
	}
	first := e.events[0]
	if first.IdentityProvider != "demo" || first.Email != "bob@acme.test" || first.Ip != "192.0.2.7" || first.Host != authHost ||
		!first.ExpireTime.AsTime().Equal(start.Add(12*time.Hour)) || !strings.HasPrefix(first.Sid, "s_") {
		t.Errorf("event %v", first)
	}
}

func TestPeekingIsNoUse(t *testing.T) {
	t.Parallel()
	e := setup(t)
	_, wiki := e.signIn(bob())
	e.clock.add(40 * time.Minute)
	if r := e.Peek(context.Background(), e.site(), e.app("wiki"), wikiHost, wiki, e.clock.now()); r.State != session.Live || r.SetCookie != nil {
		t.Fatalf("peek %+v", r)
	}
	e.clock.add(21 * time.Minute)
	e.wants(e.wiki(wiki), session.Anonymous, "identity.expired")
}

func TestWarmCostsNothing(t *testing.T) {
	e := setup(t)
	_, wiki := e.signIn(bob())
	site, app, now := e.site(), e.app("wiki"), e.clock.now()
	ctx := context.Background()
	e.Authenticate(ctx, site, app, wikiHost, wiki, client, now)
	if n := testing.AllocsPerRun(1000, func() {
		if e.Authenticate(ctx, site, app, wikiHost, wiki, client, now).State != session.Live {
			t.Fatal("not live")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWarm(b *testing.B) {
	w := sessiontest.New(b)
	c := newClock()
	s := session.New(session.Config{Now: c.now, Log: discard(), Report: func(string, *edgev1.SessionEvent) {}})
	site := w.Site(acme)
	app, now := site.App("wiki"), c.now()
	begun, err := s.Begin(context.Background(), site, wikiHost, bob(), client, now)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if s.Authenticate(context.Background(), site, app, wikiHost, begun.Cookie.Value, client, now).State != session.Live {
			b.Fatal("not live")
		}
	}
}

func TestAOneTimeTokenIsGoodOnce(t *testing.T) {
	t.Parallel()
	e := setup(t)
	other := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
	lone := newEdge(t, e.world, e.clock, nil)
	ctx, token := context.Background(), fmt.Sprintf("once-%p", e)
	if !e.FirstUse(ctx, acme, token, time.Minute) {
		t.Fatal("not the first")
	}
	if e.FirstUse(ctx, acme, token, time.Minute) || other.FirstUse(ctx, acme, token, time.Minute) {
		t.Error("used twice")
	}
	if !other.FirstUse(ctx, globex, token, time.Minute) {
		t.Error("another tenant's token of that name is another token")
	}
	if !lone.FirstUse(ctx, acme, token, time.Minute) || lone.FirstUse(ctx, acme, token, time.Minute) {
		t.Error("without a store: once at this edge")
	}
}
