package job

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

const (
	// keysEvery is how often keys are looked at without a reason.
	keysEvery = time.Minute
	// settledFor is how long a tenant whose pools are the same is not looked at again: schedules count in days.
	settledFor = time.Hour
)

// Config is what a job needs; every field is required.
type Config struct {
	DB  *store.DB
	Now func() time.Time
	Log *slog.Logger
}

// Keys makes, rotates and drops the keys that tenants have at pools.
type Keys struct {
	cfg  Config
	wake chan struct{}
}

// NewKeys makes the job; it does nothing until [Keys.Run].
func NewKeys(cfg Config) *Keys { return &Keys{cfg: cfg, wake: make(chan struct{}, 1)} }

// Wake says that pools, edges or tenants have changed.
func (k *Keys) Wake() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run does the job, or waits for its turn, until ctx ends.
func (k *Keys) Run(ctx context.Context) error {
	return k.cfg.DB.System().Leader(ctx, "keys", func(ctx context.Context) error {
		settled := make(map[controlplane.UID]settlement)
		tick := time.NewTicker(keysEvery)
		defer tick.Stop()
		for {
			if err := k.reconcile(ctx, settled); err != nil && ctx.Err() == nil {
				k.cfg.Log.ErrorContext(ctx, "keep keys in order", "error", err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-k.wake:
			case <-tick.C:
			}
		}
	})
}

// settlement is what a tenant's pools were when its keys were found in order. It only saves work.
type settlement struct {
	pools []pool
	until time.Time
}

func (k *Keys) reconcile(ctx context.Context, settled map[controlplane.UID]settlement) error {
	// Edges before pools: an edge that leaves after this reading is due in the next one.
	edges, err := k.cfg.DB.System().AllEdges(ctx)
	if err != nil {
		return fmt.Errorf("read edges: %w", err)
	}
	due := make(map[controlplane.UID]string)
	for _, e := range edges {
		if e.KeysDue == dueReplace || e.KeysDue == dueRotate && due[e.PoolUID] == "" {
			due[e.PoolUID] = e.KeysDue
		}
	}
	serving, err := k.serving(ctx, due)
	if err != nil {
		return err
	}
	heads, err := k.cfg.DB.System().Heads(ctx)
	if err != nil {
		return fmt.Errorf("read heads: %w", err)
	}
	failed := make(map[controlplane.UID]bool) // pools
	now := k.cfg.Now()
	for _, head := range heads {
		if head.TenantUID == controlplane.PlatformUID {
			continue
		}
		pools := serving[head.ID]
		if was, ok := settled[head.TenantUID]; ok && slices.Equal(was.pools, pools) && now.Before(was.until) && !anyDue(pools) {
			continue
		}
		if err := k.tenant(ctx, head, pools); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// The others' keys do not wait for this one's.
			k.cfg.Log.ErrorContext(ctx, "keep keys in order", "tenant_uid", string(head.TenantUID), "error", err)
			for _, p := range pools {
				failed[p.uid] = true
			}
			continue
		}
		settled[head.TenantUID] = settlement{withoutDue(pools), now.Add(settledFor)}
	}
	return k.settle(ctx, edges, failed)
}

