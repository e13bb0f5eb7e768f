package job

import (
	"context"
	"fmt"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

const pruneEvery = time.Hour

// Prune deletes what is too old to matter.
type Prune struct{ cfg Config }

// NewPrune makes the job; it does nothing until [Prune.Run].
func NewPrune(cfg Config) *Prune { return &Prune{cfg} }

// Run does the job, or waits for its turn, until ctx ends.
func (p *Prune) Run(ctx context.Context) error {
	return p.cfg.DB.System().Leader(ctx, "prune", func(ctx context.Context) error {
		tick := time.NewTicker(pruneEvery)
		defer tick.Stop()
		for {
			if err := p.once(ctx); err != nil && ctx.Err() == nil {
				p.cfg.Log.ErrorContext(ctx, "prune", "error", err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
	})
}

func (p *Prune) once(ctx context.Context) error {
	system := p.cfg.DB.System()
	if err := system.Prune(ctx); err != nil {
		return err
	}
	heads, err := system.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read heads: %w", err)
	}
	for _, head := range heads {
		err := p.cfg.DB.Tenant(ctx, head.TenantUID, func(tx *store.TenantTx) error {
			n, err := tx.PruneRevocations()
			if err != nil || n == 0 {
				return err
			}
			return tx.Record(store.Change{
				Lane:   controlplane.Urgent,
				Caller: &controlplane.Caller{Actor: "system", ActorKind: "system", TenantUID: head.TenantUID, TenantID: head.ID, Method: "job/prune"},
				Items:  []store.ChangeItem{{Name: "tenants/" + head.ID + "/revocations/-", Action: store.Deleted}},
			})
		})
		if err != nil {
			p.cfg.Log.ErrorContext(ctx, "prune revocations", "tenant_uid", string(head.TenantUID), "error", err)
		}
	}
	return p.forget(ctx)
}

func (p *Prune) forget(ctx context.Context) error {
	edges, err := p.cfg.DB.System().AllEdges(ctx)
	if err != nil {
		return fmt.Errorf("read edges: %w", err)
	}
	for _, e := range edges {
		if !forgettable(e, p.cfg.Now()) {
			continue
		}
		err := p.cfg.DB.Tenant(ctx, controlplane.PlatformUID, func(tx *store.TenantTx) error { return tx.ForgetEdge(e.EdgeUID) })
		if err != nil {
			return fmt.Errorf("forget edge %s: %w", e.EdgeUID, err)
		}
	}
	return nil
}

// forgettable says whether a deleted edge can no longer ask what has become of it, and nothing that it held is in use.
func forgettable(e store.Edge, now time.Time) bool {
	return e.LeftHow == "deleted" && e.KeysDue == "" && now.Sub(e.LeftTime) > edgefleet.Remembered
}
