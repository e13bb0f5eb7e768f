package stream

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy"
)

// request is an open request whose verdict tests choose.
type request struct {
	*Entry
	verdict atomic.Value // policy.Reason
	cut     atomic.Value // policy.Reason
	lasting atomic.Int64
	judged  atomic.Int64
}

func open(r *Registry, tenantUID, sessionID string, until time.Time) *request {
	q := &request{}
	q.verdict.Store(policy.Reason(""))
	q.Entry = &Entry{
		TenantUID: tenantUID, SessionID: sessionID,
		Judge: func(time.Time) (policy.Reason, time.Time) {
			q.judged.Add(1)
			return q.verdict.Load().(policy.Reason), time.Time{}
		},
		Cut: func(reason policy.Reason) {
			q.cut.Store(reason)
			go r.Close(q.Entry) // as the request's own goroutine does
		},
		Lasting: func() { q.lasting.Add(1) },
	}
	r.Open(q.Entry, until)
	return q
}

func (q *request) was() policy.Reason {
	reason, _ := q.cut.Load().(policy.Reason)
	return reason
}

func TestReview(t *testing.T) {
	t.Parallel()
	r := &Registry{Now: time.Now}
	stays, goes, other := open(r, "acme", "s1", time.Time{}), open(r, "acme", "s2", time.Time{}), open(r, "globex", "s1", time.Time{})
	goes.verdict.Store(policy.CutPolicy)
	other.verdict.Store(policy.CutPolicy)
	r.Review("acme")
	if stays.was() != "" || goes.was() != policy.CutPolicy || other.was() != "" || r.Len() != 2 {
		t.Errorf("cut: %q %q %q, %d open", stays.was(), goes.was(), other.was(), r.Len())
	}
	stays.verdict.Store(policy.CutRevoked)
	r.ReviewSession("acme", "s2")
	if stays.was() != "" {
		t.Error("another session's end cut it")
	}
	r.ReviewSession("acme", "s1")
	if stays.was() != policy.CutRevoked || other.was() != "" {
		t.Errorf("cut: %q %q", stays.was(), other.was())
	}
}

func TestTimePasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &Registry{Now: time.Now}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		until := time.Now().Add(3 * time.Second)
		q := open(r, "acme", "", until)
		short := open(r, "acme", "", time.Time{})
		q.verdict.Store(policy.CutExpired)
		time.Sleep(3*time.Second - time.Millisecond)
		synctest.Wait()
		if q.judged.Load() != 0 {
			t.Error("judged too early")
		}
		time.Sleep(tick + time.Millisecond)
		synctest.Wait()
		if q.was() != policy.CutExpired {
			t.Errorf("not cut within %s of its time", tick)
		}
		r.Close(short.Entry)
		long := open(r, "acme", "", time.Time{})
		time.Sleep(Lasts + tick)
		synctest.Wait()
		if long.lasting.Load() != 1 || short.lasting.Load() != 0 {
			t.Errorf("lasting was told %d and %d times", long.lasting.Load(), short.lasting.Load())
		}
		young := open(r, "acme", "", time.Time{})
		upgraded := open(r, "acme", "", time.Time{})
		upgraded.Upgraded()
		r.CutLasting(policy.CutDrain)
		if long.was() != policy.CutDrain || upgraded.was() != policy.CutDrain || young.was() != "" {
			t.Errorf("a drain cut %q %q %q", long.was(), upgraded.was(), young.was())
		}
		if upgraded.lasting.Load() != 1 {
			t.Errorf("an upgrade was told %d times", upgraded.lasting.Load())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// What ends by itself while it is judged, cut and reviewed ends once, and nothing is called afterwards.
func TestRaces(t *testing.T) {
	t.Parallel()
	r := &Registry{Now: time.Now}
	var group sync.WaitGroup
	for range 200 {
		var closed atomic.Bool
		e := &Entry{TenantUID: "acme", Cut: func(policy.Reason) {}, Lasting: func() {}}
		e.Judge = func(time.Time) (policy.Reason, time.Time) {
			if closed.Load() {
				t.Error("judged after it was closed")
			}
			return policy.CutPolicy, time.Time{}
		}
		r.Open(e, time.Time{})
		group.Go(func() { r.Review("acme") })
		group.Go(func() { r.look(time.Now()) })
		group.Go(func() {
			r.Close(e)
			closed.Store(true)
		})
	}
	group.Wait()
	if r.Len() != 0 {
		t.Errorf("%d are left", r.Len())
	}
}
