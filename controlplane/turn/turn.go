// Package turn lets work that costs much be done by a few at a time: some in all, fewer of them for one tenant, whoever
// came first. A tenant that asks for a lot waits for itself, and never makes another wait behind more than what of it is
// being done.
//
// It must never hold what was given back, nor keep anybody waiting who has left.
package turn

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// maxWaiting bounds who waits for one tenant; more are told to come back.
const maxWaiting = 64

// Config is what [New] needs.
type Config struct {
	// What is done, in the plural, as a refusal says it: "previews".
	What string
	// All is how many have their turn at a time, Each how many of them for one tenant.
	All, Each int
}

// Turns hands out turns.
type Turns struct {
	Config
	all chan struct{}

	mu   sync.Mutex
	each map[controlplane.UID]*line
}

// line is who does something for a tenant, or waits to. Whoever can send on turns may go on.
type line struct {
	turns   chan struct{}
	present int // guarded by Turns.mu
}

// New makes Turns.
func New(config Config) *Turns {
	return &Turns{Config: config, all: make(chan struct{}, config.All), each: map[controlplane.UID]*line{}}
}

// Take waits for a turn of a tenant; give ends it. The tenant's own line comes first: what waits in it is in nobody's way.
func (t *Turns) Take(ctx context.Context, tenant controlplane.UID) (give func(), err error) {
	own, err := t.join(tenant)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, own.turns); err != nil {
		t.leave(tenant, own)
		return nil, err
	}
	if err := wait(ctx, t.all); err != nil {
		<-own.turns
		t.leave(tenant, own)
		return nil, err
	}
	return func() {
		<-t.all
		<-own.turns
		t.leave(tenant, own)
	}, nil
}

// wait takes a place, if the caller is still there.
func wait(ctx context.Context, places chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *Turns) join(tenant controlplane.UID) (*line, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.each[tenant]
	if own == nil {
		own = &line{turns: make(chan struct{}, t.Each)}
		t.each[tenant] = own
	}
	if own.present >= t.Each+maxWaiting {
		return nil, &controlplane.Error{
			Kind: controlplane.Exhausted, Reason: controlplane.ReasonRate,
			Message: fmt.Sprintf("more than %d %s wait already", maxWaiting, t.What), RetryAfter: time.Second,
		}
	}
	own.present++
	return own, nil
}

func (t *Turns) leave(tenant controlplane.UID, own *line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.present--; own.present == 0 {
		delete(t.each, tenant)
	}
}
