package session

import (
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// pass remembers that a session was found alive under exactly these facts, which are compared by pointer: a new
// snapshot, with whatever was revoked in it, is a new site.
type pass struct {
	site    *snapshot.Site
	app     *snapshot.App
	endings int64
}

// over says why a session has ended, from what is here: no I/O. "" means that nothing says so.
func (s *Sessions) over(o *opened, site *snapshot.Site, app *snapshot.App, now time.Time) policy.Reason {
	if !now.Before(o.expires(site, app)) {
		return "identity.expired"
	}
	endings := s.endings.Load()
	if p := o.live.passed.Load(); p != nil && p.site == site && p.app == app && p.endings == endings {
		return ""
	}
	p := o.ticket.Session
	if provider := site.Provider(p.IdpUid); provider == nil || provider.Disabled {
		return "identity.disabled"
	}
	if s.hasEnded(o.tenant, o.sid()) || s.hasEnded(o.tenant, o.hash.name()) {
		return "identity.revoked"
	}
	subject := o.subject(app)
	if site.Revocations.Dead(subject) {
		return "identity.revoked"
	}
	// A sign-out of one app is a revocation of the one host session.
	subject.Session = o.hash.name()
	if site.Revocations.Dead(subject) {
		return "identity.revoked"
	}
	o.live.passed.Store(&pass{site, app, endings})
	return ""
}

func (o *opened) subject(app *snapshot.App) snapshot.Subject {
	p := o.ticket.Session
	email, _ := policy.CanonicalEmail(p.Email)
	subject := snapshot.Subject{
		Session: sidText(p.Sid), User: subjectText(p.Principal), Email: email, IDP: p.IdpUid,
		Urgent: p.UrgentAtMint, Lineage: p.LineageAtMint,
	}
	if app != nil {
		subject.App = app.UID
	}
	return subject
}

func limitsOf(site *snapshot.Site, app *snapshot.App) snapshot.Limits {
	if app == nil {
		return site.Session
	}
	return app.Limits(site)
}

// expires is the absolute end: the one set at the sign-in, or the stricter one of today.
func (o *opened) expires(site *snapshot.Site, app *snapshot.App) time.Time {
	p := o.ticket.Session
	end := instant(p.ExpireMs)
	if limit := limitsOf(site, app).Absolute; limit > 0 {
		if stricter := instant(p.BeganMs).Add(limit); stricter.Before(end) {
			return stricter
		}
	}
	return end
}

func (o *opened) idleLimit(site *snapshot.Site, app *snapshot.App) time.Duration {
	idle := time.Duration(o.ticket.Session.IdleMs) * time.Millisecond
	if limit := limitsOf(site, app).Idle; limit > 0 {
		idle = min(idle, limit)
	}
	return idle
}

// idle is judged by the newest use that ticket, store and this process know of.
func (o *opened) idle(site *snapshot.Site, app *snapshot.App, now time.Time) bool {
	return now.Sub(o.live.seenAt()) >= o.idleLimit(site, app)
}

// authHostGrace is for the auth host, which belongs to no app.
const authHostGrace = time.Hour

// carries says whether the ticket alone is good enough while the store does not answer.
func (s *Sessions) carries(o *opened, app *snapshot.App, now time.Time) bool {
	grace := authHostGrace
	if app != nil {
		grace = app.SessionStoreGrace
	}
	since := s.store.lastHealthy()
	if alive := o.aliveAt(); alive.After(since) {
		since = alive
	}
	return now.Sub(since) <= grace
}

// Alive judges the caller of an open stream again. It does no I/O.
func (s *Sessions) Alive(site *snapshot.Site, app *snapshot.App, c *exchange.Caller, now time.Time) (bool, policy.Reason) {
	if !now.Before(c.ExpireTime) {
		return false, "identity.expired"
	}
	if provider := site.Provider(c.IDPUID); provider == nil || provider.Disabled {
		return false, "identity.disabled"
	}
	host := c.Revocable
	host.Session = c.HostSession
	if s.hasEnded(site.TenantUID, c.SessionID) || s.hasEnded(site.TenantUID, c.HostSession) ||
		site.Revocations.Dead(c.Revocable) || site.Revocations.Dead(host) {
		return false, "identity.revoked"
	}
	return true, ""
}

func (s *Sessions) hasEnded(tenant, name string) bool {
	_, ok := s.ended.GetIfPresent(named{tenant, name})
	return ok
}

// learnEnded remembers an end, and has open streams of the Session judged again.
func (s *Sessions) learnEnded(tenant, name, sid string) {
	if _, fresh := s.ended.SetIfAbsent(named{tenant, name}, struct{}{}); !fresh {
		return
	}
	s.endings.Add(1)
	if s.cfg.OnEnd != nil {
		s.cfg.OnEnd(tenant, sid)
	}
}
