package edgefleet

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

const (
	// presenceEvery is how often who was heard is written: well below [Silence], and one statement for all.
	presenceEvery = time.Second
	// arriveEvery is how long an arrival waits for others at most, so that a storm of them is few statements.
	arriveEvery = 10 * time.Millisecond
)

// Presence writes which edges were heard. What an edge says a thousand times a second is one row a second.
type Presence struct {
	system *store.System
	log    *slog.Logger
	arrive chan struct{}

	writing sync.Mutex // a goodbye must not be overtaken by a "was heard" that is on its way
	mu      sync.Mutex
	heard   map[controlplane.UID]store.EdgeSeen
	written chan struct{} // closed when what is heard now has been written
	failed  *error        // of that writing; set before written is closed
}

// NewPresence makes one; it writes nothing until [Presence.Run].
func NewPresence(system *store.System, log *slog.Logger) *Presence {
	return &Presence{
		system: system, log: log, arrive: make(chan struct{}, 1),
		heard: make(map[controlplane.UID]store.EdgeSeen), written: make(chan struct{}), failed: new(error),
	}
}

// Heard notes that an edge is there.
func (p *Presence) Heard(edge controlplane.UID, boot, version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard[edge] = store.EdgeSeen{EdgeUID: edge, Boot: clip(boot), Version: clip(version)}
}

// Arrived is Heard for an edge that has just connected. It returns when that is written: an edge that is sent anything
// must be one that is waited for.
func (p *Presence) Arrived(ctx context.Context, edge controlplane.UID, boot, version string) error {
	p.mu.Lock()
	p.heard[edge] = store.EdgeSeen{EdgeUID: edge, Boot: clip(boot), Version: clip(version)}
	written, failed := p.written, p.failed
	p.mu.Unlock()
	select {
	case p.arrive <- struct{}{}:
	default:
	}
	select {
	case <-written:
		return *failed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Departed writes that an edge has said goodbye and serves no more. What was heard of it before is moot.
func (p *Presence) Departed(ctx context.Context, edge controlplane.UID) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	delete(p.heard, edge)
	p.mu.Unlock()
	return p.system.EdgeDeparted(ctx, edge)
}

// Run writes until ctx ends.
func (p *Presence) Run(ctx context.Context) error {
	tick := time.NewTicker(presenceEvery)
	defer tick.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-p.arrive:
			select {
			case <-pause.C: // the last arrivals are a while ago
			case <-ctx.Done():
				return ctx.Err()
			}
			pause.Reset(arriveEvery)
		}
		if err := p.flush(ctx); err != nil && ctx.Err() == nil {
			// Lost for a second: whoever is still there is heard again.
			p.log.ErrorContext(ctx, "write which edges were heard", "error", err)
		}
	}
}

func (p *Presence) flush(ctx context.Context) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.mu.Lock()
	heard := make([]store.EdgeSeen, 0, len(p.heard))
	for _, e := range p.heard {
		heard = append(heard, e)
	}
	clear(p.heard)
	written, failed := p.written, p.failed
	p.written, p.failed = make(chan struct{}), new(error)
	p.mu.Unlock()
	err := p.system.EdgesSeen(ctx, heard)
	*failed = err
	close(written)
	return err
}