// serving reads which pools serve which tenant, by the tenant's id.
func (k *Keys) serving(ctx context.Context, due map[controlplane.UID]string) (map[string][]pool, error) {
	serving := make(map[string][]pool)
	err := k.cfg.DB.Read(ctx, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		clear(serving)
		resources, err := tx.AllResources(controlplane.KindEdgePool)
		if err != nil {
			return err
		}
		for _, r := range resources {
			spec := r.Spec.(*controlplane.EdgePool)
			for _, tenant := range spec.Tenants {
				serving[tenant] = append(serving[tenant], pool{uid: r.UID, id: r.ID, login: spec.Login, due: due[r.UID]})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read edge pools: %w", err)
	}
	return serving, nil
}

func anyDue(pools []pool) bool {
	return slices.ContainsFunc(pools, func(p pool) bool { return p.due != "" })
}

func withoutDue(pools []pool) []pool {
	out := slices.Clone(pools)
	for i := range out {
		out[i].due = ""
	}
	return out
}

// tenant brings one tenant's keys in order.
func (k *Keys) tenant(ctx context.Context, head store.Head, pools []pool) error {
	var needed bool
	look := func(tx *store.TenantTx) (*plan, error) {
		keys, err := tx.Keys("")
		if err != nil {
			return nil, err
		}
		p, err := planKeys(pools, keys, k.cfg.Now())
		if err != nil {
			return nil, err
		}
		needed = !p.empty()
		return p, nil
	}
	if err := k.cfg.DB.Read(ctx, head.TenantUID, func(tx *store.TenantTx) error { _, err := look(tx); return err }); err != nil {
		return err
	}
	if !needed {
		return nil
	}
	return k.cfg.DB.Tenant(ctx, head.TenantUID, func(tx *store.TenantTx) error {
		p, err := look(tx)
		if err != nil || p.empty() {
			return err
		}
		items := keyItems(p, pools) // before the keys get their revision, by which new ones are told apart
		if err := tx.UpdateKeys(p.put, p.drop); err != nil {
			return err
		}
		if err := tx.Record(store.Change{Lane: controlplane.Urgent, Caller: k.caller(head), Items: items}); err != nil {
			return err
		}
		if !p.reseal {
			return nil
		}
		return k.touchSecrets(tx, head)
	})
}

// touchSecrets marks every resource whose secret edges are sent.
func (k *Keys) touchSecrets(tx *store.TenantTx, head store.Head) error {
	providers, err := tx.AllResources(controlplane.KindIdentityProvider)
	if err != nil || len(providers) == 0 {
		return err
	}
	var items []store.ChangeItem
	for _, r := range providers {
		if err := tx.Touch(r.Kind, r.ID); err != nil {
			return err
		}
		items = append(items, store.ChangeItem{
			Name:   controlplane.Name{Tenant: head.ID, Kind: r.Kind, ID: r.ID}.String(),
			Action: store.Updated,
		})
	}
	return tx.Record(store.Change{Lane: controlplane.Config, Caller: k.caller(head), Items: items})
}

func (k *Keys) caller(head store.Head) *controlplane.Caller {
	return &controlplane.Caller{Actor: "system", ActorKind: "system", TenantUID: head.TenantUID, TenantID: head.ID, Method: "job/keys"}
}

// keyItems says what happened to which key; never more than its name.
func keyItems(p *plan, pools []pool) []store.ChangeItem {
	names := make(map[controlplane.UID]string)
	for _, p := range pools {
		names[p.uid] = p.id
	}
	var items []store.ChangeItem
	for _, k := range p.drop {
		items = append(items, store.ChangeItem{Name: keyName(names, k.Pool, string(k.Purpose), k.ID), Action: store.Deleted})
	}
	for _, k := range p.put {
		action := store.Created
		if k.Revision != 0 {
			action = store.Updated
		}
		items = append(items, store.ChangeItem{Name: keyName(names, k.Pool, string(k.Purpose), k.ID), Action: action})
	}
	return items
}

func keyName(pools map[controlplane.UID]string, uid controlplane.UID, purpose, id string) string {
	name, ok := pools[uid]
	if !ok {
		name = string(uid) // a pool that serves the tenant no more
	}
	return "edgePools/" + name + "/keys/" + purpose + "." + id
}

// settle notes that the keys of edges that left are replaced, where all tenants of the pool are done.
func (k *Keys) settle(ctx context.Context, edges []store.Edge, failed map[controlplane.UID]bool) error {
	var done []store.Edge
	for _, e := range edges {
		if e.KeysDue != "" && !failed[e.PoolUID] {
			done = append(done, e)
		}
	}
	if len(done) == 0 {
		return nil
	}
	err := k.cfg.DB.Tenant(ctx, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		for _, e := range done {
			if err := tx.SettleEdge(e.EdgeUID, e.LeftTime); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle edges that left: %w", err)
	}
	return nil
}
