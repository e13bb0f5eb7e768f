package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// receiver is a control plane that stores, or fails.
type receiver struct {
	mu     sync.Mutex
	stored map[string][]*edgev1.Record
	calls  int
	err    error
	urgent int64
	refuse map[string]bool // tenants it does not serve
	hang   chan struct{}   // until it is closed, nothing is answered
}

func (r *receiver) send(ctx context.Context, q *edgev1.ReportRequest) (*edgev1.ReportResponse, error) {
	if r.hang != nil {
		select {
		case <-r.hang:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.err != nil {
		return nil, r.err
	}
	if r.stored == nil {
		r.stored = map[string][]*edgev1.Record{}
	}
	response := &edgev1.ReportResponse{}
	for _, b := range q.GetBatches() {
		if r.refuse[b.GetTenantUid()] {
			continue
		}
		if n := len(b.GetRecords()); n > batchRecords {
			return nil, fmt.Errorf("%d records in a batch", n)
		}
		s := &edgev1.Stored{TenantUid: b.GetTenantUid()}
		for _, record := range b.GetRecords() {
			have := r.stored[b.GetTenantUid()]
			if len(have) == 0 || record.GetSeq() > have[len(have)-1].GetSeq() {
				r.stored[b.GetTenantUid()] = append(r.stored[b.GetTenantUid()], record)
				if record.GetSession().GetKind() == edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED {
					r.urgent++
					s.Urgent, s.Enforced = r.urgent, true
				}
			}
			s.ThroughSeq = record.GetSeq()
		}
		response.Stored = append(response.Stored, s)
	}
	return response, nil
}

// of is what is stored of a tenant.
func (r *receiver) of(tenantUID string) []*edgev1.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stored[tenantUID]
}

func (r *receiver) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func newLog(r *receiver) *Log {
	return New(Config{
		BootID: "b", Send: r.send, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Serves: func(uid string) bool { return !r.refuse[uid] },
	})
}

// running runs a log within a bubble of synctest.
func running(t *testing.T, l *Log) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return func() { cancel(); <-ended }
}

func access(id, outcome string) *sallyportv1.AccessEvent {
	return &sallyportv1.AccessEvent{Id: id, Decision: &sallyportv1.EventDecision{Outcome: outcome}}
}

// whole checks that numbers go from 1 without holes but those that gap records name, each with the last of them for its
// own, and returns how many are lost.
func whole(t *testing.T, records []*edgev1.Record) (lost int) {
	t.Helper()
	next := int64(1)
	for _, r := range records {
		if g := r.GetAccess().GetGap(); g != nil {
			if g.GetFrom() != next || g.GetTo() < g.GetFrom() || g.GetWhy() == "" {
				t.Fatalf("gap %v where %d was next", g, next)
			}
			lost += int(g.GetTo() - g.GetFrom() + 1)
			next = g.GetTo()
		}
		if r.GetSeq() != next {
			t.Fatalf("number %d where %d was next", r.GetSeq(), next)
		}
		if a := r.GetAccess(); a != nil && a.GetSeq() != r.GetSeq() {
			t.Fatalf("the record says %d and its event %d", r.GetSeq(), a.GetSeq())
		}
		next++
	}
	return lost
}

func TestNumbersWithoutHoles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		l := newLog(r)
		stop := running(t, l)
		var group sync.WaitGroup
		for g := range 8 {
			group.Go(func() {
				for i := range 500 {
					l.Access([]string{"acme", "globex"}[i%2], access(fmt.Sprintf("%d-%d", g, i), "ALLOW"))
					if i == 250 && g == 0 {
						r.fail(errors.New("down"))
					}
				}
			})
		}
		group.Wait()
		time.Sleep(time.Minute)
		r.fail(nil)
		time.Sleep(10 * time.Second)
		for _, tenant := range []string{"acme", "globex"} {
			if lost := whole(t, r.of(tenant)); lost != 0 || len(r.of(tenant)) != 2000 {
				t.Errorf("%s: %d stored, %d lost", tenant, len(r.of(tenant)), lost)
			}
		}
		if l.Pending() != 0 {
			t.Errorf("%d are pending", l.Pending())
		}
		stop()
	})
}

func TestStopDeliversTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		l := newLog(r)
		stop := running(t, l)
		l.Access("acme", access("1", "DENY"))
		stop()
		if len(r.of("acme")) != 1 {
			t.Errorf("%d stored", len(r.of("acme")))
		}
	})
}

