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
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// ErrEnded says that a Session that was to be carried to another host is over.
var ErrEnded = errors.New("the session has ended")

// defaultLimits are for a tenant that says nothing, which the control plane does not let happen.
var defaultLimits = snapshot.Limits{Absolute: 12 * time.Hour, Idle: time.Hour}

// Begun is a new host session.
type Begun struct {
	Cookie *http.Cookie
	Caller *exchange.Caller
	// Person is what a hand-off carries to another host.
	Person *edgev1.PersonSession
}

// Begin makes a Session of a completed sign-in, and its first host session. It works without the store; if there is one,
// it has the record before the browser goes on, because a hand-off does not carry all groups of somebody who has many.
func (s *Sessions) Begin(ctx context.Context, site *snapshot.Site, host string, who Person, ip netip.Addr, now time.Time) (*Begun, error) {
	limits := site.Session
	if limits.Absolute <= 0 || limits.Idle <= 0 {
		limits = defaultLimits
	}
	groups := who.Groups
	if len(groups) > MaxGroups {
		groups, who.GroupsComplete = groups[:MaxGroups], false
	}
	email := who.Email
	if len(email) > maxEmail {
		email, who.EmailVerified = "", false
	}
	p := &edgev1.PersonSession{
		Sid: make([]byte, 16), Principal: principal(site.TenantUID, who.Issuer, who.Subject), IdpUid: who.IDPUID,
		Email: email, EmailVerified: who.EmailVerified, Name: cut(who.Name, maxName),
		Groups: hashGroups(site.TenantUID, who.IDPUID, groups), GroupsOverflow: !who.GroupsComplete,
		Acr: cut(who.ACR, maxACR), Amr: cutAll(who.AMR, maxAMR), BeganMs: now.UnixMilli(), ClaimsAtMs: now.UnixMilli(),
		IdleMs: limits.Idle.Milliseconds(), ExpireMs: now.Add(limits.Absolute).UnixMilli(),
		UrgentAtMint: site.Version.Urgent, LineageAtMint: site.Version.UrgentLineage, HomeRegion: s.cfg.Region,
	}
	rand.Read(p.Sid)
	if !who.AuthTime.IsZero() {
		p.AuthTimeMs = who.AuthTime.UnixMilli()
	}
	b, o, err := s.put(site, nil, host, p, now)
	if err != nil {
		return nil, err
	}
	s.report(site, edgev1.SessionEventKind_SESSION_EVENT_KIND_BEGUN, o.sid(), p, host, ip, now, "")
	s.writeBack(ctx, site, o)
	return b, nil
}

// Attach makes a host session of a Session that began elsewhere. It refuses one that is known to be over; it works
// without the store, like everything about signing in.
func (s *Sessions) Attach(ctx context.Context, site *snapshot.Site, app *snapshot.App, host string, p *edgev1.PersonSession, now time.Time) (*Begun, error) {
	if site.Keys.Ticket == nil {
		return nil, errNoKey
	}
	o := &opened{tenant: site.TenantUID, pool: site.Pool.UID, host: host, ticket: &edgev1.Ticket{Session: p}, live: &live{}}
	if s.over(o, site, app, now) != "" {
		return nil, ErrEnded
	}
	f, err := s.store.load(ctx, site.Keys.Redis, o.tenant, o.sid(), o.hash)
	if err == nil && f.sessionEnded {
		s.learnEnded(o.tenant, o.sid(), o.sid())
		return nil, ErrEnded
	}
	full := p
	if err == nil && f.session != nil {
		o.live.learn(p)
		o.live.learn(f.session.Session)
		full = o.live.person.Load()
	}
	b, o, err := s.put(site, app, host, full, now)
	if err != nil {
		return nil, err
	}
	s.later(func(ctx context.Context) { s.writeBack(ctx, site, o) })
	return b, nil
}

// put makes a cookie and remembers what is behind it, so that the request that follows is warm.
func (s *Sessions) put(site *snapshot.Site, app *snapshot.App, host string, p *edgev1.PersonSession, now time.Time) (*Begun, *opened, error) {
	value, o := s.seal(site, host, newID(), p, now)
	if o == nil {
		return nil, nil, errNoKey
	}
	o.live = &live{}
	o.live.see(now)
	o.live.learn(p)
	o.live.confirmed.Store(now.UnixMilli())
	s.hosts.Set(o.hash, o.live)
	s.opened.Set(sha256.Sum256([]byte(value)), o)
	return &Begun{Cookie: newCookie(value, 0), Caller: s.caller(site, app, o), Person: o.ticket.Session}, o, nil
}
