package snapshot

import (
	"context"
	"fmt"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// fleet is which pool serves whom, by the newest reading of the platform.
type fleet struct {
	generation int64 // orders readings
	serves     map[controlplane.UID][]controlplane.UID
}

// refit gives every stream the tenants that its edge's pool serves now, and cuts the streams of edges that may no longer
// have one. The platform's loop calls it with each reading.
func (p *Publisher) refit(ctx context.Context, platform *assembly) error {
	rows, err := p.cfg.Store.AllEdges(ctx)
	if err != nil {
		return fmt.Errorf("read edges: %w", err)
	}
	edges := make(map[controlplane.UID]store.Edge, len(rows))
	for _, e := range rows {
		edges[e.EdgeUID] = e
	}
	serves := make(map[controlplane.UID][]controlplane.UID)
	for uid, pool := range platform.pools {
		for _, t := range platform.tenantsOf(pool.Spec.(*controlplane.EdgePool)) {
			serves[uid] = append(serves[uid], controlplane.UID(t.Uid))
		}
	}
	p.mu.Lock()
	p.fleet = fleet{p.fleet.generation + 1, serves}
	now := p.fleet
	streams := make([]*Stream, 0, len(p.streams))
	for s := range p.streams {
		streams = append(streams, s)
	}
	p.mu.Unlock()
	for _, s := range streams {
		// A row that is missing belongs to an edge that enrolled after this reading.
		if e, ok := edges[s.edge.UID]; ok {
			if reason := goodbyes[edgefleet.StandingOf(e, s.edge.SPKISHA256)]; reason != "" {
				s.Cut(reason)
				continue
			}
		}
		s.serve(now)
	}
	return nil
}

// Serves returns the tenants that a pool serves, by the newest reading.
func (p *Publisher) Serves(pool controlplane.UID) []controlplane.UID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fleet.serves[pool]
}

// goodbyes are what edges are told that may not be served.
var goodbyes = map[edgefleet.Standing]string{edgefleet.Disabled: GoodbyeDisabled, edgefleet.Removed: GoodbyeRemoved}
