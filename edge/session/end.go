package session

import (
	"context"
	"net/netip"
	"time"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Scope is how much of a Session ends.
type Scope int

const (
	// OfEverything ends the Session: every cookie of it on every host.
	OfEverything Scope = iota
	// OfThisHost ends the one cookie.
	OfThisHost
)

const (
	// reportBudget is how long a sign-out waits to be able to say "everywhere".
	reportBudget = 3 * time.Second
	// clockMargin outlives clocks that differ.
	clockMargin = 2 * time.Minute
)

// End ends what a cookie stands for: here at once, in the region by a tombstone, everywhere by the control plane.
// everywhere is true only if the control plane answered that every edge enforces it.
func (s *Sessions) End(ctx context.Context, site *snapshot.Site, r Result, scope Scope, ip netip.Addr, now time.Time) (everywhere bool) {
	if r.opened == nil {
		return false
	}
	if !now.Before(r.opened.forgettable()) {
		return true // its time was up long ago, whatever a clock says: there is nothing left to end
	}
	s.end(ctx, site, r.opened, scope, ReasonSignedOut, ip, now)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportBudget)
	defer cancel()
	_, enforced, err := s.cfg.ReportNow(ctx, site.TenantUID)
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "the end of a session has not reached the control plane yet", "tenant", site.TenantUID, "err", err)
		return false
	}
	return enforced
}

// Replace ends what a browser had before it signed in anew, so that no id from before is good after.
func (s *Sessions) Replace(ctx context.Context, site *snapshot.Site, r Result, scope Scope, ip netip.Addr, now time.Time) {
	if r.opened != nil {
		s.end(ctx, site, r.opened, scope, ReasonReplaced, ip, now)
	}
}

// end does what needs no answer. The memory of this process comes first: from there on nothing lets the session in here,
// whatever happens to the rest.
func (s *Sessions) end(ctx context.Context, site *snapshot.Site, o *opened, scope Scope, reason string, ip netip.Addr, now time.Time) {
	// The browser may hang up; the end must not be half done then.
	ctx = context.WithoutCancel(ctx)
	name, key, sid := o.sid(), o.sid(), o.sid()
	records := []string{hostKey(o.tenant, o.hash), sessionKey(o.tenant, sid)}
	if scope == OfThisHost {
		name, key, records = o.hash.name(), o.hash.text(), records[:1]
	}
	s.learnEnded(o.tenant, name, sid)
	s.store.end(ctx, o.tenant, key, o.forgettable())
	s.store.forget(ctx, records...)
	s.report(site, edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, name, o.ticket.Session, o.host, ip, now, reason)
}

// forgettable is when no clock lets the Session in any more, whether or not it was ended.
func (o *opened) forgettable() time.Time {
	return instant(o.ticket.Session.ExpireMs).Add(clockMargin)
}
