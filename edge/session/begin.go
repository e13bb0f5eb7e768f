package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// ErrEnded says that a Session that was to be carried to another host is over.
var ErrEnded = errors.New("the session has ended")

// UnavailableError says that it cannot be told now whether a Session is over. It is no word against it.
type UnavailableError struct {
	Reason policy.Reason
	Err    error
}

func (e *UnavailableError) Error() string {
	return "it cannot be told whether the session is alive: " + e.Err.Error()
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// Known is a Session and how fresh the knowledge of it is: what a hand-off carries to another host.
type Known struct {
	Person *edgev1.PersonSession
	// AliveAt is when the Session was alive for certain: at its sign-in, or when the store was asked. What could be missed
	// is an end since then, and going from host to host makes that no less.
	AliveAt time.Time
}

// defaultLimits are for a tenant that says nothing, which the control plane does not let happen.
var defaultLimits = snapshot.Limits{Absolute: 12 * time.Hour, Idle: time.Hour}

// Begun is a new host session.
type Begun struct {
	Cookie *http.Cookie
	Caller *exchange.Caller
	Known  Known
}

// Begin makes a Session of a completed sign-in, and its first host session. It works without the store; if there is one,
// it has the record before the browser goes on, because a hand-off does not carry all groups of somebody who has many.
func (s *Sessions) Begin(ctx context.Context, site *snapshot.Site, host string, who Person, ip netip.Addr, now time.Time) (*Begun, error) {
	limits := site.Session
	if limits.Absolute <= 0 || limits.Idle <= 0 {
		limits = defaultLimits
	}
	p := claimed(site, who, now)
	p.Sid = make([]byte, 16)
	rand.Read(p.Sid)
	p.BeganMs, p.IdleMs, p.ExpireMs = now.UnixMilli(), limits.Idle.Milliseconds(), now.Add(limits.Absolute).UnixMilli()
	p.UrgentAtMint, p.LineageAtMint, p.HomeRegion = site.Version.Urgent, site.Version.UrgentLineage, s.cfg.Region
	b, o, err := s.put(site, nil, host, Known{p, now}, now)
	if err != nil {
		return nil, err
	}
	o.live.confirmed.Store(now.UnixMilli())
	s.report(site, edgev1.SessionEventKind_SESSION_EVENT_KIND_BEGUN, o.sid(), p, host, ip, now, "")
	s.writeBack(ctx, site, o)
	return b, nil
}

// claimed is what a provider said, as a Session has it.
func claimed(site *snapshot.Site, who Person, now time.Time) *edgev1.PersonSession {
	groups := who.Groups
	if len(groups) > MaxGroups {
		groups, who.GroupsComplete = groups[:MaxGroups], false
	}
	email := who.Email
	if len(email) > maxEmail {
		email, who.EmailVerified = "", false
	}
	p := &edgev1.PersonSession{
		Principal: principal(site.TenantUID, who.Issuer, who.Subject), IdpUid: who.IDPUID,
		Email: email, EmailVerified: who.EmailVerified, Name: cut(who.Name, maxName),
		Groups: hashGroups(site.TenantUID, who.IDPUID, groups), GroupsOverflow: !who.GroupsComplete,
		Acr: knownACR(who.ACR), Asked: who.Asked, ClaimsAtMs: now.UnixMilli(),
	}
	p.Amr, p.AmrKnown = knownAMR(who.AMR)
	if !who.AuthTime.IsZero() {
		p.AuthTimeMs = min(who.AuthTime.UnixMilli(), now.UnixMilli()) // the provider's clock may be ahead
	}
	return p
}

// Attach makes a host session of a Session that began elsewhere. It refuses one that is known to be over (ErrEnded). While
// the store does not answer, the Session is carried as if its ticket had come with the request: for the app's grace since
// it was known to be alive, and no longer (UnavailableError).
func (s *Sessions) Attach(ctx context.Context, site *snapshot.Site, app *snapshot.App, host string, k Known, now time.Time) (*Begun, error) {
	if site.Keys.Ticket == nil {
		return nil, &UnavailableError{policy.UnavailableKey, errNoKey}
	}
	if k.AliveAt.After(now) {
		k.AliveAt = now // the clock of the edge that said so is ahead; that adds nothing to the grace
	}
	o := &opened{
		tenant: site.TenantUID, pool: site.Pool.UID, host: host, live: &live{},
		ticket: &edgev1.Ticket{Session: k.Person, AliveAtMs: k.AliveAt.UnixMilli()},
	}
	if s.over(o, site, app, now) != "" {
		return nil, ErrEnded
	}
	f, err := s.store.load(ctx, site.Keys.Redis, o.tenant, o.sid(), o.hash)
	switch {
	case err != nil && !s.carries(o, app, now):
		s.unavailable.Add(1)
		return nil, &UnavailableError{unavailable(err), err}
	case err != nil:
		s.carried.Add(1)
	case f.sessionEnded:
		s.learnEnded(o.tenant, o.sid(), o.sid())
		return nil, ErrEnded
	default:
		k.AliveAt = now
		if f.session != nil {
			o.live.learn(k.Person)
			o.live.learn(f.session.Session)
			k.Person = o.live.person.Load()
		}
	}
	b, o, failed := s.put(site, app, host, k, now)
	if failed != nil {
		return nil, failed
	}
	if err == nil {
		o.live.confirmed.Store(now.UnixMilli())
	}
	s.later(func(ctx context.Context) { s.writeBack(ctx, site, o) })
	return b, nil
}

// put makes a cookie and remembers what is behind it. Whether the store has confirmed it is the caller's to say.
func (s *Sessions) put(site *snapshot.Site, app *snapshot.App, host string, k Known, now time.Time) (*Begun, *opened, error) {
	value, o := s.seal(site, host, newID(), k, now)
	if o == nil {
		return nil, nil, errNoKey
	}
	o.live = &live{}
	o.live.see(now)
	o.live.learn(k.Person)
	s.hosts.Set(o.hash, o.live)
	s.opened.Set(sha256.Sum256([]byte(value)), o)
	return &Begun{Cookie: newCookie(value, 0), Caller: s.caller(site, app, o), Known: Known{o.ticket.Session, k.AliveAt}}, o, nil
}
