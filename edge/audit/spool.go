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
	bytes     int
	gap       *sallyportv1.EventGap // lost and not told yet
	urgent    int64                 // the newest revision that says a session of ours ended
	enforced  bool
}

type numbered struct {
	*edgev1.Record
	size int
}

// fits says what a spool still takes. Allowed requests leave first, so that denials and the ends of sessions find room.
func (s *spool) fits(k kind, total int) bool {
	use := max(float64(len(s.records))/spoolRecords, float64(s.bytes)/spoolBytes, float64(total)/totalBytes)
	switch k {
	case allowed:
		return use < 0.9
	case refused:
		return use < 1
	default:
		return use < 1.1
	}
}

// put numbers a record and keeps it; false if it did not fit.
func (s *spool) put(e entry, total int, now time.Time) bool {
	if !s.fits(e.kind, total) {
		s.lose(1)
		return false
	}
	if s.gap != nil {
		s.append(&edgev1.Record{Event: &edgev1.Record_Access{Access: &sallyportv1.AccessEvent{Time: timestamppb.New(now), Gap: s.gap}}})
		s.gap = nil
	}
	s.append(e.record)
	return true
}

func (s *spool) append(r *edgev1.Record) {
	r.Seq = s.next
	if a := r.GetAccess(); a != nil {
		a.Seq = r.Seq
	}
	s.next++
	n := numbered{r, proto.Size(r)}
	s.records = append(s.records, n)
	s.bytes += n.size
}

// lose gives numbers to records that are not kept.
func (s *spool) lose(n int) {
	if s.gap == nil {
		s.gap = &sallyportv1.EventGap{From: s.next, Why: "spool_full"}
	}
	s.next += int64(n)
	s.gap.To = s.next - 1
}

// What one call of Report may carry.
const (
	batchRecords = 1000
	batchBytes   = 3 << 20 // of the 4 MiB that the control plane takes, the rest is for what surrounds records
)

// batch returns the oldest records, within the room that is left in a call.
func (s *spool) batch(room int) (*edgev1.Batch, int) {
	b := &edgev1.Batch{TenantUid: s.tenantUID}
	size := 0
	for _, r := range s.records {
		if len(b.Records) == batchRecords || len(b.Records) > 0 && size+r.size > room {
			break
		}
		b.Records = append(b.Records, r.Record)
		size += r.size
	}
	return b, size
}

// stored forgets what is stored.
func (s *spool) stored(a *edgev1.Stored) (forgotten int) {
	for forgotten < len(s.records) && s.records[forgotten].GetSeq() <= a.GetThroughSeq() {
		s.bytes -= s.records[forgotten].size
		forgotten++
	}
	// Copied, so that what was acknowledged can be collected.
	s.records = append([]numbered(nil), s.records[forgotten:]...)
	if a.GetUrgent() >= s.urgent && a.GetUrgent() > 0 {
		s.urgent, s.enforced = a.GetUrgent(), a.GetEnforced()
	}
	return forgotten
}
