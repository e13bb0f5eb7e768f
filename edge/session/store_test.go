package session_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// stored counts what the store holds of acme's session.
func stored(t *testing.T, c redis.UniversalClient, sid string) (records int) {
	t.Helper()
	n, err := c.Exists(context.Background(), "sp:s:"+acme+":"+sid).Result()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func TestAWarmRequestAsksNobody(t *testing.T) {
	t.Parallel()
	w := newWire(t, redisAddr(t))
	e := newEdge(t, sessiontest.New(t), newClock(), dial(t, w.addr))
	_, wiki := e.signIn(bob())
	r := e.wiki(wiki)
	eventually(t, "the records are written", func() bool { return stored(t, dial(t, redisAddr(t)), r.Caller.SessionID) == 1 })
	// Only the probe still talks: hold everything back, and nobody notices for as long as the session is warm.
	w.hold()
	for range 1000 {
		began := time.Now()
		e.wants(e.wiki(wiki), session.Live, "")
		if took := time.Since(began); took > budget/2 {
			t.Fatalf("a warm request took %v", took)
		}
	}
	if got := e.Stats(); got.Carried != 0 || got.Misses != 0 || got.Hits != 1001 || got.Remembered != 2 {
		t.Errorf("asked the store: %+v", got)
	}
	w.release()
	e.clock.add(3 * time.Minute)
	e.wants(e.wiki(wiki), session.Live, "")
	if got := e.Stats(); got.Misses != 1 || got.Hits != 1001 || got.Errors != 0 {
		t.Errorf("after three minutes: %+v", got)
	}
}

func TestOtherEdgesOfTheRegionLearnOfUse(t *testing.T) {
	t.Parallel()
	e := setup(t)
	mate := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
	_, wiki := e.signIn(bob())
	mate.wants(mate.wiki(wiki), session.Live, "")
	client := dial(t, redisAddr(t))
	// An hour and a half at one edge only, always with the first cookie.
	for range 9 {
		e.clock.add(10 * time.Minute)
		before := e.clock.now()
		e.wants(e.wiki(wiki), session.Live, "")
		// The use is written in the background.
		e.clock.add(31 * time.Second)
		eventually(t, "the use is stored", func() bool {
			e.wants(e.wiki(wiki), session.Live, "")
			return e.storedUse(t, client, wiki).After(before)
		})
	}
	mate.wants(mate.wiki(wiki), session.Live, "")
}

func TestBeforeIdleIsSaidTheStoreIsAsked(t *testing.T) {
	t.Parallel()
	e := setup(t)
	sessiontest.Edit(e.world, acme, "wiki", func(a *edgev1.App) { a.Session = sessiontest.Limits(time.Hour, time.Minute) })
	mate := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
	_, wiki := e.signIn(bob())
	e.wants(e.wiki(wiki), session.Live, "")
	mate.wants(mate.wiki(wiki), session.Live, "")
	client := dial(t, redisAddr(t))
	e.clock.add(50 * time.Second)
	used := e.clock.now()
	eventually(t, "the use is stored", func() bool {
		mate.wants(mate.wiki(wiki), session.Live, "")
		return !e.storedUse(t, client, wiki).Before(used)
	})
	// Here it was last used 61 s ago, and the store was asked not long ago.
	e.clock.add(11 * time.Second)
	e.wants(e.wiki(wiki), session.Live, "")
	e.clock.add(time.Minute)
	e.wants(e.wiki(wiki), session.Anonymous, "identity.expired")
}

func TestUseOfAnAppKeepsTheAuthHostsSession(t *testing.T) {
	t.Parallel()
	e := setup(t)
	auth, wiki := e.signIn(bob())
	r := e.wiki(wiki)
	client := dial(t, redisAddr(t))
	for range 9 {
		e.clock.add(10 * time.Minute)
		e.wants(e.wiki(wiki), session.Live, "")
		e.clock.add(31 * time.Second)
		before := e.clock.now().Add(-time.Minute)
		eventually(t, "the use is stored", func() bool {
			e.wants(e.wiki(wiki), session.Live, "")
			return e.storedSession(t, client, r.Caller.SessionID).After(before)
		})
	}
	e.wants(e.auth(auth), session.Live, "")
}

func TestTheStoreIsDown(t *testing.T) {
	t.Parallel()
	w := newWire(t, redisAddr(t))
	e := newEdge(t, sessiontest.New(t), newClock(), dial(t, w.addr))
	_, wiki := e.signIn(bob())
	e.wants(e.wiki(wiki), session.Live, "")
	sessiontest.Edit(e.world, acme, "wiki", func(a *edgev1.App) { a.SessionStoreGrace.Seconds = 20 * 60 })
	w.setCut(true)
	eventually(t, "the edge sees it", func() bool { return e.Ready() != nil })
	down := e.clock.now()

	// Known or not, whoever has a good ticket goes on, and nobody's cookie is touched.
	for e.clock.now().Sub(down) < 20*time.Minute {
		e.clock.add(time.Minute)
		if r := e.wiki(wiki); r.State != session.Live || r.SetCookie != nil {
			t.Fatalf("after %v: %+v", e.clock.now().Sub(down), r)
		}
	}
	// New sign-ins work.
	auth2, wiki2 := e.signIn(alice())
	e.wants(e.wiki(wiki2), session.Live, "")
	e.wants(e.auth(auth2), session.Live, "")
	// An edge that has just started knows the store only from tickets.
	cold := newEdge(t, e.world, e.clock, dial(t, w.addr))
	cold.wants(cold.wiki(wiki2), session.Live, "")

	// The grace ends. That is no sign-out: it is "cannot tell".
	e.clock.add(2 * time.Minute)
	for range 3 {
		r := e.wiki(wiki)
		e.wants(r, session.Unavailable, "unavailable.session_store")
		if r.SetCookie != nil || r.Err == nil {
			t.Errorf("%+v", r)
		}
	}
	cold.wants(cold.wiki(wiki), session.Unavailable, "unavailable.session_store")
	e.wants(e.wiki(wiki2), session.Live, "") // signed in during the outage
	if len(e.ended) != 0 {
		t.Error("somebody was signed out")
	}
	if got := e.Stats(); got.Errors == 0 || got.Carried == 0 || got.Unavailable != 3 {
		t.Errorf("%+v", got)
	}

	w.setCut(false)
	eventually(t, "it is back", func() bool { return e.Ready() == nil && cold.Ready() == nil })
	e.wants(e.wiki(wiki), session.Live, "")
	cold.wants(cold.wiki(wiki), session.Live, "")
	if r := e.wiki(wiki); r.SetCookie == nil {
		t.Error("the ticket is old, and not renewed")
	}
	// The record of whoever signed in meanwhile is written once they are seen again.
	r2 := e.wiki(wiki2)
	e.clock.add(3 * time.Minute)
	e.wants(e.wiki(wiki2), session.Live, "")
	eventually(t, "the record is written", func() bool { return stored(t, dial(t, redisAddr(t)), r2.Caller.SessionID) == 1 })
}

func TestTheStoreHangs(t *testing.T) {
	t.Parallel()
	w := newWire(t, redisAddr(t))
	e := newHurriedEdge(t, sessiontest.New(t), newClock(), dial(t, w.addr), 100*time.Millisecond)
	var cookies []string
	for i := range 50 {
		_, wiki := e.signIn(person(fmt.Sprint("p", i), "engineering"))
		cookies = append(cookies, wiki)
	}
	w.hold()
	e.clock.add(5 * time.Minute) // nobody is warm
	began := time.Now()
	var all sync.WaitGroup
	for _, c := range cookies {
		all.Go(func() {
			if r := e.wiki(c); r.State != session.Live {
				t.Errorf("state %v", r.State)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("50 requests at once took %v: the budget of one is 100 ms", took)
	}
	began = time.Now()
	for range 20 {
		for _, c := range cookies {
			e.wants(e.wiki(c), session.Live, "")
		}
	}
	if took := time.Since(began) / 1000; took > 5*time.Millisecond {
		t.Errorf("with the breaker open a request takes %v", took)
	}
	w.release()
	eventually(t, "it is back", func() bool { return e.Ready() == nil })
}

func TestTheStoreIsFlushed(t *testing.T) {
	t.Parallel()
	// A database of its own: nobody else must lose anything.
	c := redis.NewClient(&redis.Options{Addr: redisAddr(t), DB: 8})
	t.Cleanup(func() { c.Close() })
	e := newEdge(t, sessiontest.New(t), newClock(), c)
	auth, wiki := e.signIn(bob())
	goneAuth, goneWiki := e.signIn(alice())
	e.enforced.Store(true)
	e.End(context.Background(), e.site(), e.wiki(goneWiki), session.OfEverything, client, e.clock.now())
	e.clock.add(3 * time.Minute)
	if err := c.FlushDB(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	r := e.wiki(wiki)
	e.wants(r, session.Live, "")
	e.wants(e.auth(auth), session.Live, "")
	eventually(t, "the record is written again", func() bool { return stored(t, c, r.Caller.SessionID) == 1 })
	// Whoever signed out stays out here, without store or control plane …
	e.wants(e.wiki(goneWiki), session.Ended, "identity.revoked")
	e.wants(e.auth(goneAuth), session.Ended, "identity.revoked")
	// … and, as soon as the control plane has said it, at an edge that never heard of it.
	e.world.Revoke(acme, "session:"+e.lastEnd().Sid)
	cold := newEdge(t, e.world, e.clock, c)
	cold.wants(cold.wiki(goneWiki), session.Ended, "identity.revoked")
	cold.wants(cold.wiki(wiki), session.Live, "")
}

func TestAValueBelongsToItsKey(t *testing.T) {
	t.Parallel()
	e := setup(t)
	client, ctx := dial(t, redisAddr(t)), context.Background()
	_, bobs := e.signIn(person("bob", manyGroups(300)...))
	_, alices := e.signIn(person("alice"))
	b, a := e.wiki(bobs), e.wiki(alices)
	eventually(t, "the records are written", func() bool {
		return stored(t, client, a.Caller.SessionID)+stored(t, client, b.Caller.SessionID) == 2
	})
	// Whoever can write to the store gives bob alice's Session.
	value, err := client.Get(ctx, "sp:s:"+acme+":"+a.Caller.SessionID).Result()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(value, "alice") {
		t.Error("the store's copy can be read")
	}
	if err := client.Set(ctx, "sp:s:"+acme+":"+b.Caller.SessionID, value, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	cold := newEdge(t, e.world, e.clock, client)
	r := cold.wiki(bobs)
	cold.wants(r, session.Live, "")
	if r.Caller.Email != "bob@acme.test" || cold.Stats().Foreign == 0 {
		t.Errorf("%+v, %+v", r.Caller, cold.Stats())
	}
}

func TestEndings(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("of everything", func(t *testing.T) {
		t.Parallel()
		e := setup(t)
		mate := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
		auth, wiki := e.signIn(bob())
		r := e.wiki(wiki)
		mate.wants(mate.wiki(wiki), session.Live, "")
		e.enforced.Store(true)
		if !e.End(ctx, e.site(), r, session.OfEverything, client, e.clock.now()) {
			t.Error("the control plane enforces it, and we do not say so")
		}
		// Here at once, on all hosts, though warm.
		e.wants(e.wiki(wiki), session.Ended, "identity.revoked")
		e.wants(e.auth(auth), session.Ended, "identity.revoked")
		if ok, _ := e.Alive(e.site(), e.app("wiki"), r.Caller, e.clock.now()); ok {
			t.Error("an open stream lives on")
		}
		if !slices.Contains(e.ended, r.Caller.SessionID) {
			t.Error("nobody was told")
		}
		// At the region's other edge as soon as it asks the store.
		e.clock.add(40 * time.Second)
		mate.wiki(wiki)
		eventually(t, "the other edge learns it", func() bool { return mate.wiki(wiki).State == session.Ended })
		mate.wants(mate.auth(auth), session.Ended, "identity.revoked")
		if !slices.Contains(mate.ended, r.Caller.SessionID) {
			t.Error("the other edge told nobody")
		}
		// One that has just started asks before it lets anybody in.
		cold := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
		cold.wants(cold.wiki(wiki), session.Ended, "identity.revoked")
		// In another region the control plane says it.
		us := newEdge(t, e.world, e.clock, nil)
		us.wants(us.wiki(wiki), session.Live, "")
		// Nothing can be attached to it any more.
		another := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
		if _, err := another.Attach(ctx, e.site(), e.app("api"), apiHost, r.Known(), e.clock.now()); !errors.Is(err, session.ErrEnded) {
			t.Errorf("attached to a dead session: %v", err)
		}
		e.world.Revoke(acme, "session:"+r.Caller.SessionID)
		us.wants(us.wiki(wiki), session.Ended, "identity.revoked")
		last := e.lastEnd()
		if last.Kind != edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED || last.Sid != r.Caller.SessionID || last.Reason != "signed_out" ||
			!last.ExpireTime.AsTime().Equal(start.Add(12*time.Hour)) {
			t.Errorf("event %v", last)
		}
	})
	t.Run("of this app", func(t *testing.T) {
		t.Parallel()
		e := setup(t)
		auth, wiki := e.signIn(bob())
		r := e.wiki(wiki)
		e.End(ctx, e.site(), r, session.OfThisHost, client, e.clock.now())
		e.wants(e.wiki(wiki), session.Ended, "identity.revoked")
		e.wants(e.auth(auth), session.Live, "")
		cold := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
		cold.wants(cold.wiki(wiki), session.Ended, "identity.revoked")
		cold.wants(cold.auth(auth), session.Live, "")
		if last := e.lastEnd(); last.Sid != r.Caller.HostSession {
			t.Errorf("event %v", last)
		}
		// Another cookie on the same host is another host session.
		again := e.attach(e.auth(auth).Known(), "wiki", wikiHost)
		e.wants(e.wiki(again), session.Live, "")
	})
	t.Run("with the store down", func(t *testing.T) {
		t.Parallel()
		w := newWire(t, redisAddr(t))
		e := newEdge(t, sessiontest.New(t), newClock(), dial(t, w.addr))
		_, wiki := e.signIn(bob())
		r := e.wiki(wiki)
		w.setCut(true)
		eventually(t, "the edge sees it", func() bool { return e.Ready() != nil })
		e.offline.Store(true)
		if e.End(ctx, e.site(), r, session.OfEverything, client, e.clock.now()) {
			t.Error("says everywhere, and nobody answered")
		}
		e.wants(e.wiki(wiki), session.Ended, "identity.revoked")
		if e.Stats().Waiting != 1 {
			t.Errorf("%+v", e.Stats())
		}
		w.setCut(false)
		eventually(t, "the tombstone is written", func() bool { return e.Stats().Waiting == 0 && e.Ready() == nil })
		cold := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
		cold.wants(cold.wiki(wiki), session.Ended, "identity.revoked")
	})
	t.Run("when its time was up", func(t *testing.T) {
		t.Parallel()
		e := setup(t)
		_, wiki := e.signIn(bob())
		e.clock.add(12*time.Hour + time.Minute)
		// A clock that is a minute behind would still let it in.
		e.End(ctx, e.site(), e.wiki(wiki), session.OfThisHost, client, e.clock.now())
		if last := e.lastEnd(); last == nil {
			t.Error("the end was not reported")
		}
		n := e.reported(edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED)
		e.clock.add(time.Minute)
		r := e.wiki(wiki)
		if !r.Endable() || !e.End(ctx, e.site(), r, session.OfEverything, client, e.clock.now()) {
			t.Error("a session that no clock lets in is over everywhere, and we do not say so")
		}
		if e.reported(edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED) != n {
			t.Error("an end was reported of what is over: it would be revoked for nothing")
		}
	})
	t.Run("with the clock put back", func(t *testing.T) {
		t.Parallel()
		e := setup(t)
		mate := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
		_, wiki := e.signIn(bob())
		e.wants(e.wiki(wiki), session.Live, "")
		e.clock.add(-time.Hour)
		mate.End(ctx, e.site(), mate.wiki(wiki), session.OfEverything, client, e.clock.now())
		// What the store said an hour from now is no reason not to ask it.
		e.wants(e.wiki(wiki), session.Ended, "identity.revoked")
	})
	t.Run("racing with use", func(t *testing.T) {
		t.Parallel()
		e := setup(t)
		var cookies []string
		for i := range 20 {
			_, wiki := e.signIn(person(fmt.Sprint("p", i)))
			cookies = append(cookies, wiki)
		}
		var all sync.WaitGroup
		for _, c := range cookies {
			for range 20 {
				all.Go(func() { e.wiki(c) })
			}
			all.Go(func() {
				e.End(ctx, e.site(), e.wiki(c), session.OfEverything, client, e.clock.now())
				if got := e.wiki(c).State; got != session.Ended {
					t.Errorf("after its end: %v", got)
				}
			})
		}
		all.Wait()
		for _, c := range cookies {
			e.wants(e.wiki(c), session.Ended, "identity.revoked")
		}
	})
}

func manyGroups(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("group-%04d", i))
	}
	return list
}

func TestManyGroups(t *testing.T) {
	t.Parallel()
	w := newWire(t, redisAddr(t))
	e := newEdge(t, sessiontest.New(t), newClock(), dial(t, w.addr))
	p := person("bob", append(manyGroups(1999), "engineering")...)
	p.Email, p.Name = strings.Repeat("b", 244)+"@acme.test", strings.Repeat("é", 300)
	p.ACR, p.AMR = strings.Repeat("a", 500), slices.Repeat([]string{"pwd"}, 100)
	_, wiki := e.signIn(p)
	if len(wiki) > 3800 {
		t.Errorf("the cookie has %d bytes", len(wiki))
	}
	r := e.wiki(wiki)
	if id := r.Caller.Identity; !id.GroupsComplete || !slices.Equal(id.Groups, []string{"engineering"}) {
		t.Errorf("where it was made: %+v", id)
	}
	eventually(t, "the record is written", func() bool { return stored(t, dial(t, redisAddr(t)), r.Caller.SessionID) == 1 })

	// An edge of the region reads them all; one without the store knows what policies mentioned when the ticket was sealed.
	mate := newEdge(t, e.world, e.clock, dial(t, redisAddr(t)))
	lone := newEdge(t, e.world, e.clock, nil)
	if id := mate.wiki(wiki).Caller.Identity; !id.GroupsComplete || !slices.Equal(id.Groups, []string{"engineering"}) {
		t.Errorf("in the region: %+v", id)
	}
	if id := lone.wiki(wiki).Caller.Identity; id.GroupsComplete || !slices.Equal(id.Groups, []string{"engineering"}) || !slices.Equal(id.GroupsAbsent, []string{"admins"}) {
		t.Errorf("without the store: %+v", id)
	}
	// Now a policy asks about others.
	for _, g := range []string{"group-0007", "group-none"} {
		e.world.Put(acme, &edgev1.Group{Id: g, Uid: g, Members: []*edgev1.GroupMember{{Member: &edgev1.GroupMember_IdpGroup{IdpGroup: &edgev1.IdpGroup{Idp: "demo", Name: g}}}}})
	}
	if id := mate.wiki(wiki).Caller.Identity; !id.GroupsComplete || !slices.Equal(id.Groups, []string{"engineering", "group-0007"}) {
		t.Errorf("in the region, newly mentioned: %+v", id)
	}
	if id := lone.wiki(wiki).Caller.Identity; id.GroupsComplete || !slices.Equal(id.Groups, []string{"engineering"}) || !slices.Equal(id.GroupsAbsent, []string{"admins"}) {
		t.Errorf("without the store, newly mentioned ones are neither there nor absent: %+v", id)
	}
	if a, b := mate.wiki(wiki).Caller, e.wiki(wiki).Caller; a.Version != b.Version {
		t.Error("two edges name the same claims differently")
	}
}

func TestFewGroupsNeedNoStore(t *testing.T) {
	t.Parallel()
	e := newEdge(t, sessiontest.New(t), newClock(), nil)
	_, wiki := e.signIn(person("bob", append(manyGroups(120), "engineering")...))
	lone := newEdge(t, e.world, e.clock, nil)
	before := lone.wiki(wiki).Caller
	if !before.Identity.GroupsComplete || !slices.Equal(before.Identity.Groups, []string{"engineering"}) {
		t.Errorf("%+v", before.Identity)
	}
	e.world.Put(acme, &edgev1.Group{Id: "seven", Uid: "g7", Members: []*edgev1.GroupMember{{Member: &edgev1.GroupMember_IdpGroup{IdpGroup: &edgev1.IdpGroup{Idp: "demo", Name: "group-0007"}}}}})
	after := lone.wiki(wiki).Caller
	if !slices.Equal(after.Identity.Groups, []string{"engineering", "group-0007"}) || after.Version == before.Version {
		t.Errorf("%+v", after.Identity)
	}
	// A change that says nothing about this person makes no new caller.
	sessiontest.Edit(e.world, acme, "wiki", func(a *edgev1.App) { a.DisplayName = "Another name" })
	if lone.wiki(wiki).Caller != after {
		t.Error("another caller for the same claims")
	}
}

func TestAStoreThatEvictsIsRefused(t *testing.T) {
	t.Parallel()
	for policy, ok := range map[string]bool{"noeviction": true, "volatile-ttl": true, "allkeys-lru": false, "volatile-lru": false, "allkeys-random": false} {
		e := newEdge(t, sessiontest.New(t), newClock(), dial(t, fakeRedis(t, policy)))
		err := e.CheckStore(context.Background())
		var evicts *session.EvictionError
		if ok != (err == nil) || !ok && !errors.As(err, &evicts) {
			t.Errorf("%s: %v", policy, err)
		}
	}
	// One that is not there is no reason not to start.
	w := newWire(t, "127.0.0.1:1")
	if err := newEdge(t, sessiontest.New(t), newClock(), dial(t, w.addr)).CheckStore(context.Background()); err != nil {
		t.Error(err)
	}
}

// fakeRedis answers INFO and nothing else: the real one's policy is everybody's.
func fakeRedis(t *testing.T, policy string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answer(c, policy)
		}
	}()
	return l.Addr().String()
}

func answer(c net.Conn, policy string) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		var n int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
			return
		}
		var words []string
		for range n {
			var size int
			if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
				return
			}
			word := make([]byte, size+2)
			if _, err := io.ReadFull(in, word); err != nil {
				return
			}
			words = append(words, strings.ToUpper(string(word[:size])))
		}
		switch words[0] {
		case "INFO":
			text := "# Memory\r\nmaxmemory_policy:" + policy + "\r\n"
			fmt.Fprintf(c, "$%d\r\n%s\r\n", len(text), text)
		case "PING":
			fmt.Fprint(c, "+PONG\r\n")
		default:
			fmt.Fprint(c, "-ERR unknown command\r\n")
		}
	}
}
