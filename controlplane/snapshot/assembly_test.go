package snapshot

import (
	"bytes"
	"maps"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

const (
	tenantUID = controlplane.UID("01900000-0000-7000-8000-00000000000a")
	devPool   = controlplane.UID("01900000-0000-7000-8000-0000000000d1")
	otherPool = controlplane.UID("01900000-0000-7000-8000-0000000000d2")
)

// history is a tenant's rows, which an assembly can be told of from any revision on.
type history struct {
	t         *testing.T
	head      store.Head
	resources map[string]store.SnapshotResource
	keys      map[keyID]keyring.PoolKey
	removed   []store.Removed
}

func newHistory(t *testing.T) *history {
	return &history{t: t, head: store.Head{TenantUID: tenantUID, Lineage: "L"}, resources: map[string]store.SnapshotResource{}, keys: map[keyID]keyring.PoolKey{}}
}

func (h *history) put(r *controlplane.Resource, secret string) {
	h.head.Config++
	r.Revision, r.UID = h.head.Config, controlplane.UID("uid of "+r.ID)
	row := store.SnapshotResource{Resource: r}
	if secret != "" {
		row.Secrets = map[string][]byte{"client_secret": []byte(secret)}
	}
	h.resources[r.ID] = row
}

func (h *history) remove(id string) {
	h.head.Config++
	h.removed = append(h.removed, store.Removed{Lane: controlplane.Config, Kind: string(h.resources[id].Kind), ID: id, PoolUID: controlplane.PlatformUID, Revision: h.head.Config})
	delete(h.resources, id)
}

// updateKeys does what the store does.
func (h *history) updateKeys(put, drop []keyring.PoolKey) {
	h.head.Urgent++
	touched := map[keyring.Purpose]bool{}
	for _, k := range drop {
		delete(h.keys, keyID{k.Pool, k.Purpose, k.ID})
		touched[k.Purpose] = true
		if k.Purpose == keyring.Assertion {
			h.removed = append(h.removed, store.Removed{Lane: controlplane.Urgent, Kind: "AssertionKey", ID: k.ID, PoolUID: k.Pool, Revision: h.head.Urgent})
		}
	}
	for _, k := range put {
		k.Revision = h.head.Urgent
		h.keys[keyID{k.Pool, k.Purpose, k.ID}] = k
		touched[k.Purpose] = true
	}
	for id, k := range h.keys {
		if touched[k.Purpose] && k.Purpose != keyring.Assertion && k.Purpose != keyring.Data {
			k.Revision = h.head.Urgent
			h.keys[id] = k
		}
	}
	for purpose := range touched {
		left := false
		for id := range h.keys {
			left = left || id.purpose == purpose
		}
		if !left && purpose != keyring.Assertion && purpose != keyring.Data {
			h.removed = append(h.removed, store.Removed{Lane: controlplane.Urgent, Kind: "Keyset", ID: string(purpose), PoolUID: devPool, Revision: h.head.Urgent})
		}
	}
}

func (h *history) touch(id string) {
	h.head.Config++
	copied := *h.resources[id].Resource
	copied.Revision = h.head.Config
	h.resources[id] = store.SnapshotResource{Resource: &copied, Secrets: h.resources[id].Secrets}
}

func (h *history) since(config, urgent int64) *store.SnapshotRows {
	rows := &store.SnapshotRows{Head: h.head, ReplaceConfig: config == 0, ReplaceUrgent: urgent == 0}
	for _, r := range h.resources {
		if r.Revision > config {
			rows.Resources = append(rows.Resources, r)
		}
	}
	for _, k := range h.keys {
		if k.Revision > urgent {
			rows.Keys = append(rows.Keys, k)
		}
	}
	for _, r := range h.removed {
		if r.Lane == controlplane.Config && config > 0 && r.Revision > config || r.Lane == controlplane.Urgent && urgent > 0 && r.Revision > urgent {
			rows.Removed = append(rows.Removed, r)
		}
	}
	return rows
}

// follow applies what is new and returns the pool's next view.
func (h *history) follow(a *assembly, pool controlplane.UID, prev *view) *view {
	h.t.Helper()
	s, err := a.apply(h.since(a.head.Config, a.head.Urgent))
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := a.viewFor(pool, prev, s)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

// A replica that saw every step and one that has just started must sign the same.
func TestFollowingAndStartingAnewAgree(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	compress := encoder(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	provider := &controlplane.Resource{Kind: controlplane.KindIdentityProvider, ID: "demo", Spec: &controlplane.IdentityProvider{ClientID: "c"}}
	role := func(op string) *controlplane.Resource {
		return &controlplane.Resource{Kind: controlplane.KindRole, ID: "role", Spec: &controlplane.Role{Operations: []string{op}}}
	}
	var follower *view
	long := newAssembly(compress)
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"a provider without keys", func() { h.put(provider, "canary-secret") }},
		{"keys", func() {
			put, drop, err := keyring.Rotate(devPool, "dev", nil, now)
			if err != nil {
				t.Fatal(err)
			}
			h.updateKeys(put, drop)
			h.touch("demo")
		}},
		{"a role", func() { h.put(role("a"), "") }},
		{"another role", func() { h.put(role("b"), "") }},
		{"all keys are replaced", func() {
			put, drop, err := keyring.Replace(devPool, "dev", collect(h.keys), now)
			if err != nil {
				t.Fatal(err)
			}
			h.updateKeys(put, drop)
			h.touch("demo")
		}},
		{"no login", func() {
			var drop []keyring.PoolKey
			for _, k := range h.keys {
				if k.Purpose == keyring.Login {
					drop = append(drop, k)
				}
			}
			h.updateKeys(nil, drop)
			h.touch("demo")
		}},
		{"the role is gone", func() { h.remove("role") }},
		{"nothing for edges", func() { h.head.Config++ }},
	} {
		step.do()
		follower = h.follow(long, devPool, follower)
		fresh := h.follow(newAssembly(compress), devPool, nil)
		if !bytes.Equal(follower.config.root, fresh.config.root) {
			t.Errorf("%s: the config roots differ", step.name)
		}
		if !bytes.Equal(follower.urgent.root, fresh.urgent.root) {
			t.Errorf("%s: the urgent roots differ", step.name)
		}
		if follower.dataKeyID != fresh.dataKeyID || !bytes.Equal(follower.dataKey, fresh.dataKey) {
			t.Errorf("%s: the data keys differ", step.name)
		}
		for _, e := range append(follower.config.entries, follower.urgent.entries...) {
			if bytes.Contains(e.Resource.Bytes, []byte("canary-secret")) {
				t.Errorf("%s: a secret is in clear", step.name)
			}
		}
		login := hasKind(follower.urgent, "Keyset", "login")
		idp := &edgev1.IdentityProvider{}
		for _, e := range follower.config.entries {
			if e.Resource.Kind == "IdentityProvider" {
				if err := proto.Unmarshal(e.Resource.Bytes, idp); err != nil {
					t.Fatal(err)
				}
			}
		}
		if (idp.ClientSecret != nil) != login {
			t.Errorf("%s: secret %v, login key %v", step.name, idp.ClientSecret != nil, login)
		}
	}
}

// A resource of another kind may have the id of a provider, and goes without it.
func TestIDsOfOtherKinds(t *testing.T) {
	t.Parallel()
	compress := encoder(t)
	resource := func(kind controlplane.Kind, id string, spec controlplane.Spec) *controlplane.Resource {
		return &controlplane.Resource{Kind: kind, ID: id, Revision: 1, UID: "uid", Spec: spec}
	}
	a := newAssembly(compress)
	head := store.Head{TenantUID: tenantUID, Lineage: "L", Config: 1}
	provider := store.SnapshotResource{Resource: resource(controlplane.KindIdentityProvider, "demo", &controlplane.IdentityProvider{})}
	role := store.SnapshotResource{Resource: resource(controlplane.KindRole, "demo", &controlplane.Role{})}
	if _, err := a.apply(&store.SnapshotRows{Head: head, ReplaceConfig: true, Resources: []store.SnapshotResource{provider, role}}); err != nil {
		t.Fatal(err)
	}
	head.Config = 2
	s, err := a.apply(&store.SnapshotRows{Head: head, Removed: []store.Removed{{Lane: controlplane.Config, Kind: "Role", ID: "demo", Revision: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.viewFor(devPool, nil, s)
	if err != nil {
		t.Fatal(err)
	}
	if !hasKind(v.config, "IdentityProvider", "demo") || hasKind(v.config, "Role", "demo") {
		t.Error("with the role the provider is gone, or the role is not")
	}
}

func collect(keys map[keyID]keyring.PoolKey) []keyring.PoolKey {
	var all []keyring.PoolKey
	for k := range maps.Values(keys) {
		all = append(all, k)
	}
	return all
}

func hasKind(l *lane, kind, id string) bool {
	for _, e := range l.entries {
		if e.key() == (Key{kind, id}) {
			return true
		}
	}
	return false
}

func TestPoolsDoNotShareSecrets(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	h.put(&controlplane.Resource{Kind: controlplane.KindIdentityProvider, ID: "demo", Spec: &controlplane.IdentityProvider{}}, "secret")
	for pool, id := range map[controlplane.UID]string{devPool: "dev", otherPool: "other"} {
		put, _, err := keyring.Rotate(pool, id, nil, now)
		if err != nil {
			t.Fatal(err)
		}
		h.updateKeys(put, nil)
	}
	h.touch("demo")
	a := newAssembly(encoder(t))
	dev := h.follow(a, devPool, nil)
	other := h.follow(a, otherPool, nil)
	if bytes.Equal(dev.dataKey, other.dataKey) || bytes.Equal(dev.config.root, other.config.root) {
		t.Error("two pools are sent the same")
	}
	for _, e := range other.urgent.entries {
		if hasKind(dev.urgent, e.Resource.Kind, e.Resource.Id) && e.Resource.Kind == "AssertionKey" {
			t.Errorf("both have the assertion key %s", e.Resource.Id)
		}
	}
	stranger := h.follow(a, controlplane.UID("01900000-0000-7000-8000-0000000000d3"), nil)
	if len(stranger.urgent.entries) != 0 || stranger.dataKey != nil {
		t.Errorf("a pool without keys is sent %d", len(stranger.urgent.entries))
	}
}

func TestThePlatformShowsAPoolItself(t *testing.T) {
	t.Parallel()
	pool := func(uid controlplane.UID, id string, tenants ...string) store.SnapshotResource {
		return store.SnapshotResource{Resource: &controlplane.Resource{Kind: controlplane.KindEdgePool, ID: id, UID: uid, Revision: 3, Spec: &controlplane.EdgePool{Tenants: tenants}}}
	}
	a := newAssembly(encoder(t))
	s, err := a.apply(&store.SnapshotRows{
		Head: store.Head{TenantUID: controlplane.PlatformUID, Lineage: "L", Config: 3}, ReplaceConfig: true, ReplaceUrgent: true,
		Resources: []store.SnapshotResource{pool(devPool, "dev", "globex", "acme", "gone"), pool(otherPool, "other")},
		Tenants:   map[string]controlplane.UID{"acme": "uid of acme", "globex": "uid of globex", "initech": "uid of initech"},
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.viewFor(devPool, nil, s)
	if err != nil {
		t.Fatal(err)
	}
	got := &edgev1.Pool{}
	if len(v.config.entries) != 1 || proto.Unmarshal(v.config.entries[0].Resource.Bytes, got) != nil {
		t.Fatalf("%d entries", len(v.config.entries))
	}
	if got.Id != "dev" || len(got.Tenants) != 2 || got.Tenants[0].Id != "acme" || got.Tenants[1].Uid != "uid of globex" {
		t.Errorf("pool %v", got)
	}
}
