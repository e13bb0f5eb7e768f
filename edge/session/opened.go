package session

import (
	"crypto/sha256"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// opened is one cookie value whose ticket has been opened. It is immutable; what changes is in live.
type opened struct {
	tenant, pool, host string
	key                tink.AEAD // that opened it: without it the ticket is nothing
	id                 id
	hash               idHash
	ticket             *edgev1.Ticket
	live               *live
}

func (o *opened) sid() string { return sidText(o.ticket.GetSession().GetSid()) }

// live is what this process knows of a host session, whatever the current value of its cookie. Instants are unix ms.
type live struct {
	seen          atomic.Int64 // newest use that is known
	confirmed     atomic.Int64 // when the store was last asked and said nothing against it
	storedHost    atomic.Int64 // seen, as the host's record has it; 0: no record
	storedSession atomic.Int64 // seen, as the Session's record has it; 0: no record
	reported      atomic.Int64 // when it was last reported as seen
	refreshing    atomic.Bool
	// person is the Session in the fullest form that is known: the store's holds more groups than a cookie can.
	person  atomic.Pointer[edgev1.PersonSession]
	newer   atomic.Pointer[edgev1.PersonSession] // of the store, if its claims were read later: what is to stay there
	passed  atomic.Pointer[pass]
	caller  atomic.Pointer[madeCaller]
	renewed atomic.Pointer[renewal]
}

type madeCaller struct {
	caller    *exchange.Caller
	site      *snapshot.Site
	app       *snapshot.App
	person    *edgev1.PersonSession
	mentioned []string
}

func ticketData(site *snapshot.Site, host string, hash idHash) []byte {
	return AssociatedData("ticket", site.TenantUID, site.Pool.UID, host, string(hash[:]))
}

// openCookie returns nil for whatever this pool did not seal for this tenant, host and id.
func openCookie(site *snapshot.Site, host, cookie string) *opened {
	i, sealed, ok := parseCookie(cookie)
	if !ok {
		return nil
	}
	o := &opened{tenant: site.TenantUID, pool: site.Pool.UID, host: host, key: site.Keys.Ticket, id: i, hash: sha256.Sum256(i[:]), ticket: &edgev1.Ticket{}}
	if Open(o.key, sealed, o.ticket, ticketData(site, host, o.hash)) != nil {
		return nil
	}
	if p := o.ticket.GetSession(); len(p.GetSid()) != 16 || len(p.GetPrincipal()) != 16 || p.GetExpireMs() == 0 || p.GetIdleMs() == 0 {
		return nil
	}
	return o
}

// liveOf finds what is known of the ticket's host session, and adds what the ticket knows.
func (s *Sessions) liveOf(o *opened) *live {
	l, ok := s.hosts.GetIfPresent(o.hash)
	if !ok {
		l, _ = s.hosts.SetIfAbsent(o.hash, &live{})
	}
	l.see(instant(o.ticket.SeenAtMs))
	l.learn(o.ticket.Session)
	return l
}

func (l *live) see(t time.Time) { newest(&l.seen, t.UnixMilli()) }

func newest(at *atomic.Int64, ms int64) {
	for {
		old := at.Load()
		if ms <= old || at.CompareAndSwap(old, ms) {
			return
		}
	}
}

func (l *live) seenAt() time.Time { return instant(l.seen.Load()) }

// aliveAt is when the Session was alive for certain, by the ticket and by what the store said here.
func (o *opened) aliveAt() time.Time {
	return instant(max(o.ticket.AliveAtMs, o.live.confirmed.Load()))
}

// age is how long ago the store was asked. A clock that was put back proves nothing.
func (l *live) age(now time.Time) time.Duration {
	at := l.confirmed.Load()
	if age := now.Sub(time.UnixMilli(at)); at != 0 && age >= -time.Second {
		return age
	}
	return stale + 1
}

// learn keeps the fuller of two forms of the same Session. How the person signed in is for the ticket alone to say: a
// step-up raises the cookie that it was handed to, and no other.
func (l *live) learn(p *edgev1.PersonSession) {
	for {
		old := l.person.Load()
		if old != nil && (string(old.Sid) != string(p.GetSid()) || string(old.Principal) != string(p.GetPrincipal()) ||
			!old.GroupsOverflow || p.GetGroupsOverflow() && len(p.GetGroups()) <= len(old.Groups)) {
			return
		}
		next := p
		if old != nil && old.RaisedMs != p.RaisedMs {
			next = clone(old)
			next.Groups, next.GroupsOverflow, next.GroupsAbsent = p.Groups, p.GroupsOverflow, p.GroupsAbsent
		}
		if l.person.CompareAndSwap(old, next) {
			return
		}
	}
}
