package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// grace is the wiki's in these tests. The auth host has one of an hour.
const grace = 10 * time.Minute

// strict is an edge whose wiki has a short grace, behind a wire that can be cut.
func strict(t *testing.T) (*edge, *wire) {
	t.Helper()
	w := newWire(t, redisAddr(t))
	e := newEdge(t, sessiontest.New(t), newClock(), dial(t, w.addr))
	sessiontest.Edit(e.world, acme, "wiki", func(a *edgev1.App) { a.SessionStoreGrace.Seconds = int64(grace / time.Second) })
	return e, w
}

func (e *edge) refuses(k session.Known) {
	e.t.Helper()
	_, err := e.Attach(context.Background(), e.site(), e.app("wiki"), wikiHost, k, e.clock.now())
	var unknown *session.UnavailableError
	if !errors.As(err, &unknown) || unknown.Reason != "unavailable.session_store" {
		e.t.Fatalf("the app's grace is over, and a hand-off gets %v", err)
	}
}

// The auth host carries its session for an hour. What it hands to an app is worth what the app's own cookie would be.
func TestAHandOffDoesNotStretchTheGrace(t *testing.T) {
	t.Parallel()
	e, w := strict(t)
	auth, wiki := e.signIn(bob())
	w.setCut(true)
	eventually(t, "the edge sees it", func() bool { return e.Ready() != nil })

	e.clock.add(grace - time.Minute)
	second := e.attach(e.auth(auth).Known(), "wiki", wikiHost)
	e.wants(e.wiki(second), session.Live, "")
	e.clock.add(2 * time.Minute)
	e.wants(e.wiki(wiki), session.Unavailable, "unavailable.session_store")
	e.wants(e.wiki(second), session.Unavailable, "unavailable.session_store")
	r := e.auth(auth)
	e.wants(r, session.Live, "") // by its own grace
	before := e.Stats().Unavailable
	e.refuses(r.Known())
	if got := e.Stats().Unavailable - before; got != 1 {
		t.Errorf("%d requests are counted as not carried", got)
	}
	e.attach(r.Known(), "api", apiHost) // whose grace is an hour as well

	// The provider has just said that it is them: that is news.
	_, anew := e.signIn(alice())
	e.wants(e.wiki(anew), session.Live, "")
	e.clock.add(grace + time.Minute)
	e.wants(e.wiki(anew), session.Unavailable, "unavailable.session_store")

	w.setCut(false)
	eventually(t, "it is back", func() bool { return e.Ready() == nil })
	e.wants(e.wiki(second), session.Live, "")
	e.wants(e.wiki(e.attach(e.auth(auth).Known(), "wiki", wikiHost)), session.Live, "")
}

// An edge that has never seen the store knows no more than it is told, however often the Session changes hosts.
func TestAnEdgeThatKnowsNothingAddsNothing(t *testing.T) {
	t.Parallel()
	e, w := strict(t)
	auth, _ := e.signIn(bob())
	e.clock.add(30 * time.Minute)
	asked := e.clock.now()
	handed := e.auth(auth).Known()
	if !handed.AliveAt.Equal(asked) {
		t.Errorf("the store was asked at %v; handed on is %v", asked, handed.AliveAt)
	}
	w.setCut(true)
	cold := newEdge(t, e.world, e.clock, dial(t, w.addr))
	e.clock.add(grace - time.Minute)
	begun, err := cold.Attach(context.Background(), e.site(), e.app("wiki"), wikiHost, handed, e.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	if !begun.Known.AliveAt.Equal(asked) {
		t.Errorf("handed on again it is alive since %v, want %v", begun.Known.AliveAt, asked)
	}
	cold.wants(cold.wiki(begun.Cookie.Value), session.Live, "")
	for _, at := range []time.Duration{2 * time.Minute, 20 * time.Minute} {
		e.clock.add(at)
		cold.refuses(handed)
		cold.refuses(begun.Known)
		cold.wants(cold.wiki(begun.Cookie.Value), session.Unavailable, "unavailable.session_store")
	}
	// Neither does a clock that is ahead, nor a hand-off that does not say.
	cold.refuses(session.Known{Person: handed.Person})
	ahead := session.Known{Person: handed.Person, AliveAt: e.clock.now().Add(24 * time.Hour)}
	cookie := cold.attach(ahead, "wiki", wikiHost)
	e.clock.add(grace + time.Minute)
	cold.wants(cold.wiki(cookie), session.Unavailable, "unavailable.session_store")
}

// While the store answers, tickets are kept young enough that a later outage finds a whole grace.
func TestTicketsSayWhenTheStoreWasAsked(t *testing.T) {
	t.Parallel()
	e, w := strict(t)
	auth, _ := e.signIn(bob())
	w.setCut(true)
	eventually(t, "the edge sees it", func() bool { return e.Ready() != nil })
	e.clock.add(grace - time.Minute)
	wiki := e.attach(e.auth(auth).Known(), "wiki", wikiHost)
	w.setCut(false)
	eventually(t, "it is back", func() bool { return e.Ready() == nil })
	r := e.wiki(wiki)
	e.wants(r, session.Live, "")
	if r.SetCookie == nil {
		t.Fatal("the ticket says that nothing is known for nine minutes, and is not renewed")
	}
	if again := e.wiki(r.SetCookie.Value); again.SetCookie != nil {
		t.Error("renewed with every request")
	}
	w.setCut(true)
	cold := newEdge(t, e.world, e.clock, dial(t, w.addr))
	e.clock.add(grace - time.Minute)
	cold.wants(cold.wiki(wiki), session.Unavailable, "unavailable.session_store")
	cold.wants(cold.wiki(r.SetCookie.Value), session.Live, "")
}
