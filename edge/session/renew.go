package session

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// renewal is the newest ticket that was made of a host session. Requests that run at the same time get the same one.
type renewal struct {
	value string
	at    time.Time
}

const maxTicketAge = 5 * time.Minute

// renew seals the ticket again once it is old enough to matter for the idle limit or for the grace. Never while the store
// is down: nothing new is known then.
func (s *Sessions) renew(site *snapshot.Site, app *snapshot.App, o *opened, now time.Time) *http.Cookie {
	due := min(maxTicketAge, o.idleLimit(site, app)/4)
	young := now.Sub(instant(o.ticket.SealedAtMs)) < due && now.Sub(instant(o.ticket.AliveAtMs)) < maxTicketAge
	if young || !s.store.healthy() || o.live.age(now) > stale {
		return nil
	}
	if r := o.live.renewed.Load(); r != nil && now.Sub(r.at) < due && now.Sub(r.at) >= 0 {
		return newCookie(r.value, 0)
	}
	value, next := s.seal(site, o.host, o.id, Known{o.live.person.Load(), o.aliveAt()}, now)
	if next == nil {
		return nil
	}
	next.live = o.live
	s.opened.Set(sha256.Sum256([]byte(value)), next)
	o.live.renewed.Store(&renewal{value, now})
	return newCookie(value, 0)
}

// seal makes a cookie value, and what opening it would give.
func (s *Sessions) seal(site *snapshot.Site, host string, i id, k Known, now time.Time) (string, *opened) {
	o := &opened{
		tenant: site.TenantUID, pool: site.Pool.UID, host: host, key: site.Keys.Ticket, id: i, hash: sha256.Sum256(i[:]),
		ticket: &edgev1.Ticket{
			Session: Portable(site, k.Person), SealedAtMs: now.UnixMilli(), SeenAtMs: now.UnixMilli(), AliveAtMs: k.AliveAt.UnixMilli(),
		},
	}
	sealed, err := Seal(o.key, o.ticket, ticketData(site, host, o.hash))
	if err != nil {
		s.cfg.Log.Error("seal a ticket", "err", err)
		return "", nil
	}
	return formatCookie(i, sealed), o
}

const (
	// The store learns of use in steps: each costs a write.
	hostStep    = 30 * time.Second
	sessionStep = time.Minute
)

// writeBack brings the store's records up to what is known here, and makes those that it has lost.
func (s *Sessions) writeBack(ctx context.Context, site *snapshot.Site, o *opened) {
	l, key, p := o.live, site.Keys.Redis, o.live.person.Load()
	seen, ttl := l.seen.Load(), instant(p.ExpireMs).Sub(s.cfg.Now())
	if ttl <= 0 || s.hasEnded(o.tenant, o.sid()) || s.hasEnded(o.tenant, o.hash.name()) {
		return
	}
	if seen-l.storedHost.Load() >= hostStep.Milliseconds() {
		if s.store.putHost(ctx, key, o.tenant, o.hash, &edgev1.HostRecord{Sid: p.Sid, SeenAtMs: seen}, ttl) == nil {
			l.storedHost.Store(seen)
		}
	}
	if newer := l.newer.Load(); newer != nil {
		p = newer
	}
	if old := l.storedSession.Load(); seen-old >= sessionStep.Milliseconds() {
		if s.store.putSession(ctx, key, o.tenant, &edgev1.SessionRecord{Session: p, SeenAtMs: seen}, ttl, old == 0) == nil {
			l.storedSession.Store(seen)
		}
	}
}
