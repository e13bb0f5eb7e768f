package snapshot

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// tenant keeps one tenant's views current while somebody streams them. Its loop alone touches the assembly.
type tenant struct {
	uid  controlplane.UID
	p    *Publisher
	log  *slog.Logger
	wake chan struct{}
	rows *assembly

	mu        sync.Mutex
	slots     map[controlplane.UID]*slot // by pool
	behind    bool                       // something may have changed that is not in the views
	loaded    bool
	head      store.Head
	confirmed time.Time // the newest instant at which the database was seen to be at head
}

// slot is one tenant for one pool, and the streams that follow it.
type slot struct {
	tenant  *tenant
	pool    controlplane.UID
	view    atomic.Pointer[view] // nil until first read
	streams map[*Stream]struct{} // guarded by tenant.mu
}

func newTenant(p *Publisher, uid controlplane.UID) *tenant {
	return &tenant{
		uid: uid, p: p, log: p.cfg.Log.With("tenant_uid", string(uid)),
		wake: make(chan struct{}, 1), rows: newAssembly(p.compress), slots: make(map[controlplane.UID]*slot), behind: true,
	}
}

func (t *tenant) run(ctx context.Context) {
	// Spread over the period, so that many tenants do not sign at once.
	resign := time.NewTimer(rand.N(headEvery)) //nolint:gosec // spreads load, hides nothing
	defer resign.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wake:
			if !t.refresh(ctx) {
				return
			}
		case <-resign.C:
			t.resign()
			resign.Reset(headEvery)
		}
	}
}

func (t *tenant) poke() {
	t.mu.Lock()
	t.behind = true
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *tenant) current() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.loaded
}

func (t *tenant) compare(head store.Head, at time.Time) {
	t.mu.Lock()
	same := !t.behind && t.loaded && head.Config == t.head.Config && head.Urgent == t.head.Urgent && head.Lineage == t.head.Lineage
	if same && at.After(t.confirmed) {
		t.confirmed = at
	}
	t.mu.Unlock()
	if !same {
		t.poke()
	}
}

// join adds a stream to the tenant's pool. The slot's view may be nil, or old if nobody followed the tenant: the stream
// is marked when it is current.
func (t *tenant) join(s *Stream, pool controlplane.UID) *slot {
	t.mu.Lock()
	sl, ok := t.slots[pool]
	if !ok {
		sl = &slot{tenant: t, pool: pool, streams: make(map[*Stream]struct{})}
		t.slots[pool] = sl
	}
	current := t.loaded && t.followed() && sl.view.Load() != nil
	sl.streams[s] = struct{}{}
	t.mu.Unlock()
	if !current {
		t.poke()
	}
	return sl
}

func (t *tenant) leave(s *Stream, sl *slot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(sl.streams, s)
}

// followed reports whether anybody streams the tenant. The platform always counts: which tenants an edge may be sent
// must never come from an old reading.
func (t *tenant) followed() bool {
	if t.uid == controlplane.PlatformUID {
		return true
	}
	for _, sl := range t.slots {
		if len(sl.streams) > 0 {
			return true
		}
	}
	return false
}

// refresh brings the views up to date. It returns false when the tenant is no more: pools name it no longer, so its
// streams drop it by the platform's view. A failure leaves the tenant behind, and the next comparison wakes it again.
func (t *tenant) refresh(ctx context.Context) bool {
	t.mu.Lock()
	needed := t.behind && t.followed()
	if needed {
		t.behind = false
	}
	t.mu.Unlock()
	if !needed {
		return true
	}
	select {
	case t.p.loads <- struct{}{}:
		defer func() { <-t.p.loads }()
	case <-ctx.Done():
		return true
	}
	at := t.p.cfg.Now()
	err := t.load(ctx, at)
	switch {
	case err == nil:
		t.p.cfg.Metrics.built(t.p.cfg.Now().Sub(at))
		return true
	case controlplane.KindOf(err) == controlplane.NotFound && t.uid != controlplane.PlatformUID:
		t.p.forget(t)
		return false
	}
	t.mu.Lock()
	t.behind = true
	t.mu.Unlock()
	if ctx.Err() == nil {
		t.p.cfg.Metrics.buildFailed()
		t.log.ErrorContext(ctx, "build snapshot", "error", err)
	}
	return true
}

