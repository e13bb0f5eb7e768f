package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// strongly is bob after a step-up.
func (e *edge) strongly() session.Person {
	p := bob()
	p.AuthTime, p.ACR, p.AMR = e.clock.now(), "gold", []string{"pwd", "hwk"}
	p.Asked = &edgev1.SignInAsked{AtMs: e.clock.now().UnixMilli(), MaxAgeMs: 60_000}
	return p
}

func (e *edge) raise(r session.Result, p session.Person) *session.Begun {
	e.t.Helper()
	b, err := e.Raise(context.Background(), e.site(), authHost, r, p, client, e.clock.now())
	if err != nil {
		e.t.Fatal(err)
	}
	return b
}

// A step-up is the same Session, signed in otherwise: for the cookies that it was handed to, and for no other.
func TestAStepUpRaisesWhatItIsHandedTo(t *testing.T) {
	t.Parallel()
	e := newEdge(t, sessiontest.New(t), newClock(), dial(t, redisAddr(t)))
	auth, wiki := e.signIn(bob())
	began := e.auth(auth)
	before := began.Times(e.site(), nil)
	sid := began.Caller.SessionID
	e.clock.add(10 * time.Minute)

	b := e.raise(e.auth(auth), e.strongly())
	e.wants(e.auth(auth), session.Ended, "identity.revoked")
	raised := e.auth(b.Cookie.Value)
	e.wants(raised, session.Live, "")
	if id := raised.Caller.Identity; raised.Caller.SessionID != sid || !id.AuthTime.Equal(e.clock.now()) || id.ACR != "gold" ||
		!slices.Equal(id.AMR, []string{"pwd", "hwk"}) || !id.Asked.At.Equal(e.clock.now()) || id.Asked.MaxAge != time.Minute {
		t.Errorf("%s: %+v", raised.Caller.SessionID, id)
	}
	if now := raised.Times(e.site(), nil); !now.Began.Equal(before.Began) || !now.Expire.Equal(before.Expire) || now.Idle != before.Idle {
		t.Errorf("a step-up changed the limits: %+v, before %+v", now, before)
	}

	// The wiki's cookie is what it was, here and wherever the store is asked about the Session.
	mate := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
	e.clock.add(5 * time.Minute)
	for name, r := range map[string]session.Result{"here": e.wiki(wiki), "elsewhere": mate.wiki(wiki)} {
		if id := r.Caller.Identity; id.ACR != "" || !id.AuthTime.Equal(start) || id.AMR != nil || !id.Asked.At.IsZero() || r.Caller.SessionID != sid {
			t.Errorf("%s a cookie from before the step-up is %+v", name, id)
		}
	}
	second := e.attach(e.auth(b.Cookie.Value).Known(), "wiki", wikiHost)
	for name, r := range map[string]session.Result{"here": e.wiki(second), "elsewhere": mate.wiki(second)} {
		if id := r.Caller.Identity; id.ACR != "gold" || id.AuthTime.Equal(start) {
			t.Errorf("%s the cookie that it was handed to is %+v", name, id)
		}
	}
	// It still is one Session: it ends as one.
	e.enforced.Store(true)
	e.End(context.Background(), e.site(), e.auth(b.Cookie.Value), session.OfEverything, client, e.clock.now())
	e.wants(e.wiki(wiki), session.Ended, "identity.revoked")
	e.wants(e.wiki(second), session.Ended, "identity.revoked")
}

