package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// assembly is one tenant's rows, in the form that the views of all its pools are made from. It does no I/O and is not
// safe for concurrent use: the tenant's loop owns it.
type assembly struct {
	head        store.Head
	shared      map[Key]*Entry // config lane: the same for every pool
	people      *people
	providers   map[string]provider // identity providers: sealed for each pool
	pools       map[controlplane.UID]*controlplane.Resource
	tenants     map[string]controlplane.UID // platform only: who the ids in pools are
	revocations map[Key]*Entry
	keys        map[keyID]keyring.PoolKey
	compress    *zstd.Encoder
}

type keyID struct {
	pool    controlplane.UID
	purpose keyring.Purpose
	id      string
}

type provider struct {
	resource *controlplane.Resource
	secret   []byte
}

// step is what one application of rows changed.
type step struct {
	replaceConfig, replaceUrgent bool
	shared                       []*Entry
	providers                    map[string]bool
	pools                        map[controlplane.UID]bool
	revocations                  []*Entry
	removedConfig, removedUrgent []removal
}

func newAssembly(compress *zstd.Encoder) *assembly {
	a := &assembly{compress: compress}
	a.forgetConfig()
	a.forgetUrgent()
	return a
}

func (a *assembly) forgetConfig() {
	a.shared, a.providers = make(map[Key]*Entry), make(map[string]provider)
	a.pools = make(map[controlplane.UID]*controlplane.Resource)
	a.people = newPeople()
}

func (a *assembly) forgetUrgent() {
	a.revocations, a.keys = make(map[Key]*Entry), make(map[keyID]keyring.PoolKey)
}

// apply takes in what the store says has changed since the revisions that the assembly holds.
func (a *assembly) apply(rows *store.SnapshotRows) (*step, error) {
	s := &step{
		replaceConfig: rows.ReplaceConfig, replaceUrgent: rows.ReplaceUrgent,
		providers: make(map[string]bool), pools: make(map[controlplane.UID]bool),
	}
	if rows.ReplaceConfig {
		a.forgetConfig()
	}
	if rows.ReplaceUrgent {
		a.forgetUrgent()
	}
	people := a.people.draft()
	for _, removed := range rows.Removed {
		a.remove(s, removed)
		if removed.Lane == controlplane.Config {
			people.remove(Key{removed.Kind, removed.ID})
		}
	}
	tokens := tokensByAccount(rows.Tokens)
	for _, r := range rows.Resources {
		if err := a.put(s, r, tokens[r.UID]); err != nil {
			return nil, fmt.Errorf("tenant %s: %w", rows.Head.TenantUID, err)
		}
		people.put(r.Resource)
	}
	if err := a.tell(s, people, rows.Head.Config); err != nil {
		return nil, fmt.Errorf("tenant %s: %w", rows.Head.TenantUID, err)
	}
	for _, r := range rows.Revocations {
		entry, err := revocationEntry(r)
		if err != nil {
			return nil, err
		}
		a.revocations[entry.key()] = entry
		s.revocations = append(s.revocations, entry)
	}
	a.putKeys(rows.Keys)
	a.head = rows.Head
	if rows.Tenants != nil {
		a.tenants = rows.Tenants
	}
	return s, nil
}

// tell adds what has changed for people.
func (a *assembly) tell(s *step, people *draft, revision int64) error {
	changed, removed, err := people.finish(revision)
	for _, entry := range changed {
		a.shared[entry.key()] = entry
	}
	for _, r := range removed {
		delete(a.shared, r.key)
	}
	s.shared, s.removedConfig = append(s.shared, changed...), append(s.removedConfig, removed...)
	return err
}

func (a *assembly) remove(s *step, removed store.Removed) {
	key := Key{removed.Kind, removed.ID}
	r := removal{key, removed.Revision}
	switch {
	case removed.Kind == "Keyset":
		a.dropKeys(removed.PoolUID, keyring.Purpose(removed.ID))
	case removed.Kind == "AssertionKey":
		delete(a.keys, keyID{removed.PoolUID, keyring.Assertion, removed.ID})
	case removed.Lane == controlplane.Urgent:
		delete(a.revocations, key)
		s.removedUrgent = append(s.removedUrgent, r)
	case removed.Kind == string(controlplane.KindEdgePool):
		// Nobody follows a pool that is gone: it had no edges left.
		maps.DeleteFunc(a.pools, func(_ controlplane.UID, r *controlplane.Resource) bool { return r.ID == removed.ID })
	default:
		delete(a.shared, key)
		if removed.Kind == string(controlplane.KindIdentityProvider) {
			delete(a.providers, removed.ID)
		}
		s.removedConfig = append(s.removedConfig, r)
	}
}

// putKeys takes in key rows. Of a keyset all rows come or none, and of data keys only the one that seals: what was there
// of these is gone. Assertion keys come one by one.
func (a *assembly) putKeys(rows []keyring.PoolKey) {
	for _, k := range rows {
		if k.Purpose != keyring.Assertion {
			a.dropKeys(k.Pool, k.Purpose)
		}
	}
	for _, k := range rows {
		a.keys[keyID{k.Pool, k.Purpose, k.ID}] = k
	}
}

