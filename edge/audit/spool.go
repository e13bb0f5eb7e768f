package audit

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// spool is one tenant's records that are not acknowledged, ascending by number.
type spool struct {
	tenantUID string
	next      int64 // number to give
	records   []numbered
	bytes     int   // of memory
	ends      int   // ends of sessions among the records
	held      int   // bytes that may be evicted
	sent      int64 // numbers up to this one may be stored already
	acked     int64 // numbers up to this one are
	lostEnd   int64 // the last end of a session that did not fit, or was dropped
	dropped   int64 // the first number that was dropped and is in no gap yet; 0: none was
	urgent    int64 // the newest revision that says a session of ours ended
	enforced  bool
}

type numbered struct {
	*edgev1.Record
	size int // as it is sent
	kind kind
}

// overhead is how much more memory a record takes than it has bytes when it is sent: measured, with room to spare, for one
// that has every field.
const overhead = 1 << 10

func (n numbered) memory() int { return n.size + overhead }

// fits says what a spool still takes.
func (s *spool) fits(k kind, m limits) bool {
	if k == ended {
		return s.ends < m.ends
	}
	use := max(float64(len(s.records)-s.ends)/float64(m.records), float64(s.bytes)/float64(m.bytes))
	switch k {
	case allowed:
		return use < 0.9
	case refused:
		return use < 1
	default:
		return use < 1.1
	}
}

// append numbers a record and keeps it.
func (s *spool) append(r *edgev1.Record, k kind) {
	r.Seq = s.next
	if a := r.GetAccess(); a != nil {
		a.Seq = r.Seq
	}
	s.next++
	s.keep(numbered{r, proto.Size(r), k})
}

func (s *spool) keep(n numbered) {
	s.records = append(s.records, n)
	s.count(n, 1)
}

// count adds a record to the sums, or, with -1, takes it out.
func (s *spool) count(n numbered, times int) {
	s.bytes += times * n.memory()
	if n.kind == ended {
		s.ends += times
	}
	if n.kind <= lastEvicted && n.GetSeq() > s.sent {
		s.held += times * n.memory()
	}
}

// lose gives numbers to records that are not kept.
func (s *spool) lose(n int, now time.Time) {
	from := s.next
	s.next += int64(n)
	if last := len(s.records) - 1; last >= 0 && s.open(s.records[last]) {
		s.widen(last, s.next-1)
		return
	}
	s.keep(gapOf(from, s.next-1, spoolFull, now))
}

// open reports whether a record is a gap that may still be widened: one that was sent must stay as it was.
func (s *spool) open(n numbered) bool { return n.kind == gap && n.GetSeq() > s.sent }

func (s *spool) widen(i int, to int64) {
	s.count(s.records[i], -1)
	g := s.records[i].GetAccess().GetGap()
	s.records[i] = gapOf(g.GetFrom(), to, g.GetWhy(), s.records[i].GetAccess().GetTime().AsTime())
	s.count(s.records[i], 1)
}

// Why a gap is.
const (
	spoolFull = "spool_full"
	notServed = "tenant_not_served"
)

func gapOf(from, to int64, why string, now time.Time) numbered {
	r := &edgev1.Record{Seq: to, Event: &edgev1.Record_Access{Access: &sallyportv1.AccessEvent{
		Seq: to, Time: timestamppb.New(now), Gap: &sallyportv1.EventGap{From: from, To: to, Why: why},
	}}}
	return numbered{r, proto.Size(r), gap}
}

// drop forgets the records, but never the numbers: the tenant may come back, and the control plane takes what comes again
// under a number for a repetition.
func (s *spool) drop() {
	if len(s.records) == 0 {
		return
	}
	s.dropped = s.acked + 1
	for _, n := range s.records {
		if n.kind == ended {
			s.lostEnd = n.GetSeq()
		}
		s.count(n, -1)
	}
	s.records = nil
}

// resume leaves a gap for what was dropped, before anything follows.
func (s *spool) resume(now time.Time) {
	if s.dropped > 0 {
		s.keep(gapOf(s.dropped, s.next-1, notServed, now))
		s.dropped = 0
	}
}

// evict takes out the oldest records of a kind, enough for so many bytes if there are, and leaves gaps for them.
func (s *spool) evict(k kind, bytes int, now time.Time) (lost int) {
	old := s.records
	s.records = s.records[:0]
	enough := s.bytes - bytes
	for _, n := range old {
		last := len(s.records) - 1
		beside := last >= 0 && s.open(s.records[last])
		switch {
		case n.kind == k && n.GetSeq() > s.sent && s.bytes > enough:
			lost++
			s.count(n, -1)
			if !beside {
				s.keep(gapOf(n.GetSeq(), n.GetSeq(), spoolFull, now))
				continue
			}
		case beside && s.open(n):
			s.count(n, -1)
		default:
			s.records = append(s.records, n)
			continue
		}
		s.widen(last, n.GetSeq())
	}
	clear(old[len(s.records):])
	return lost
}

// What one call of Report may carry.
const (
	batchRecords = 1000
	batchBytes   = 3 << 20 // of the 4 MiB that the control plane takes, the rest is for what surrounds records
)

// batch returns the oldest records, within the room that is left in a call. From now on they may be stored.
func (s *spool) batch(room int) (*edgev1.Batch, int) {
	b := &edgev1.Batch{TenantUid: s.tenantUID}
	size := 0
	for _, n := range s.records {
		if len(b.Records) == batchRecords || len(b.Records) > 0 && size+n.size > room {
			break
		}
		if n.GetSeq() > s.sent {
			s.count(n, -1)
			s.sent = n.GetSeq()
			s.count(n, 1)
		}
		b.Records = append(b.Records, n.Record)
		size += n.size
	}
	return b, size
}

// stored forgets what is stored.
func (s *spool) stored(a *edgev1.Stored) {
	forgotten := 0
	for forgotten < len(s.records) && s.records[forgotten].GetSeq() <= a.GetThroughSeq() {
		s.count(s.records[forgotten], -1)
		forgotten++
	}
	// Copied, so that what was acknowledged can be collected.
	s.records = append([]numbered(nil), s.records[forgotten:]...)
	s.acked = max(s.acked, min(a.GetThroughSeq(), s.next-1))
	if a.GetUrgent() >= s.urgent && a.GetUrgent() > 0 {
		s.urgent, s.enforced = a.GetUrgent(), a.GetEnforced()
	}
}
