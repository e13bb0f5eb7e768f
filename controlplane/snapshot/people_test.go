package snapshot

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func group(id string, members ...string) *controlplane.Resource {
	g := &controlplane.Group{}
	for _, m := range members {
		if nested, ok := bytes.CutPrefix([]byte(m), []byte("group:")); ok {
			g.Members = append(g.Members, controlplane.GroupMember{Group: string(nested)})
		} else {
			g.Members = append(g.Members, controlplane.GroupMember{User: m})
		}
	}
	return &controlplane.Resource{Kind: controlplane.KindGroup, ID: id, Spec: g}
}

func policyNaming(id string, principals ...string) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindPolicy, ID: id, Spec: &controlplane.Policy{
		Apps: []string{"app"}, Rules: []controlplane.Rule{{ID: "r", Effect: "EFFECT_ALLOW", Principals: principals, Operations: []string{"read"}}},
	}}
}

// memberships is what a lane tells of people.
func memberships(t testing.TB, l *lane) map[string][]string {
	t.Helper()
	told := map[string][]string{}
	for _, e := range l.entries {
		if e.Resource.Kind != "Membership" {
			continue
		}
		m := &edgev1.Membership{}
		if err := proto.Unmarshal(e.Resource.Bytes, m); err != nil || m.User != e.Resource.Id || e.Resource.Revision != 0 || e.Resource.Uid != "" {
			t.Fatalf("%v of %v: %v", m, e.Resource, err)
		}
		told[m.User] = m.Groups
	}
	return told
}

func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	a := newAssembly(encoder(t))
	var v *view
	for _, step := range []struct {
		name string
		do   func()
		want map[string][]string
	}{
		{"a group that nothing names", func() { h.put(group("staff", "Ann@acme.test", "bob@acme.test"), "") }, map[string][]string{}},
		{"a policy names it", func() { h.put(policyNaming("p", "group:staff"), "") }, map[string][]string{"ann@acme.test": {"staff"}, "bob@acme.test": {"staff"}}},
		{"somebody comes", func() { h.put(group("staff", "ann@acme.test", "bob@acme.test", "cid@acme.test"), "") }, map[string][]string{"ann@acme.test": {"staff"}, "bob@acme.test": {"staff"}, "cid@acme.test": {"staff"}}},
		{"somebody goes", func() { h.put(group("staff", "ann@acme.test", "cid@acme.test"), "") }, map[string][]string{"ann@acme.test": {"staff"}, "cid@acme.test": {"staff"}}},
		{"a group nested in one that matters", func() {
			h.put(group("night", "ann@acme.test", "dan@acme.test"), "")
			h.put(group("staff", "ann@acme.test", "cid@acme.test", "group:night"), "")
		}, map[string][]string{"ann@acme.test": {"night", "staff"}, "cid@acme.test": {"staff"}, "dan@acme.test": {"night"}}},
		{"a grant names the nested one", func() {
			h.put(&controlplane.Resource{Kind: controlplane.KindGrant, ID: "g", Spec: &controlplane.Grant{App: "app", Principals: []string{"group:night"}}}, "")
		}, map[string][]string{"ann@acme.test": {"night", "staff"}, "cid@acme.test": {"staff"}, "dan@acme.test": {"night"}}},
		{"the policy goes", func() { h.remove("p") }, map[string][]string{"ann@acme.test": {"night"}, "dan@acme.test": {"night"}}},
		{"an upstream is told all", func() {
			h.put(&controlplane.Resource{Kind: controlplane.KindApp, ID: "app", Spec: &controlplane.App{UpstreamIdentity: &controlplane.UpstreamIdentity{Headers: []string{"groups"}}}}, "")
		}, map[string][]string{"ann@acme.test": {"night", "staff"}, "cid@acme.test": {"staff"}, "dan@acme.test": {"night"}}},
		{"an upstream is told one", func() {
			h.put(&controlplane.Resource{Kind: controlplane.KindApp, ID: "app", Spec: &controlplane.App{UpstreamIdentity: &controlplane.UpstreamIdentity{Headers: []string{"groups"}, Groups: []string{"staff"}}}}, "")
		}, map[string][]string{"ann@acme.test": {"night", "staff"}, "cid@acme.test": {"staff"}, "dan@acme.test": {"night"}}},
		{"the group goes", func() { h.remove("staff") }, map[string][]string{"ann@acme.test": {"night"}, "dan@acme.test": {"night"}}},
		{"the grant goes", func() { h.remove("g") }, map[string][]string{}},
	} {
		step.do()
		v = h.follow(a, devPool, v)
		if diff := cmp.Diff(step.want, memberships(t, v.config)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		fresh := h.follow(newAssembly(encoder(t)), devPool, nil)
		if !bytes.Equal(v.config.root, fresh.config.root) {
			t.Errorf("%s: a replica that has just started signs another root", step.name)
		}
	}
}

