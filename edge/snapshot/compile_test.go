package snapshot

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/edge/policy"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// sent is a message as the control plane sends it.
func sent(t testing.TB, m proto.Message, revision int64) *edgev1.Resource {
	t.Helper()
	bytes, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	id := ""
	switch m := m.(type) {
	case *edgev1.Membership:
		id = m.GetUser()
	case interface{ GetId() string }:
		id = m.GetId()
	}
	return &edgev1.Resource{Kind: string(m.ProtoReflect().Descriptor().Name()), Id: id, Revision: revision, Bytes: bytes}
}

// laneWith changes a lane.
func laneWith(t testing.TB, l *lane, put []proto.Message, removed ...key) *lane {
	t.Helper()
	set := &edgev1.ResourceSet{}
	for _, m := range put {
		set.Changed = append(set.Changed, sent(t, m, l.counter+1))
	}
	for _, k := range removed {
		set.Removed = append(set.Removed, &edgev1.ResourceKey{Kind: k.kind, Id: k.id})
	}
	resources, refusal := l.change(l.resources, edgev1.Lane_LANE_CONFIG, set)
	if refusal != nil {
		t.Fatal(refusal)
	}
	return &lane{lineage: "L", counter: l.counter + 1, resources: resources, root: root(resources)}
}

func app(id string, labels map[string]string) *edgev1.App {
	return &edgev1.App{
		Id: id, Uid: "uid of " + id, Hosts: []string{id + ".acme.test"}, Labels: labels,
		Routes:     []*edgev1.Route{{Path: "/**", UpstreamUrls: []string{"http://127.0.0.1:1"}}},
		Operations: []*edgev1.Operation{{Id: "read", Methods: []string{"GET"}, Paths: []string{"/**"}, Access: edgev1.Access_ACCESS_READ}},
	}
}

func allow(policy, app string, principals ...string) *edgev1.Policy {
	return &edgev1.Policy{Id: policy, Apps: []string{app}, Rules: []*edgev1.Rule{
		{Id: "r", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: principals, Operations: []string{"read"}},
	}}
}

func guardRail(id string, selector ...*edgev1.LabelRequirement) *edgev1.Policy {
	return &edgev1.Policy{Id: id, Selector: selector, Rules: []*edgev1.Rule{{
		Id: "office", Effect: edgev1.Effect_EFFECT_REQUIRE, Principals: []string{"people"}, Operations: []string{"*"},
		Conditions: &edgev1.Conditions{SourceCidrs: []string{"10.0.0.0/8"}},
	}}}
}

func tier(value string) *edgev1.LabelRequirement {
	return &edgev1.LabelRequirement{Key: "tier", Values: []string{value}, Unset: edgev1.UnsetLabel_UNSET_LABEL_NO_MATCH}
}

// later is a field that a newer control plane sends.
var later = []byte{0xf8, 0x07, 0x01}