// What does not fit keeps its number. Allowed requests leave first; denials and sessions find room.
func TestSpoolFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{err: errors.New("down")}
		l := newLog(r)
		n := productionLimits.records + 5000
		for i := range n {
			l.Access("acme", access(fmt.Sprint(i), "ALLOW"))
			if i%1000 == 0 {
				l.mu.Lock()
				l.collect()
				l.mu.Unlock()
			}
		}
		l.Access("acme", access("denied", "DENY"))
		l.Session("acme", &edgev1.SessionEvent{Kind: edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, Sid: "s_1"})
		l.Access("acme", access("late", "ALLOW"))
		stop := running(t, l)
		time.Sleep(time.Minute)
		r.fail(nil)
		time.Sleep(time.Minute)
		l.Access("acme", access("after", "ALLOW"))
		stop()
		lost := whole(t, r.of("acme"))
		kept := 0
		seen := map[string]bool{}
		for _, record := range r.of("acme") {
			if a := record.GetAccess(); a != nil && a.GetGap() == nil {
				kept++
				seen[a.GetId()] = true
			}
		}
		if kept+lost != n+3 || lost == 0 || int64(lost) != l.Lost() {
			t.Errorf("%d kept and %d lost of %d; Lost says %d", kept, lost, n+3, l.Lost())
		}
		if !seen["denied"] || !seen["after"] || seen["late"] {
			t.Errorf("denied kept: %v, after kept: %v, late kept: %v", seen["denied"], seen["after"], seen["late"])
		}
		if urgent, _, err := l.ReportNow(t.Context(), "acme"); err != nil || urgent != 1 {
			t.Errorf("the end of a session was lost: %d %v", urgent, err)
		}
	})
}

func TestReportNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		l := newLog(r)
		stop := running(t, l)
		for i := range 2500 {
			l.Access("acme", access(fmt.Sprint(i), "ALLOW"))
		}
		end := func() (int64, bool, error) {
			l.Session("acme", &edgev1.SessionEvent{Kind: edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, Sid: "s_1"})
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			return l.ReportNow(ctx, "acme")
		}
		if urgent, enforced, err := end(); err != nil || !enforced || urgent != 1 {
			t.Errorf("got %d, %v, %v", urgent, enforced, err)
		}
		r.fail(errors.New("down"))
		if _, enforced, err := end(); err == nil || enforced {
			t.Errorf("while the control plane is down: %v, %v", enforced, err)
		}
		r.fail(nil)
		time.Sleep(time.Minute)
		if urgent, enforced, err := l.ReportNow(t.Context(), "acme"); err != nil || !enforced || urgent != 2 {
			t.Errorf("the end that could not be told was forgotten: %d, %v, %v", urgent, enforced, err)
		}
		stop()
		whole(t, r.of("acme"))
	})
}

// Records of a tenant that the pool serves no more are not kept for ever.
func TestTenantThatLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{refuse: map[string]bool{"gone": true}}
		l := newLog(r)
		stop := running(t, l)
		l.Access("gone", access("1", "ALLOW"))
		l.Access("acme", access("1", "ALLOW"))
		time.Sleep(time.Minute)
		if l.Pending() != 0 || len(r.of("acme")) != 1 || r.calls > 10 {
			t.Errorf("%d pending, %d stored, %d calls", l.Pending(), len(r.of("acme")), r.calls)
		}
		stop()
	})
}

// A tenant that left the pool and came back goes on counting: a number that was given stands for one record for ever, and
// the control plane takes what comes under it again for a repetition.
func TestTenantThatComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{refuse: map[string]bool{}}
		l := newLog(r)
		stop := running(t, l)
		serve := func(served bool) {
			time.Sleep(time.Minute)
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.refuse["acme"] = !served
		}
		end := func(sid string) (bool, error) {
			l.Session("acme", &edgev1.SessionEvent{Kind: edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED, Sid: sid})
			return l.reportNow(t, "acme")
		}
		for i := range 3 {
			l.Access("acme", access(fmt.Sprint("before-", i), "ALLOW"))
		}
		if everywhere, err := end("s_1"); !everywhere || err != nil {
			t.Errorf("got %v, %v", everywhere, err)
		}
		serve(false)
		l.Access("acme", access("away", "ALLOW"))
		if everywhere, err := end("s_2"); everywhere || err == nil {
			t.Errorf("an end that nobody takes: %v, %v", everywhere, err)
		}
		serve(true)
		l.Access("acme", access("after", "ALLOW"))
		time.Sleep(time.Minute)
		if everywhere, err := end("s_3"); !everywhere || err != nil {
			t.Errorf("after it came back: %v, %v", everywhere, err)
		}
		stop()
		if lost := whole(t, r.of("acme")); lost != 2 || len(r.of("acme")) != 7 {
			t.Errorf("%d stored, %d lost", len(r.of("acme")), lost)
		}
	})
}