// Whatever happens in whatever order: a replica that follows and one that starts sign the same, and each update, from
// wherever an edge is, leads there.
func TestPeopleFollowed(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 5))
	h := newHistory(t)
	a := newAssembly(encoder(t))
	var v *view
	have := map[int64]map[Key]*edgev1.Resource{}
	for range 300 {
		for range 1 + random.IntN(3) { // several commits may be one step
			id := fmt.Sprint("g", random.IntN(5))
			switch _, there := h.resources[id]; {
			case random.IntN(4) == 0:
				var named []string
				for n := range 5 {
					if random.IntN(4) == 0 {
						named = append(named, fmt.Sprint("group:g", n))
					}
				}
				h.put(policyNaming("p", named...), "")
			case there && random.IntN(6) == 0:
				h.remove(id)
			default:
				var members []string
				for n := range 8 {
					if random.IntN(3) == 0 {
						members = append(members, fmt.Sprintf("u%d@acme.test", n))
					}
				}
				if random.IntN(3) == 0 {
					members = append(members, fmt.Sprint("group:g", random.IntN(5)))
				}
				h.put(group(id, members...), "")
			}
		}
		v = h.follow(a, devPool, v)
		fresh := h.follow(newAssembly(encoder(t)), devPool, nil)
		if !bytes.Equal(v.config.root, fresh.config.root) {
			t.Fatalf("at %d the roots differ", h.head.Config)
		}
		for base, resources := range have {
			p, err := v.config.from(base)
			if err != nil {
				t.Fatal(err)
			}
			if got := rootOf(v.config.name, applyTo(t, resources, p)); !bytes.Equal(got, v.config.root) {
				t.Fatalf("from %d to %d (replace %v) leads elsewhere", base, h.head.Config, p.replace)
			}
		}
		whole, err := v.config.from(0)
		if err != nil {
			t.Fatal(err)
		}
		have[h.head.Config] = applyTo(t, nil, whole)
		if len(have) > 20 {
			delete(have, slices.Min(slices.Collect(maps.Keys(have))))
		}
	}
}

// crowd is a tenant of so many people, each in so many of its groups of 1,000, which a policy names.
func crowd(t testing.TB, peopleCount, groupsEach int) (a *assembly, v *view, groups [][]string) {
	t.Helper()
	const size = 1000
	groups = make([][]string, peopleCount*groupsEach/size)
	for p := range peopleCount {
		for g := range groupsEach {
			at := (p/size*groupsEach + g) % len(groups)
			groups[at] = append(groups[at], fmt.Sprintf("person-%06d@acme.test", p))
		}
	}
	rows := &store.SnapshotRows{Head: store.Head{TenantUID: tenantUID, Lineage: "L", Config: 1}, ReplaceConfig: true, ReplaceUrgent: true}
	add := func(r *controlplane.Resource) {
		r.UID, r.Revision = controlplane.UID("uid of "+r.ID), 1
		rows.Resources = append(rows.Resources, store.SnapshotResource{Resource: r})
	}
	for i, members := range groups {
		add(group(fmt.Sprintf("group-%04d", i), members...))
		add(policyNaming(fmt.Sprintf("policy-%04d", i), fmt.Sprintf("group:group-%04d", i)))
	}
	a = newAssembly(encoder(t))
	s, err := a.apply(rows)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = a.viewFor(devPool, nil, s); err != nil {
		t.Fatal(err)
	}
	return a, v, groups
}

// change makes somebody join a group and returns the update.
func change(t testing.TB, a *assembly, v *view, members []string, revision int64) (*view, *payload) {
	t.Helper()
	r := group("group-0007", append(slices.Clone(members), fmt.Sprintf("person-%06d@acme.test", 90_000+revision))...)
	r.UID, r.Revision = "uid of group-0007", revision
	s, err := a.apply(&store.SnapshotRows{
		Head: store.Head{TenantUID: tenantUID, Lineage: "L", Config: revision}, Resources: []store.SnapshotResource{{Resource: r}},
	})
	if err != nil {
		t.Fatal(err)
	}
	next, err := a.viewFor(devPool, v, s)
	if err != nil {
		t.Fatal(err)
	}
	p, err := next.config.from(revision - 1)
	if err != nil {
		t.Fatal(err)
	}
	return next, p
}

// One person more in a group of a tenant of 100,000 people with 20 groups each: at most 2 KiB for each edge.
func TestAMembershipIsSmall(t *testing.T) {
	t.Parallel()
	a, v, groups := crowd(t, 20_000, 20) // a fifth of it: what is sent does not depend on how many there are
	next, p := change(t, a, v, groups[7], 2)
	if p.replace || len(p.resources) == 0 || len(p.resources) > 2<<10 {
		t.Errorf("%d bytes, replace %v", len(p.resources), p.replace)
	}
	t.Logf("one person joins a group: %d bytes, of %d people in %d groups", len(p.resources), 20_000, len(groups))
	if got := memberships(t, next.config)["person-090002@acme.test"]; !slices.Equal(got, []string{"group-0007"}) {
		t.Errorf("groups of who joined: %v", got)
	}
}

func BenchmarkMembership(b *testing.B) {
	a, v, groups := crowd(b, 100_000, 20)
	revision := int64(1)
	b.ReportAllocs()
	var bytes int
	for b.Loop() {
		revision++
		var p *payload
		v, p = change(b, a, v, groups[7], revision)
		bytes = len(p.resources)
	}
	b.ReportMetric(float64(bytes), "wire-B")
}