// What is not understood closes the apps that it bears on, and no other; where that cannot be told, all.
func TestWhatIsNotUnderstoodCloses(t *testing.T) {
	t.Parallel()
	all := []string{"api", "shop", "wiki"}
	for name, c := range map[string]struct {
		put     []proto.Message
		foreign bool
		want    []string
	}{
		"nothing":         {nil, false, nil},
		"a kind":          {nil, true, all},
		"a tenant's":      {[]proto.Message{unknown(&edgev1.Tenant{Id: "acme"})}, false, all},
		"a person's":      {[]proto.Message{unknown(&edgev1.Membership{User: "ann@acme.test", Groups: []string{"staff"}})}, false, all},
		"an app's":        {[]proto.Message{unknown(app("api", nil))}, false, []string{"api"}},
		"a grant's":       {[]proto.Message{unknown(&edgev1.Grant{Id: "g", App: "api"})}, false, []string{"api"}},
		"a policy's":      {[]proto.Message{unknown(allow("p", "api", "people"))}, false, all},
		"a policy's mode": {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) { p.Mode = 9 })}, false, []string{"api"}},
		"a rule's":        {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) { p.Rules[0].ProtoReflect().SetUnknown(later) })}, false, []string{"api"}},
		"an effect":       {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) { p.Rules[0].Effect = 9 })}, false, []string{"api"}},
		"no effect":       {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) { p.Rules[0].Effect = 0 })}, false, []string{"api"}},
		"a condition":     {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) { p.Rules[0].Conditions = unknown(&edgev1.Conditions{}) })}, false, []string{"api"}},
		"a device's": {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) {
			p.Rules[0].Conditions = &edgev1.Conditions{Device: unknown(&edgev1.DeviceCondition{Managed: true})}
		})}, false, []string{"api"}},
		"a time window's": {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) {
			p.Rules[0].Conditions = &edgev1.Conditions{TimeWindows: []*edgev1.TimeWindow{unknown(&edgev1.TimeWindow{Start: "08:00", End: "18:00", Zone: "UTC"})}}
		})}, false, []string{"api"}},
		"a day": {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) {
			p.Rules[0].Conditions = &edgev1.Conditions{TimeWindows: []*edgev1.TimeWindow{{Days: []edgev1.DayOfWeek{9}, Start: "08:00", End: "18:00", Zone: "UTC"}}}
		})}, false, []string{"api"}},
		"no day": {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) {
			p.Rules[0].Conditions = &edgev1.Conditions{TimeWindows: []*edgev1.TimeWindow{{Days: []edgev1.DayOfWeek{0}, Start: "08:00", End: "18:00", Zone: "UTC"}}}
		})}, false, []string{"api"}},
		"an expression": {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) { p.Rules[0].Expression = "principal.shoeSize > 44" })}, false, []string{"api"}},
		"a zone": {[]proto.Message{edited(allow("p", "api", "people"), func(p *edgev1.Policy) {
			p.Rules[0].Conditions = &edgev1.Conditions{TimeWindows: []*edgev1.TimeWindow{{Start: "08:00", End: "18:00", Zone: "Mars/Olympus"}}}
		})}, false, []string{"api"}},
		"a guard-rail's": {[]proto.Message{unknown(guardRail("g", tier("prod")))}, false, all},
		"its selector's": {[]proto.Message{guardRail("g", unknown(tier("prod")))}, false, all},
		"its unset":      {[]proto.Message{guardRail("g", &edgev1.LabelRequirement{Key: "tier", Values: []string{"prod"}, Unset: 9})}, false, all},
		"no unset":       {[]proto.Message{guardRail("g", &edgev1.LabelRequirement{Key: "tier", Values: []string{"prod"}})}, false, all},
		"its rule's":     {[]proto.Message{edited(guardRail("g", tier("prod")), func(p *edgev1.Policy) { p.Rules[0].ProtoReflect().SetUnknown(later) })}, false, []string{"api"}},
		"its mode":       {[]proto.Message{edited(guardRail("g", tier("prod")), func(p *edgev1.Policy) { p.Mode = 9 })}, false, []string{"api"}},
		"its exemption's": {[]proto.Message{edited(guardRail("g", tier("prod")), func(p *edgev1.Policy) {
			p.Exemptions = []*edgev1.Exemption{unknown(&edgev1.Exemption{Id: "e", Principals: []string{"people"}})}
		})}, false, []string{"api"}},
		"it reaches no app":            {[]proto.Message{edited(guardRail("g", tier("none")), func(p *edgev1.Policy) { p.Rules[0].Effect = 9 })}, false, nil},
		"a role's":                     {[]proto.Message{unknown(&edgev1.Role{Id: "reader", Access: []edgev1.Access{edgev1.Access_ACCESS_READ}}), edited(allow("p", "api", "people"), func(p *edgev1.Policy) { p.Rules[0].Operations, p.Rules[0].Roles = nil, []string{"reader"} })}, false, []string{"api"}},
		"a role's that a grant names":  {[]proto.Message{unknown(&edgev1.Role{Id: "reader", Access: []edgev1.Access{edgev1.Access_ACCESS_READ}}), &edgev1.Grant{Id: "g", App: "shop", Roles: []string{"reader"}}}, false, []string{"shop"}},
		"a group's":                    {[]proto.Message{unknown(&edgev1.Group{Id: "staff"}), allow("p", "api", "group:staff")}, false, []string{"api"}},
		"a group's that nothing names": {[]proto.Message{unknown(&edgev1.Group{Id: "staff"})}, false, nil},
		"a nested group's": {[]proto.Message{
			unknown(&edgev1.Group{Id: "night"}), &edgev1.Group{Id: "staff", Members: []*edgev1.GroupMember{{Member: &edgev1.GroupMember_Group{Group: "night"}}}}, allow("p", "api", "group:staff"),
		}, false, []string{"api"}},
		"a group's that an expression asks for": {[]proto.Message{unknown(&edgev1.Group{Id: "staff"}), edited(allow("p", "api", "people"), func(p *edgev1.Policy) { p.Rules[0].Expression = `"staff" in principal.groups` })}, false, []string{"api"}},
		"a group's, with spaces":                {[]proto.Message{unknown(&edgev1.Group{Id: "staff"}), edited(allow("p", "api", "people"), func(p *edgev1.Policy) { p.Rules[0].Expression = `"staff" in principal . groups` })}, false, []string{"api"}},
		"a group's that an exemption names": {[]proto.Message{unknown(&edgev1.Group{Id: "staff"}), edited(guardRail("g", tier("prod")), func(p *edgev1.Policy) {
			p.Exemptions = []*edgev1.Exemption{{Id: "e", Principals: []string{"group:staff"}}}
		})}, false, []string{"api"}},
		"a member's": {[]proto.Message{&edgev1.Group{Id: "staff", Members: []*edgev1.GroupMember{{}}}, allow("p", "api", "group:staff")}, false, []string{"api"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := laneWith(t, &lane{}, []proto.Message{
				&edgev1.Tenant{Id: "acme"}, app("api", map[string]string{"tier": "prod"}), app("wiki", map[string]string{"tier": "test"}), app("shop", nil),
			})
			before, refusal := compileConfig(nil, base)
			if refusal != nil || len(before.closed) > 0 {
				t.Fatal(refusal, before.closed)
			}
			next := laneWith(t, base, c.put)
			if c.foreign {
				next.resources = append(slices.Clone(next.resources), newResource(edgev1.Lane_LANE_CONFIG, &edgev1.Resource{Kind: "Zebra", Id: "z"}))
			}
			for how, prev := range map[string]*config{"anew": nil, "from before": before} {
				got, refusal := compileConfig(prev, next)
				if refusal != nil {
					t.Fatal(how, refusal)
				}
				if diff := cmp.Diff(c.want, got.closed); diff != "" {
					t.Errorf("%s: closed (-want +got):\n%s", how, diff)
				}
			}
			// And opens them again with what is understood.
			again, refusal := compileConfig(before, laneWith(t, next, []proto.Message{&edgev1.Tenant{Id: "acme"}, app("api", map[string]string{"tier": "prod"})},
				key{"Zebra", "z"}, key{"Membership", "ann@acme.test"}, key{"Grant", "g"}, key{"Policy", "p"}, key{"Policy", "g"}, key{"Role", "reader"}, key{"Group", "staff"}, key{"Group", "night"}))
			if refusal != nil || len(again.closed) > 0 {
				t.Errorf("afterwards closed: %v %v", refusal, again.closed)
			}
		})
	}
}

