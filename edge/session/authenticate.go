package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// State is what a cookie is.
type State int

const (
	// Anonymous: no cookie, or one that says nothing any more (Reason: identity.none, identity.expired).
	Anonymous State = iota
	// Live: a person.
	Live
	// Ended: positively over (Reason: identity.revoked, identity.disabled).
	Ended
	// Unavailable: it cannot be said now (Reason: unavailable.*, Err). Never to be read as "no session".
	Unavailable
)

// Result is what Authenticate found out.
type Result struct {
	State  State
	Caller *exchange.Caller // if Live; the same pointer as long as its claims are the same
	// SetCookie carries a newer ticket. It goes onto answers of ours, and onto answers of upstreams that no cache keeps.
	SetCookie *http.Cookie
	Reason    policy.Reason
	Err       error // if Unavailable; for the log

	opened *opened
}

// Known is the Session, as a hand-off carries it; zero unless Live.
func (r Result) Known() Known {
	if r.State != Live {
		return Known{}
	}
	return Known{r.opened.live.person.Load(), r.opened.aliveAt()}
}

// Endable says whether the cookie stands for a session that End can end.
func (r Result) Endable() bool { return r.opened != nil }

// Times are those of a live session.
type Times struct {
	Began, Seen, Expire time.Time
	Idle                time.Duration
}

// Times says when the session began, was used, and ends; zero unless Live.
func (r Result) Times(site *snapshot.Site, app *snapshot.App) Times {
	if r.State != Live {
		return Times{}
	}
	o := r.opened
	return Times{instant(o.ticket.Session.BeganMs), o.live.seenAt(), o.expires(site, app), o.idleLimit(site, app)}
}

// Authenticate says whose a cookie is. app is nil on the auth host. A cookie that was seen lately costs no I/O.
func (s *Sessions) Authenticate(ctx context.Context, site *snapshot.Site, app *snapshot.App, host, cookie string, ip netip.Addr, now time.Time) Result {
	r := s.look(ctx, site, app, host, cookie, now)
	if r.State != Live {
		return r
	}
	o := r.opened
	o.live.see(now)
	s.refresh(site, o, now)
	s.reportSeen(site, o, ip, now)
	r.SetCookie = s.renew(site, app, o, now)
	return r
}

// Peek is Authenticate that does not count as use of the session: being asked to sign in again is none.
func (s *Sessions) Peek(ctx context.Context, site *snapshot.Site, app *snapshot.App, host, cookie string, now time.Time) Result {
	r := s.look(ctx, site, app, host, cookie, now)
	if r.State == Live {
		s.refresh(site, r.opened, now)
	}
	return r
}

// look judges a cookie by what is known, and asks the store only where that is not enough.
func (s *Sessions) look(ctx context.Context, site *snapshot.Site, app *snapshot.App, host, cookie string, now time.Time) Result {
	if cookie == "" {
		return Result{Reason: "identity.none"}
	}
	if site.Keys.Ticket == nil {
		s.unavailable.Add(1)
		return Result{State: Unavailable, Reason: "unavailable.key", Err: errNoKey}
	}
	o := s.open(site, host, cookie)
	if o == nil {
		s.unreadable.Add(1)
		return Result{Reason: "identity.none"}
	}
	if reason := s.over(o, site, app, now); reason != "" {
		return gone(reason, o)
	}

	var err error
	age := o.live.age(now)
	confirmed := age <= stale
	// The second: the person may have been active at another edge since we last asked.
	if !confirmed || age > time.Second && o.idle(site, app, now) {
		s.misses.Add(1)
		err = s.confirm(ctx, site, o, now)
	} else {
		s.hits.Add(1)
	}
	if reason := s.over(o, site, app, now); reason != "" {
		return gone(reason, o)
	}
	if o.idle(site, app, now) {
		return gone("identity.expired", o)
	}
	if err != nil && !confirmed {
		if !s.carries(o, app, now) {
			s.unavailable.Add(1)
			return Result{State: Unavailable, Reason: unavailable(err), Err: err, opened: o}
		}
		s.carried.Add(1)
	}
	return Result{State: Live, Caller: s.caller(site, app, o), opened: o}
}

// unavailable is why the store's word cannot be had.
func unavailable(err error) policy.Reason {
	if errors.Is(err, errNoKey) {
		return policy.UnavailableKey
	}
	return policy.UnavailableSessionStore
}

func gone(reason policy.Reason, o *opened) Result {
	if reason == "identity.expired" {
		return Result{State: Anonymous, Reason: reason, opened: o}
	}
	return Result{State: Ended, Reason: reason, opened: o}
}

// open finds the cookie among those that were opened, or opens it.
func (s *Sessions) open(site *snapshot.Site, host, cookie string) *opened {
	if len(cookie) > maxCookie {
		return nil
	}
	var small [1024]byte // the usual cookie, without an allocation
	key := sha256.Sum256(append(small[:0], cookie...))
	if o, ok := s.opened.GetIfPresent(key); ok {
		// The cache knows the value, not where it is good: on another host it would not have opened.
		if o.tenant != site.TenantUID || o.pool != site.Pool.UID || o.host != host {
			return nil
		}
		// Keys that are gone open nothing any more, whatever they opened before.
		if o.key == site.Keys.Ticket {
			return o
		}
	}
	o := openCookie(site, host, cookie)
	if o == nil {
		s.opened.Invalidate(key)
		return nil
	}
	o.live = s.liveOf(o)
	s.opened.Set(key, o)
	return o
}

// confirm asks the store, and puts back what the store has lost.
func (s *Sessions) confirm(ctx context.Context, site *snapshot.Site, o *opened, now time.Time) error {
	sid := o.sid()
	f, err := s.store.load(ctx, site.Keys.Redis, o.tenant, sid, o.hash)
	if err != nil {
		return err
	}
	if f.sessionEnded {
		s.learnEnded(o.tenant, sid, sid)
		return nil
	}
	if f.hostEnded {
		s.learnEnded(o.tenant, o.hash.name(), sid)
		return nil
	}
	l := o.live
	l.confirmed.Store(now.UnixMilli())
	stored := int64(0)
	if f.host != nil {
		stored = f.host.SeenAtMs
		l.see(instant(stored))
	}
	sessionSeen := int64(0)
	if f.session != nil {
		sessionSeen = f.session.SeenAtMs
		l.learn(f.session.Session)
		if f.session.Session.ClaimsAtMs > l.person.Load().ClaimsAtMs {
			l.newer.Store(f.session.Session)
		}
		if o.host == site.AuthHost {
			l.see(instant(sessionSeen))
		}
	}
	l.storedHost.Store(stored)
	l.storedSession.Store(sessionSeen)
	if stored == 0 || sessionSeen == 0 {
		s.later(func(ctx context.Context) { s.writeBack(ctx, site, o) })
	}
	return nil
}

// refresh asks the store again once its word is a while ago, without anybody waiting for it, and brings it up to date.
func (s *Sessions) refresh(site *snapshot.Site, o *opened, now time.Time) {
	if age := o.live.age(now); age <= fresh || age > stale {
		return
	}
	if !o.live.refreshing.CompareAndSwap(false, true) {
		return
	}
	ok := s.later(func(ctx context.Context) {
		defer o.live.refreshing.Store(false)
		if s.confirm(ctx, site, o, s.cfg.Now()) == nil {
			s.writeBack(ctx, site, o)
		}
	})
	if !ok {
		o.live.refreshing.Store(false)
	}
}