func (a *assembly) dropKeys(pool controlplane.UID, purpose keyring.Purpose) {
	maps.DeleteFunc(a.keys, func(id keyID, _ keyring.PoolKey) bool { return id.pool == pool && id.purpose == purpose })
}

func (a *assembly) put(s *step, r store.SnapshotResource, tokens []*edgev1.ServiceToken) error {
	switch r.Spec.(type) {
	case *controlplane.IdentityProvider:
		a.providers[r.ID] = provider{r.Resource, r.Secrets["client_secret"]}
		s.providers[r.ID] = true
		return nil
	case *controlplane.EdgePool:
		a.pools[r.UID] = r.Resource
		s.pools[r.UID] = true
		return nil
	}
	entry, ok, err := configEntry(r.Resource, tokens)
	if err != nil || !ok {
		return err
	}
	a.shared[entry.key()] = entry
	s.shared = append(s.shared, entry)
	return nil
}

// view is what the edges of one pool are sent of one tenant, at one pair of revisions. It is immutable.
type view struct {
	head           store.Head
	config, urgent *lane
	signed         *edgev1.SignedHead
	issued         time.Time
	staleness      time.Duration // how long an edge that hears nothing keeps serving this
	dataKeyID      string
	dataKey        []byte // a serialised keyset; it leaves this process only wrapped to an edge
}

// viewFor makes the pool's view after a step; a nil prev is a pool that had none.
func (a *assembly) viewFor(pool controlplane.UID, prev *view, s *step) (*view, error) {
	keys, err := newPoolKeys(a.head.TenantUID, pool, maps.Values(a.keys))
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", a.head.TenantUID, err)
	}
	v := &view{head: a.head, dataKeyID: keys.dataKeyID}
	for _, row := range keys.byPurpose[keyring.Data] {
		if row.ID == keys.dataKeyID {
			v.dataKey = row.Secret
		}
	}
	if v.config, err = a.configLane(pool, prev, s, keys); err != nil {
		return nil, err
	}
	if v.urgent, err = a.urgentLane(prev, s, keys); err != nil {
		return nil, err
	}
	for _, e := range v.config.entries {
		v.staleness = max(v.staleness, e.staleness)
	}
	return v, nil
}

func (a *assembly) configLane(pool controlplane.UID, prev *view, s *step, keys *poolKeys) (*lane, error) {
	whole := prev == nil || s.replaceConfig
	if !whole && prev.config.number == a.head.Config {
		return prev.config, nil
	}
	var before *lane
	changed, removed := s.shared, s.removedConfig
	if whole {
		changed, removed = values(a.shared), nil
	} else {
		before = prev.config
	}
	changed = slices.Clone(changed)
	for id, p := range a.providers {
		if !whole && !s.providers[id] {
			continue
		}
		entry, err := providerEntry(p.resource, p.resource.Spec.(*controlplane.IdentityProvider), p.secret, keys)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", a.head.TenantUID, err)
		}
		changed = append(changed, entry)
	}
	if r, ok := a.pools[pool]; ok && (whole || s.pools[pool]) {
		spec := r.Spec.(*controlplane.EdgePool)
		entry, err := poolEntry(r, spec, a.tenantsOf(spec))
		if err != nil {
			return nil, err
		}
		changed = append(changed, entry)
	}
	return nextLane(before, controlplane.Config, a.head.Config, changed, removed, a.compress), nil
}

func (a *assembly) urgentLane(prev *view, s *step, keys *poolKeys) (*lane, error) {
	whole := prev == nil || s.replaceUrgent
	if !whole && prev.urgent.number == a.head.Urgent {
		return prev.urgent, nil
	}
	current, err := keyEntries(keys)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", a.head.TenantUID, err)
	}
	if whole {
		return nextLane(nil, controlplane.Urgent, a.head.Urgent, append(values(a.revocations), current...), nil, a.compress), nil
	}
	changed, removed := slices.Clone(s.revocations), slices.Clone(s.removedUrgent)
	have := make(map[Key]bool)
	for _, entry := range current {
		have[entry.key()] = true
	}
	for _, old := range prev.urgent.entries {
		if isKey(old) && !have[old.key()] {
			removed = append(removed, removal{old.key(), a.head.Urgent})
		}
	}
	return nextLane(prev.urgent, controlplane.Urgent, a.head.Urgent, append(changed, current...), removed, a.compress), nil
}

func isKey(e *Entry) bool { return e.Resource.Kind == "Keyset" || e.Resource.Kind == "AssertionKey" }

// tenantsOf names whom a pool serves by uid, in a fixed order. The write path refuses ids that do not exist and keeps
// tenants that a pool names from being deleted.
func (a *assembly) tenantsOf(spec *controlplane.EdgePool) []*edgev1.PoolTenant {
	var tenants []*edgev1.PoolTenant
	for _, id := range slices.Sorted(slices.Values(spec.Tenants)) {
		if uid, ok := a.tenants[id]; ok {
			tenants = append(tenants, &edgev1.PoolTenant{Uid: string(uid), Id: id})
		}
	}
	return tenants
}

func values(entries map[Key]*Entry) []*Entry {
	all := make([]*Entry, 0, len(entries))
	for _, e := range entries {
		all = append(all, e)
	}
	return all
}
