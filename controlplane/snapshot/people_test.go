package snapshot

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

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
func crowd(t testing.TB, peopleCount, groupsEach int, name func(int) string) (a *assembly, v *view, groups [][]string) {
	t.Helper()
	const size = 1000
	groups = make([][]string, peopleCount*groupsEach/size)
	for p := range peopleCount {
		for g := range groupsEach {
			at := (p/size*groupsEach + g) % len(groups)
			groups[at] = append(groups[at], fmt.Sprintf("person-%06d@acme.test", p))
		}
	}
	rows := &store.SnapshotRows{Head: headAt(1), ReplaceConfig: true, ReplaceUrgent: true}
	add := func(r *controlplane.Resource) {
		r.UID, r.Revision = controlplane.UID("uid of "+r.ID), 1
		rows.Resources = append(rows.Resources, store.SnapshotResource{Resource: r})
	}
	for i, members := range groups {
		add(group(name(i), members...))
		add(policyNaming(fmt.Sprintf("policy-%04d", i), "group:"+name(i)))
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

func headAt(revision int64) store.Head {
	return store.Head{TenantUID: tenantUID, Lineage: "01900000-0000-7000-8000-00000000000b", Config: revision, ConfigChain: make([]byte, 32), UrgentChain: make([]byte, 32)}
}

func shortName(i int) string { return fmt.Sprintf("group-%04d", i) }

// longName is as long as an id can be, and does not compress.
func longName(i int) string {
	return fmt.Sprintf("g%x", sha256.Sum256([]byte{byte(i), byte(i >> 8)}))[:63]
}

// joined makes somebody join a group that has members, and returns the view of then.
func joined(t testing.TB, a *assembly, v *view, id string, members []string, who string, revision int64) *view {
	t.Helper()
	r := group(id, append(slices.Clone(members), who)...)
	r.UID, r.Revision = controlplane.UID("uid of "+id), revision
	s, err := a.apply(&store.SnapshotRows{Head: headAt(revision), Resources: []store.SnapshotResource{{Resource: r}}})
	if err != nil {
		t.Fatal(err)
	}
	next, err := a.viewFor(devPool, v, s)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// onTheWire is how many bytes an edge that was up to date receives of a view: the message as its stream sends it, signed,
// the prefix of the message (gRPC and Connect: 5 bytes), and the header of the frame that it is in (RFC 9113 §4.1: 9 bytes).
// HTTP/2 may be told to compress; this is without.
func onTheWire(t testing.TB, v *view) int {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.signed, err = (Signer{KeyID: "0123456789abcdef", Key: key}).head(devPool, v.head, v.config, v.urgent, time.Date(2026, 11, 23, 12, 0, 0, 1, time.UTC)); err != nil {
		t.Fatal(err)
	}
	s := &Stream{p: &Publisher{}}
	c := &cursor{tenant: tenantUID, config: progress{have: point{v.head.Lineage, v.head.Config - 1}}, staleness: v.staleness, keySent: v.dataKeyID}
	sent, err := s.update(c, v, controlplane.Config)
	if err != nil || sent.GetUpdate() == nil || sent.GetUpdate().GetReplace() {
		t.Fatalf("what is sent is %v, %v", sent, err)
	}
	return proto.Size(sent) + 5 + 9
}

// One membership more, of somebody in 20 groups, in a tenant of 100,000 such people: at most 2 KiB for each edge.
func TestAMembershipIsSmall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		people int
		name   func(int) string
	}{
		{100_000, shortName},
		{2_000, longName}, // what is sent does not depend on how many there are
	} {
		a, v, groups := crowd(t, c.people, 20, c.name)
		last := len(groups) - 1
		next := joined(t, a, v, c.name(last), groups[last], "person-000000@acme.test", 2)
		bytes := onTheWire(t, next)
		if bytes > 2<<10 {
			t.Errorf("%d bytes", bytes)
		}
		t.Logf("one of %d people in 20 groups each joins one more, such as %s: %d bytes on the wire", c.people, c.name(last), bytes)
		if got := memberships(t, next.config)["person-000000@acme.test"]; len(got) != 21 || !slices.Contains(got, c.name(last)) {
			t.Errorf("groups of who joined: %v", got)
		}
	}
}

func BenchmarkMembership(b *testing.B) {
	a, v, groups := crowd(b, 100_000, 20, shortName)
	revision := int64(1)
	b.ReportAllocs()
	for b.Loop() {
		revision++
		v = joined(b, a, v, shortName(7), groups[7], fmt.Sprintf("person-%06d@acme.test", 50_000+revision), revision)
	}
	b.ReportMetric(float64(onTheWire(b, v)), "wire-B")
}
