package store

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// maxWaiting bounds the writers that wait in one line of this process; more are told to come back.
const maxWaiting = 128

// writers lets one writer of each tenant and lane at a time begin a transaction. Postgres would order them anyway, but
// by making all but one of them run again, each holding a connection meanwhile: one busy tenant would take the pool from all.
type writers struct {
	mu    sync.Mutex
	lines map[writer]*line
}

type writer struct {
	tenant controlplane.UID
	lane   controlplane.Lane
}

// line is one queue. Whoever can send on turn is the writer.
type line struct {
	turn    chan struct{}
	present int // writing or waiting; guarded by writers.mu
}

func newWriters() *writers { return &writers{lines: map[writer]*line{}} }

// enter waits for the writer's turn; leave ends it.
func (w *writers) enter(ctx context.Context, who writer) (leave func(), err error) {
	w.mu.Lock()
	l := w.lines[who]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		w.lines[who] = l
	}
	if l.present > maxWaiting {
		w.mu.Unlock()
		return nil, &controlplane.Error{
			Kind: controlplane.Exhausted, Reason: controlplane.ReasonRate,
			Message: "too many changes at the same time", RetryAfter: time.Second,
		}
	}
	l.present++
	w.mu.Unlock()

	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn; w.gone(who, l) }, nil
	case <-ctx.Done():
		w.gone(who, l)
		return nil, ctx.Err()
	}
}

func (w *writers) gone(who writer, l *line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.present--; l.present == 0 {
		delete(w.lines, who)
	}
}
