// Package stream knows every request that is on its way through the edge, and decides it again for as long as it lasts.
//
// An answer that was right when it began (a WebSocket, an event stream, a long download) is not right for ever: a session
// ends, a rule changes, a time window closes. Whatever changes, what is open is judged again, and cut on anything but ALLOW.
// It must never let a stream outlive the decision that it stands on, nor hold a lock that all requests share.
package stream

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy"
)

const (
	// Lasts is from when on a request counts as lasting: it gets a record of its own when decided, and one at its end.
	Lasts = 5 * time.Second
	// tick bounds how late a stream is cut that passing time alone ends.
	tick = 250 * time.Millisecond
	// patience is how long Review waits for what it cut to be gone.
	patience = time.Second
	shards   = 64
)

// Entry is one open request.
type Entry struct {
	TenantUID string
	SessionID string // of a person
	// Judge decides again: "" to go on, else why it is cut; and when passing time alone could change that (zero: never).
	Judge func(now time.Time) (cut policy.Reason, until time.Time)
	// Cut ends it, soon and without blocking. It is called once at most.
	Cut func(policy.Reason)
	// Lasting is called once, when the request has lasted, or was upgraded.
	Lasting func()

	shard   int
	started time.Time
	done    chan struct{}

	mu      sync.Mutex // guards what follows, and is held while judging
	until   time.Time
	lasting bool
	cut     bool
}

// Registry holds the open requests of an edge.
type Registry struct {
	// Now is the clock.
	Now    func() time.Time
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex
	entries map[*Entry]struct{}
}

// Open registers a request. until is when passing time alone could change its decision.
func (r *Registry) Open(e *Entry, until time.Time) {
	e.shard, e.started, e.done, e.until = rand.IntN(shards), r.Now(), make(chan struct{}), until //nolint:gosec // to spread load
	s := &r.shards[e.shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries == nil {
		s.entries = map[*Entry]struct{}{}
	}
	s.entries[e] = struct{}{}
}

// Close forgets a request that is over. Nothing of the entry is called afterwards.
func (r *Registry) Close(e *Entry) {
	s := &r.shards[e.shard]
	s.mu.Lock()
	delete(s.entries, e)
	s.mu.Unlock()
	e.mu.Lock()
	e.lasting, e.cut = true, true
	e.mu.Unlock()
	close(e.done)
}

// Upgraded tells that a request will last.
func (e *Entry) Upgraded() { e.last() }

func (e *Entry) last() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.lasting {
		e.lasting = true
		e.Lasting()
	}
}

// judge decides again and cuts; it returns whether it did.
func (e *Entry) judge(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cut {
		return false
	}
	reason, until := e.Judge(now)
	if reason == "" {
		e.until = until
		return false
	}
	e.cut = true
	e.Cut(reason)
	return true
}

func (e *Entry) end(reason policy.Reason) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cut {
		return false
	}
	e.cut = true
	e.Cut(reason)
	return true
}

// Len is how many requests are open.
func (r *Registry) Len() int {
	n := 0
	for i := range r.shards {
		r.shards[i].mu.Lock()
		n += len(r.shards[i].entries)
		r.shards[i].mu.Unlock()
	}
	return n
}

func (r *Registry) all(is func(*Entry) bool) []*Entry {
	var found []*Entry
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for e := range s.entries {
			if is(e) {
				found = append(found, e)
			}
		}
		s.mu.Unlock()
	}
	return found
}

// Review judges the open requests of a tenant again. When it returns, what had to be cut is gone, or a second has passed.
func (r *Registry) Review(tenantUID string) {
	r.review(func(e *Entry) bool { return e.TenantUID == tenantUID })
}

// ReviewSession is Review for the requests of one session.
func (r *Registry) ReviewSession(tenantUID, sessionID string) {
	r.review(func(e *Entry) bool { return e.TenantUID == tenantUID && e.SessionID == sessionID })
}

func (r *Registry) review(is func(*Entry) bool) {
	var cut []*Entry
	for _, e := range r.all(is) {
		if e.judge(r.Now()) {
			cut = append(cut, e)
		}
	}
	wait(cut)
}

// CutLasting ends every request that lasts, for a drain. Others may finish.
func (r *Registry) CutLasting(reason policy.Reason) {
	var cut []*Entry
	for _, e := range r.all(func(*Entry) bool { return true }) {
		e.mu.Lock()
		lasting := e.lasting
		e.mu.Unlock()
		if lasting && e.end(reason) {
			cut = append(cut, e)
		}
	}
	wait(cut)
}

func wait(cut []*Entry) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, e := range cut {
		select {
		case <-e.done:
		case <-timer.C:
			return
		}
	}
}

// Run minds the clock: it judges what passing time can change, and notices what lasts.
func (r *Registry) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			r.look(r.Now())
		}
	}
}

func (r *Registry) look(now time.Time) {
	for _, e := range r.all(func(e *Entry) bool { return true }) {
		if now.Sub(e.started) >= Lasts {
			e.last()
		}
		e.mu.Lock()
		due := !e.until.IsZero() && !now.Before(e.until)
		e.mu.Unlock()
		if due {
			e.judge(now)
		}
	}
}