func unknown[M proto.Message](m M) M {
	m.ProtoReflect().SetUnknown(later)
	return m
}

func edited[M proto.Message](m M, edit func(M)) M {
	edit(m)
	return m
}

// However a state is reached, it is the same: what is kept from before is what would be made anew.
func TestCompilingFromBeforeAndAnewAgree(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	l := laneWith(t, &lane{}, []proto.Message{&edgev1.Tenant{Id: "acme", AuthHost: "auth.acme.test"}})
	c, refusal := compileConfig(nil, l)
	if refusal != nil {
		t.Fatal(refusal)
	}
	for step := range 500 {
		n := random.IntN(4)
		var put []proto.Message
		var removed []key
		switch random.IntN(9) {
		case 0, 1:
			a := app(fmt.Sprint("app", n), map[string]string{"tier": fmt.Sprint("t", random.IntN(2))})
			a.Disabled = random.IntN(4) == 0
			put = append(put, a)
		case 2:
			put = append(put, allow(fmt.Sprint("p", n), fmt.Sprint("app", n), "people", "group:g1"))
		case 3:
			put = append(put, guardRail("rail", tier(fmt.Sprint("t", n))))
		case 4:
			put = append(put, &edgev1.Group{Id: fmt.Sprint("g", n), Members: []*edgev1.GroupMember{{Member: &edgev1.GroupMember_IdpGroup{IdpGroup: &edgev1.IdpGroup{Idp: "demo", Name: fmt.Sprint(random.IntN(3))}}}}})
		case 5:
			put = append(put, &edgev1.Membership{User: fmt.Sprintf("u%d@acme.test", n), Groups: []string{"g1"}})
		case 6:
			put = append(put, &edgev1.ServiceAccount{Id: "ci", Tokens: []*edgev1.ServiceToken{{Id: fmt.Sprint("token", n)}}})
		case 7:
			put = append(put, &edgev1.Tenant{Id: "acme", AuthHost: fmt.Sprintf("auth%d.acme.test", n)})
		default:
			removed = append(removed, key{[]string{"App", "Policy", "Group", "Membership"}[n], []string{"app1", "rail", "g1", "u1@acme.test"}[n]})
		}
		l = laneWith(t, l, put, removed...)
		if c, refusal = compileConfig(c, l); refusal != nil {
			t.Fatal(refusal)
		}
		// Read anew as well: nothing of the resources' own state goes along.
		resources, refusal := (&lane{}).change(nil, edgev1.Lane_LANE_CONFIG, &edgev1.ResourceSet{Changed: bare(l.resources)})
		if refusal != nil {
			t.Fatal(refusal)
		}
		anew, refusal := compileConfig(nil, &lane{lineage: "L", resources: resources})
		if refusal != nil {
			t.Fatal(refusal)
		}
		if diff := cmp.Diff(anew.source, c.source, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("step %d: source (-anew +from before):\n%s", step, diff)
		}
		for what, pair := range map[string][2][]string{
			"hosts": {keysOf(anew.hosts), keysOf(c.hosts)}, "apps": {keysOf(anew.appByID), keysOf(c.appByID)}, "uids": {keysOf(anew.appByUID), keysOf(c.appByUID)},
			"tokens": {keysOf(anew.tokens), keysOf(c.tokens)}, "claim groups": {anew.claimGroups["demo"], c.claimGroups["demo"]}, "closed": {anew.closed, c.closed},
		} {
			if !slices.Equal(pair[0], pair[1]) {
				t.Fatalf("step %d: %s are %v anew and %v from before", step, what, pair[0], pair[1])
			}
		}
		for _, a := range c.apps {
			if c.appByID[a.ID] != a || c.hosts[a.Hosts[0]] != a || a.Closed != slices.Contains(c.closed, a.ID) {
				t.Fatalf("step %d: app %s is not what its host leads to", step, a.ID)
			}
		}
	}
}