// load reads what has changed and publishes it. Once the rows have taken in a step, all views must: whatever fails after
// that, the next load starts over from nothing.
func (t *tenant) load(ctx context.Context, at time.Time) error {
	rows, err := t.read(ctx)
	if err != nil {
		return err
	}
	views, err := t.build(ctx, rows, at)
	if err != nil {
		t.rows = newAssembly(t.p.compress)
		return err
	}
	t.publish(views, at)
	return nil
}

// read returns what has changed since the rows that are held, or everything if the history is not their continuation.
func (t *tenant) read(ctx context.Context) (*store.SnapshotRows, error) {
	held := t.rows.head
	rows, err := t.p.cfg.Store.Snapshot(ctx, t.uid, held.Config, held.Urgent)
	if err != nil || held.Lineage == "" || rows.Head.Lineage == held.Lineage {
		return rows, err
	}
	t.log.WarnContext(ctx, "the tenant's history is another one", "was", held.Lineage, "is", rows.Head.Lineage)
	return t.p.cfg.Store.Snapshot(ctx, t.uid, 0, 0)
}

func (t *tenant) build(ctx context.Context, rows *store.SnapshotRows, at time.Time) (map[*slot]*view, error) {
	step, err := t.rows.apply(rows)
	if err != nil {
		return nil, err
	}
	if t.uid == controlplane.PlatformUID {
		if err := t.p.refit(ctx, t.rows); err != nil {
			return nil, err
		}
	}
	t.mu.Lock()
	slots := slices.Collect(maps.Values(t.slots))
	t.mu.Unlock()
	views := make(map[*slot]*view, len(slots))
	for _, sl := range slots {
		v, err := t.rows.viewFor(sl.pool, sl.view.Load(), step)
		if err != nil {
			return nil, err
		}
		v.issued = at
		if v.signed, err = t.p.cfg.Signer.head(sl.pool, v.head, v.config, v.urgent, at); err != nil {
			return nil, err
		}
		views[sl] = v
	}
	return views, nil
}

func (t *tenant) publish(views map[*slot]*view, at time.Time) {
	streams := make(map[*Stream]bool) // to whether it has waited for a first view, and so for a first head
	t.mu.Lock()
	for sl, v := range views {
		first := sl.view.Load() == nil
		sl.view.Store(v)
		for s := range sl.streams {
			streams[s] = first
		}
	}
	t.head, t.loaded = t.rows.head, true
	if at.After(t.confirmed) {
		t.confirmed = at
	}
	t.mu.Unlock()
	for s, first := range streams {
		s.mark(t.uid, true, true, first)
	}
}

// resign signs the heads anew, dated by the last look at the database, so that edges know how old their policy is at
// most. If there was no such look since the last time, there is nothing new to say.
func (t *tenant) resign() {
	t.mu.Lock()
	issued := t.confirmed
	var streams []*Stream
	for _, sl := range t.slots {
		v := sl.view.Load()
		if v == nil || len(sl.streams) == 0 || !issued.After(v.issued) {
			continue
		}
		again := *v
		again.issued = issued
		var err error
		if again.signed, err = t.p.cfg.Signer.head(sl.pool, v.head, v.config, v.urgent, issued); err != nil {
			t.log.Error("sign head", "error", err)
			continue
		}
		sl.view.Store(&again)
		for s := range sl.streams {
			streams = append(streams, s)
		}
	}
	t.mu.Unlock()
	for _, s := range streams {
		s.mark(t.uid, false, false, true)
	}
}
