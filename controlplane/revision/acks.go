package revision

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

const (
	// batchFor is the pause after a statement: a change that one edge acknowledges is written at once, and one that a
	// thousand do is a few statements.
	batchFor = 10 * time.Millisecond
	// retryAfter is how long a batch that could not be written waits.
	retryAfter = 500 * time.Millisecond
	// lastWithin bounds the last statement of a process that stops.
	lastWithin = 2 * time.Second
)

// Acks writes what edges acknowledge. Only the newest of an edge and tenant counts, so what cannot be written waits
// without growing beyond one row each.
type Acks struct {
	system *store.System
	log    *slog.Logger
	wake   chan struct{}

	mu      sync.Mutex
	waiting map[ackKey]store.Ack
}

type ackKey struct{ edge, tenant controlplane.UID }

// NewAcks makes one; it writes nothing until [Acks.Run].
func NewAcks(system *store.System, log *slog.Logger) *Acks {
	return &Acks{system: system, log: log, wake: make(chan struct{}, 1), waiting: make(map[ackKey]store.Ack)}
}

// Put takes an acknowledgement. It never blocks.
func (a *Acks) Put(ack store.Ack) {
	a.mu.Lock()
	a.waiting[ackKey{ack.EdgeUID, ack.TenantUID}] = ack
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, and then what is still waiting: an edge does not say it again until something changes.
func (a *Acks) Run(ctx context.Context) error {
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWithin)
		defer cancel()
		a.flush(last)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.wake:
		}
		pause := batchFor
		if !a.flush(ctx) {
			pause = retryAfter
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// flush writes everything that waits. It reports whether that worked; if not, it waits on.
func (a *Acks) flush(ctx context.Context) bool {
	a.mu.Lock()
	batch := make([]store.Ack, 0, len(a.waiting))
	for _, ack := range a.waiting {
		batch = append(batch, ack)
	}
	clear(a.waiting)
	a.mu.Unlock()
	if len(batch) == 0 {
		return true
	}
	err := a.system.PutAcks(ctx, batch)
	if err == nil || ctx.Err() != nil {
		return true
	}
	a.log.ErrorContext(ctx, "write acknowledgements", "error", err, "rows", len(batch))
	a.mu.Lock()
	for _, ack := range batch {
		key := ackKey{ack.EdgeUID, ack.TenantUID}
		if _, newer := a.waiting[key]; !newer {
			a.waiting[key] = ack
		}
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return false
}