func bare(resources []*resource) []*edgev1.Resource {
	var list []*edgev1.Resource
	for _, r := range resources {
		list = append(list, r.Resource)
	}
	return list
}

func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// A person is in the groups that a Membership says, from the update on that says it; others are not asked about.
func TestMembershipsCount(t *testing.T) {
	t.Parallel()
	l := laneWith(t, &lane{}, []proto.Message{
		&edgev1.Tenant{Id: "acme"}, app("api", nil), allow("p", "api", "group:staff"),
		&edgev1.Group{Id: "staff", Members: []*edgev1.GroupMember{{Member: &edgev1.GroupMember_Group{Group: "night"}}}}, &edgev1.Group{Id: "night"},
	})
	c, refusal := compileConfig(nil, l)
	decide := func() policy.Outcome {
		t.Helper()
		if refusal != nil || len(c.closed) > 0 {
			t.Fatal(refusal, c.closed)
		}
		who := c.program.Resolve(policy.Identity{Kind: policy.Person, IDP: "demo", Email: "Ann@acme.test", EmailVerified: true, EmailDomainOwned: true, GroupsComplete: true})
		return c.program.Decide("api", &policy.Request{Operation: "read", Principal: who}).Outcome
	}
	if got := decide(); got != policy.Deny {
		t.Errorf("before: %s", got)
	}
	l = laneWith(t, l, []proto.Message{&edgev1.Membership{User: "ann@acme.test", Groups: []string{"night"}}})
	if c, refusal = compileConfig(c, l); decide() != policy.Allow {
		t.Errorf("a member of a nested group: %s", decide())
	}
	l = laneWith(t, l, nil, key{"Membership", "ann@acme.test"})
	if c, refusal = compileConfig(c, l); decide() != policy.Deny {
		t.Errorf("afterwards: %s", decide())
	}
	// As a control plane of before sends it.
	l = laneWith(t, l, []proto.Message{&edgev1.Group{Id: "night", Members: []*edgev1.GroupMember{{Member: &edgev1.GroupMember_User{User: "ann@acme.test"}}}}})
	if c, refusal = compileConfig(c, l); decide() != policy.Allow {
		t.Errorf("inside of the group: %s", decide())
	}
}