// Nobody becomes half somebody else.
func TestAStepUpOfSomebodyElseRaisesNothing(t *testing.T) {
	t.Parallel()
	e := newEdge(t, sessiontest.New(t), newClock(), nil)
	auth, _ := e.signIn(bob())
	elsewhere := bob()
	elsewhere.Issuer = "https://other.test"
	otherIDP := bob()
	otherIDP.IDPUID = "another"
	for name, p := range map[string]session.Person{"another person": alice(), "another issuer": elsewhere, "another provider": otherIDP} {
		if _, err := e.Raise(context.Background(), e.site(), authHost, e.auth(auth), p, client, e.clock.now()); !errors.Is(err, session.ErrEnded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.Raise(context.Background(), e.site(), authHost, e.auth("nothing"), bob(), client, e.clock.now()); !errors.Is(err, session.ErrEnded) {
		t.Errorf("nobody: %v", err)
	}
	e.wants(e.auth(auth), session.Live, "")
}

// What revokes a Session revokes it after a step-up: it is not made anew.
func TestAStepUpOutlivesNoRevocation(t *testing.T) {
	t.Parallel()
	e := newEdge(t, sessiontest.New(t), newClock(), nil)
	auth, _ := e.signIn(bob())
	r := e.auth(auth)
	e.world.Revoke(acme, "session:"+r.Caller.SessionID)
	b := e.raise(r, e.strongly()) // by an edge that was a moment behind
	e.wants(e.auth(b.Cookie.Value), session.Ended, "identity.revoked")
}

// With the store down, a step-up says nothing about whether the Session was ended meanwhile.
func TestAStepUpDoesNotStretchTheGrace(t *testing.T) {
	t.Parallel()
	e, w := strict(t)
	auth, _ := e.signIn(bob())
	w.setCut(true)
	eventually(t, "the edge sees it", func() bool { return e.Ready() != nil })
	e.clock.add(grace - time.Minute)
	b := e.raise(e.auth(auth), e.strongly())
	wiki := e.attach(b.Known, "wiki", wikiHost)
	e.wants(e.wiki(wiki), session.Live, "")
	e.clock.add(2 * time.Minute)
	e.wants(e.wiki(wiki), session.Unavailable, "unavailable.session_store")
}

// Whoever has many groups keeps them: those of a cookie are in the store's record, which is of the newest sign-in.
func TestGroupsAfterAStepUp(t *testing.T) {
	t.Parallel()
	e := newEdge(t, sessiontest.New(t), newClock(), dial(t, redisAddr(t)))
	store := dial(t, redisAddr(t))
	p := bob()
	p.Groups = append(manyGroups(500), "engineering")
	auth, wiki := e.signIn(p)
	e.clock.add(time.Minute)
	p = e.strongly()
	p.Groups = append(manyGroups(600), "admins")
	b := e.raise(e.auth(auth), p)
	second := e.attach(b.Known, "wiki", wikiHost)
	for round := range 3 {
		mate := newEdge(t, e.world, e.clock, store)
		if id := mate.wiki(wiki).Caller.Identity; !id.GroupsComplete || !slices.Equal(id.Groups, []string{"admins"}) || id.ACR != "" {
			t.Errorf("%d: the cookie from before: %+v", round, id)
		}
		if id := mate.wiki(second).Caller.Identity; !id.GroupsComplete || !slices.Equal(id.Groups, []string{"admins"}) || id.ACR != "gold" {
			t.Errorf("%d: the cookie from after: %+v", round, id)
		}
		// Use of the one from before must not put its groups back into the store.
		var r edgev1.SessionRecord
		since := e.clock.now().UnixMilli()
		eventually(t, "use is in the store", func() bool {
			e.clock.add(31 * time.Second)
			e.read(store, "sp:s:"+acme+":"+e.wiki(wiki).Caller.SessionID, &r)
			return r.SeenAtMs > since
		})
	}
}

// What does not fit is unknown, which no rule takes for "no": the beginning of a class is another class, and half of the
// methods would say that the others were not used.
func TestWhatDoesNotFitIsUnknown(t *testing.T) {
	t.Parallel()
	e := newEdge(t, sessiontest.New(t), newClock(), nil)
	for name, test := range map[string]struct {
		acr     string
		amr     []string
		wantACR string
		known   bool
	}{
		"nothing said":     {},
		"no method":        {amr: []string{}, known: true},
		"short":            {acr: "gold", amr: []string{"pwd"}, wantACR: "gold", known: true},
		"just so":          {acr: strings.Repeat("a", 128), amr: slices.Repeat([]string{"mmmmmm"}, 16), wantACR: strings.Repeat("a", 128), known: true},
		"a byte too many":  {acr: strings.Repeat("a", 129), amr: append(slices.Repeat([]string{"mmmmmm"}, 15), "mmmmmmm")},
		"far too much":     {acr: strings.Repeat("a", 1<<20), amr: slices.Repeat([]string{"pwd"}, 10_000)},
		"of the beginning": {acr: "gold" + strings.Repeat(" ", 200)},
	} {
		p := bob()
		p.ACR, p.AMR = test.acr, test.amr
		_, wiki := e.signIn(p)
		id := e.wiki(wiki).Caller.Identity
		want := test.amr
		if !test.known {
			want = nil
		}
		if id.ACR != test.wantACR || (id.AMR != nil) != test.known || !slices.Equal(id.AMR, want) {
			t.Errorf("%s: %q %q", name, id.ACR, id.AMR)
		}
	}
	p := bob()
	p.AuthTime = e.clock.now().Add(time.Minute) // by the provider's clock
	_, wiki := e.signIn(p)
	if at := e.wiki(wiki).Caller.Identity.AuthTime; !at.Equal(e.clock.now()) {
		t.Errorf("signed in at %v, it is %v", at, e.clock.now())
	}
	p.AuthTime = time.Time{}
	_, wiki = e.signIn(p)
	if at := e.wiki(wiki).Caller.Identity.AuthTime; !at.IsZero() {
		t.Errorf("signed in at %v, which nobody said", at)
	}
}

// The longest ticket that there can be is one that browsers keep.
func TestTheLongestTicket(t *testing.T) {
	t.Parallel()
	e := newEdge(t, sessiontest.New(t), newClock(), nil)
	p := person("bob", manyGroups(128)...)
	p.Email, p.Name = strings.Repeat("b", 244)+"@acme.test", strings.Repeat("n", 256)
	p.ACR, p.AMR = strings.Repeat("a", 128), slices.Repeat([]string{"mmmmmm"}, 16)
	p.Asked = &edgev1.SignInAsked{AtMs: 1 << 62, MaxAgeMs: 1 << 62}
	for i := range 12 {
		p.Asked.Lists = append(p.Asked.Lists, fmt.Appendf(nil, "%08d", i))
	}
	auth, wiki := e.signIn(p)
	b := e.raise(e.auth(auth), p)
	for name, cookie := range map[string]string{"wiki": wiki, "raised": b.Cookie.Value, "handed on": e.attach(b.Known, "wiki", wikiHost)} {
		if len(cookie) > 3800 {
			t.Errorf("%s: the cookie has %d bytes", name, len(cookie))
		}
	}
}
