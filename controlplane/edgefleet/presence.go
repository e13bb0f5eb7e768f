package edgefleet

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// presenceEvery is how often who was heard is written: well below [Silence], and one statement for all.
const presenceEvery = time.Second

// Presence writes which edges were heard. What an edge says a thousand times a second is one row a second.
type Presence struct {
	system *store.System
	log    *slog.Logger

	writing sync.Mutex // a goodbye must not be overtaken by a "was heard" that is on its way
	mu      sync.Mutex
	heard   map[controlplane.UID]store.EdgeSeen
}

// NewPresence makes one; it writes nothing until [Presence.Run].
func NewPresence(system *store.System, log *slog.Logger) *Presence {
	return &Presence{system: system, log: log, heard: make(map[controlplane.UID]store.EdgeSeen)}
}

// Heard notes that an edge is there.
func (p *Presence) Heard(edge controlplane.UID, boot, version string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard[edge] = store.EdgeSeen{EdgeUID: edge, Boot: clip(boot), Version: clip(version)}
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
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := p.flush(ctx); err != nil && ctx.Err() == nil {
			// Lost for a second: whoever is still there is heard again.
			p.log.Error("write which edges were heard", "error", err)
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
	p.mu.Unlock()
	if len(heard) == 0 {
		return nil
	}
	return p.system.EdgesSeen(ctx, heard)
}