// One person more in a group, of 100,000 people with 20 groups each.
func BenchmarkOneMembershipOf100000(b *testing.B) {
	put := []proto.Message{&edgev1.Tenant{Id: "acme"}, app("api", nil)}
	for g := range 2000 {
		id := fmt.Sprintf("group-%04d", g)
		put = append(put, &edgev1.Group{Id: id}, allow("policy-"+id, "api", "group:"+id))
	}
	for p := range 100_000 {
		m := &edgev1.Membership{User: fmt.Sprintf("person-%06d@acme.test", p)}
		for g := range 20 {
			m.Groups = append(m.Groups, fmt.Sprintf("group-%04d", (p/1000*20+g)%2000))
		}
		put = append(put, m)
	}
	l := laneWith(b, &lane{}, put)
	c, refusal := compileConfig(nil, l)
	if refusal != nil || len(c.closed) > 0 {
		b.Fatal(refusal, c.closed)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		m := &edgev1.Membership{User: fmt.Sprintf("person-%06d@acme.test", n), Groups: []string{"group-0007", fmt.Sprintf("group-%04d", n%2000)}}
		l = laneWith(b, l, []proto.Message{m})
		if c, refusal = compileConfig(c, l); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

// A change of one app of 10,000 with 10 rules each: what it costs an edge beside the signature.
func BenchmarkOneAppOf10000(b *testing.B) {
	put := []proto.Message{&edgev1.Tenant{Id: "acme"}}
	for i := range 10_000 {
		id := fmt.Sprintf("app-%05d", i)
		put = append(put, app(id, nil))
		p := allow("policy-"+id, id, "people")
		for n := range 9 {
			p.Rules = append(p.Rules, &edgev1.Rule{
				Id: fmt.Sprint("r", n), Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{fmt.Sprintf("user:u%d@acme.test", (i*9+n)%5000)}, Operations: []string{"read"},
			})
		}
		put = append(put, p)
	}
	l := laneWith(b, &lane{}, put)
	c, refusal := compileConfig(nil, l)
	if refusal != nil {
		b.Fatal(refusal)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		edited := app("app-05000", nil)
		edited.DisplayName = fmt.Sprint(n)
		edited.Operations[0].Id = []string{"read", "look"}[n%2]
		l = laneWith(b, l, []proto.Message{edited})
		if c, refusal = compileConfig(c, l); refusal != nil {
			b.Fatal(refusal)
		}
	}
}
