package audit

import (
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// limits are of memory; the package comment says what each is for.
type limits struct {
	records, bytes int // of one tenant
	ends           int // of one tenant, besides
	total          int // bytes, of all tenants
	reserved       int // bytes, besides, for ends of sessions
}

var productionLimits = limits{records: 50_000, bytes: 64 << 20, ends: 10_000, total: 224 << 20, reserved: 32 << 20}

// numberBytes is what a number adds to a record at the most: two fields, the record's and its event's.
const numberBytes = 22

// evictBytes is how much an eviction makes room for: to find whose records go costs a look at every tenant.
const evictBytes = 256 << 10

// spools are the numbered records of all tenants. They are not safe for use by several at once.
type spools struct {
	limits   limits
	byTenant map[string]*spool
	bytes    int
	records  int
	lost     int64
}

func (a *spools) of(tenantUID string) *spool {
	s := a.byTenant[tenantUID]
	if s == nil {
		s = &spool{tenantUID: tenantUID, next: 1}
		a.byTenant[tenantUID] = s
	}
	return s
}

// change does something to a spool, and keeps the sums right.
func (a *spools) change(s *spool, do func()) {
	bytes, records := s.bytes, len(s.records)
	do()
	a.bytes += s.bytes - bytes
	a.records += len(s.records) - records
}

// put keeps a record, or its number.
func (a *spools) put(e entry, now time.Time) {
	s := a.of(e.tenantUID)
	a.change(s, func() { s.resume(now) })
	if s.fits(e.kind, a.limits) && a.room(s, e.kind, proto.Size(e.record)+numberBytes+overhead, now) {
		a.change(s, func() { s.append(e.record, e.kind) })
		return
	}
	if e.kind == ended {
		s.lostEnd = s.next
	}
	a.lose(e.tenantUID, 1, now)
}

// lose gives numbers to records of a tenant that are not kept.
func (a *spools) lose(tenantUID string, n int, now time.Time) {
	s := a.of(tenantUID)
	a.change(s, func() { s.resume(now); s.lose(n, now) })
	a.lost += int64(n)
}

// room makes room for one more record of s, at the cost of whoever holds the most.
func (a *spools) room(s *spool, k kind, size int, now time.Time) bool {
	limit := a.limits.total
	if k == ended {
		limit += a.limits.reserved
	}
	for a.bytes+size > limit {
		most := a.largest()
		if most == nil {
			return false
		}
		worst := lastEvicted
		if most == s {
			worst = min(worst, k) // nobody's refused request goes for an allowed one of theirs
		}
		before := a.bytes
		for goes := allowed; goes <= worst && before-a.bytes < evictBytes; goes++ {
			a.change(most, func() { a.lost += int64(most.evict(goes, evictBytes-(before-a.bytes), now)) })
		}
		if a.bytes >= before {
			return false
		}
	}
	return true
}

// largest is the spool that holds the most of what may be evicted; nil if none holds any.
func (a *spools) largest() (most *spool) {
	for _, s := range a.byTenant {
		if s.held > 0 && (most == nil || s.held > most.held) {
			most = s
		}
	}
	return most
}

// stored forgets what is stored, and returns how many records that were.
func (a *spools) stored(b *edgev1.Stored) int {
	s := a.byTenant[b.GetTenantUid()]
	if s == nil {
		return 0
	}
	before := len(s.records)
	a.change(s, func() { s.stored(b) })
	return before - len(s.records)
}

// drop forgets what there is of a tenant, and returns how many records that were.
func (a *spools) drop(s *spool) int {
	n := len(s.records)
	for _, r := range s.records {
		if r.kind != gap {
			a.lost++
		}
	}
	a.change(s, s.drop)
	return n
}
