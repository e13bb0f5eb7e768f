package upstream

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errTimeout = errors.New("the upstream did not answer in time")

// waiting is the time that an upstream has to its first byte. It begins anew while the client still sends.
type waiting struct {
	timeout time.Duration
	cancel  context.CancelCauseFunc

	mu    sync.Mutex // progress comes from the goroutine that sends the body
	timer *time.Timer
	over  bool
}

func withTimeout(parent context.Context, timeout time.Duration) (context.Context, *waiting) {
	ctx, cancel := context.WithCancelCause(parent)
	return ctx, &waiting{timeout: timeout, cancel: cancel, timer: time.AfterFunc(timeout, func() { cancel(errTimeout) })}
}

func (w *waiting) progress() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.timer.Reset(w.timeout)
	}
}

// arrived stops the clock.
func (w *waiting) arrived() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}

func (w *waiting) end() {
	w.arrived()
	w.cancel(context.Canceled)
}
