package policy_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

func resources(specs map[string]controlplane.Spec) []*controlplane.Resource {
	var all []*controlplane.Resource
	for id, spec := range specs {
		all = append(all, resource(id, spec, nil))
	}
	return all
}

func resource(id string, spec controlplane.Spec, labels map[string]string) *controlplane.Resource {
	for kind, traits := range controlplane.Kinds {
		if reflect.TypeOf(traits.New()) == reflect.TypeOf(spec) {
			return &controlplane.Resource{Kind: kind, ID: id, Spec: spec, Labels: labels}
		}
	}
	panic(fmt.Sprintf("%T is of no kind", spec))
}

func TestFindingsNameTheirResource(t *testing.T) {
	t.Parallel()
	rule := controlplane.Rule{ID: "readers", Effect: "EFFECT_ALLOW", Principals: []string{"group:enginering"}, Operations: []string{"read"}}
	got := policy.NewSite(resources(map[string]controlplane.Spec{
		"api":         &controlplane.App{},
		"engineering": &controlplane.Group{Members: []controlplane.GroupMember{{User: "bob@acme.test"}}},
		"main":        &controlplane.Policy{Apps: []string{"api"}, Rules: []controlplane.Rule{rule}},
	})).Findings()
	want := []policy.Finding{{Kind: controlplane.KindPolicy, ID: "main", Violation: controlplane.Violation{
		Field: "rules[0].principals[0]", Reason: controlplane.ReasonReferenceNotFound,
		Description: `group "enginering" does not exist`, Suggestion: "engineering",
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestEnumsMeanTheSameOnBothSides(t *testing.T) {
	t.Parallel()
	rules := []controlplane.Rule{
		{ID: "a", Effect: "EFFECT_ALLOW", Principals: []string{"anyone"}, Roles: []string{"auditors"}},
		{ID: "b", Effect: "EFFECT_DENY", Principals: []string{"people"}, Operations: []string{"write"}},
		{
			ID: "c", Effect: "EFFECT_REQUIRE", Principals: []string{"people"}, Operations: []string{"*"},
			Conditions: &controlplane.Conditions{SourceCIDRs: []string{"10.0.0.0/8"}},
		},
	}
	findings := policy.NewSite(resources(map[string]controlplane.Spec{
		"api": &controlplane.App{Operations: []controlplane.Operation{
			{ID: "read", Methods: []string{"GET"}, Paths: []string{"/**"}, Access: "ACCESS_CLASS_READ"},
			{ID: "write", Methods: []string{"*"}, Paths: []string{"/**"}, Access: "ACCESS_CLASS_ADMIN"},
			{ID: "other", Methods: []string{"GET"}, Paths: []string{"/other"}},
		}},
		"auditors": &controlplane.Role{Access: []string{"ACCESS_CLASS_READ", "ACCESS_CLASS_WRITE", "ACCESS_CLASS_ADMIN"}},
		"main":     &controlplane.Policy{Apps: []string{"api"}, Rules: rules},
	})).Findings()
	if len(findings) > 0 {
		t.Errorf("a sound policy is refused: %+v", findings)
	}
}

func TestAppsThatTieAreRefusedNamingBoth(t *testing.T) {
	t.Parallel()
	got := policy.CheckApp(&controlplane.App{
		Hosts:  []string{"api.acme.test"},
		Routes: []controlplane.Route{{Path: "/**"}},
		Operations: []controlplane.Operation{
			{ID: "first", Methods: []string{"GET"}, Paths: []string{"/a/{x}"}},
			{ID: "second", Methods: []string{"GET"}, Paths: []string{"/a/{y}"}},
		},
	})
	if len(got) == 0 {
		t.Fatal("a tie is accepted")
	}
	if d := got[0].Description; !strings.Contains(d, "first") || !strings.Contains(d, "second") {
		t.Errorf("the tie does not name both: %s", d)
	}
}

func TestOnlyCanonicalHosts(t *testing.T) {
	t.Parallel()
	for host, suggestion := range map[string]string{
		"Auth.Acme.Test": "auth.acme.test", "auth.acme.test.": "auth.acme.test", "auth.acme.test:443": "", "": "", "a b": "",
	} {
		got := policy.CheckHost("auth_host", host)
		if len(got) != 1 || got[0].Suggestion != suggestion || got[0].Field != "auth_host" {
			t.Errorf("%q: %+v", host, got)
		}
	}
	if got := policy.CheckHost("auth_host", "auth.acme.test"); got != nil {
		t.Errorf("a canonical host is refused: %+v", got)
	}
}

// People are members one by one to the evaluator; what is wrong is told where it was written all the same.
func TestWhereAMemberIsWrong(t *testing.T) {
	t.Parallel()
	person := controlplane.GroupMember{User: "Ann@acme.test"}
	site := policy.NewSite(resources(map[string]controlplane.Spec{
		"staff": &controlplane.Group{Members: []controlplane.GroupMember{person, {User: "bob@acme.test"}, {ServiceAccount: "ci"}}},
		"night": &controlplane.Group{Members: []controlplane.GroupMember{{Group: "staff"}, person, {IDPGroup: &controlplane.IDPGroup{IDP: "demo", Name: "n"}}}},
	}))
	var fields []string
	for _, f := range site.Findings() {
		fields = append(fields, f.ID+" "+f.Field)
	}
	if diff := cmp.Diff([]string{"night members[2].idp_group.idp", "staff members[2].service_account"}, fields); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	got := policy.CheckGroup(&controlplane.Group{Members: []controlplane.GroupMember{person, {Group: "night"}, {User: "bob@localhost"}}})
	if len(got) != 1 || got[0].Field != "members[2].user" {
		t.Errorf("an address that is none: %+v", got)
	}
}

// However a site is reached, it is the one that all of its resources make.
func TestMembershipsFollowGroups(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(2, 3))
	site, specs := policy.NewSite(nil), map[string]controlplane.Spec{}
	for step := range 300 {
		var put []*controlplane.Resource
		var gone []policy.Key
		touched := map[string]bool{}
		for range 1 + random.IntN(3) {
			id := fmt.Sprint("g", random.IntN(4))
			switch {
			case touched[id]:
				continue
			case random.IntN(4) == 0:
				gone = append(gone, policy.Key{Kind: controlplane.KindGroup, ID: id})
				delete(specs, id)
			default:
				group := &controlplane.Group{}
				for n := range 6 {
					if random.IntN(2) == 0 {
						group.Members = append(group.Members, controlplane.GroupMember{User: fmt.Sprintf("U%d@acme.test", n)})
					}
				}
				specs[id] = group
				put = append(put, resource(id, group, nil))
			}
			touched[id] = true
		}
		site = site.With(put, gone)
		anew := policy.NewSite(resources(specs))
		if diff := cmp.Diff(anew.Source, site.Source, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("step %d (-anew +followed):\n%s", step, diff)
		}
		if diff := cmp.Diff(anew.Findings(), site.Findings()); diff != "" {
			t.Fatalf("step %d: findings (-anew +followed):\n%s", step, diff)
		}
	}
}

// What a client wrote into conditions may have been lost on its way, and without them a rule is for everybody.
func TestConditionsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conditions *controlplane.Conditions
		refused    bool
	}{
		"left out": {nil, false}, "none": {&controlplane.Conditions{}, true}, "some": {&controlplane.Conditions{Countries: []string{"DE"}}, false},
	} {
		spec := &controlplane.Policy{Rules: []controlplane.Rule{{}, {Conditions: c.conditions}}}
		got := policy.Check(spec)
		if (len(got) > 0) != c.refused || c.refused && got[0].Field != "rules[1].conditions" {
			t.Errorf("%s: %v", name, got)
		}
	}
}
