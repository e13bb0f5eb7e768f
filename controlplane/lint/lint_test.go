package lint_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

type rule = controlplane.Rule

func allow(id string, principals []string, operations ...string) rule {
	return rule{ID: id, Effect: "EFFECT_ALLOW", Principals: principals, Operations: operations}
}

func with(r rule, effect string, c controlplane.Conditions) rule {
	r.Effect, r.Conditions = effect, &c
	return r
}

// wiki is an app with two operations.
func wiki() *controlplane.App {
	return &controlplane.App{
		Hosts: []string{"wiki.acme.test"}, Routes: []controlplane.Route{{Path: "/**"}},
		Operations: []controlplane.Operation{
			{ID: "admin", Methods: []string{"*"}, Paths: []string{"/admin/**"}},
			{ID: "use", Methods: []string{"*"}, Paths: []string{"/**"}},
		},
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	everybody := allow("everybody", []string{"people"}, "*")
	past, future := now.Add(-time.Hour), now.Add(time.Hour)
	for name, c := range map[string]struct {
		app    *controlplane.App
		rules  []rule
		groups map[string]*controlplane.Group
		want   []string // kind/id field code
	}{
		"nothing":                         {rules: []rule{everybody}},
		"no policy":                       {want: []string{"App/wiki  app-without-policy"}},
		"an operation that nobody may do": {rules: []rule{allow("a", []string{"people"}, "use")}, want: []string{"App/wiki operations[0] operation-not-allowed"}},
		"shadowed by a wider rule": {
			rules: []rule{everybody, allow("few", []string{"domain:acme.test"}, "use")},
			want:  []string{"Policy/main rules[1] rule-shadowed"},
		},
		"not shadowed by a rule with conditions": {
			rules: []rule{
				with(allow("a", []string{"people"}, "*"), "EFFECT_ALLOW", controlplane.Conditions{SourceCIDRs: []string{"10.0.0.0/8"}}),
				allow("few", []string{"domain:acme.test"}, "*"),
			},
		},
		"machines are no people": {rules: []rule{everybody, allow("ci", []string{"serviceAccounts"}, "use")}},
		"one of two that are alike": {
			rules: []rule{everybody, allow("people", []string{"people"}, "*")},
			want:  []string{"Policy/main rules[1] rule-shadowed"},
		},
		"public beside identity": {
			rules: []rule{allow("anyone", []string{"anyone"}, "*"), allow("people", []string{"people"}, "admin")},
			want:  []string{"Policy/main rules[1] public-beside-identity"},
		},
		"denied whole": {
			rules: []rule{everybody, allow("ci", []string{"serviceAccounts"}, "use"), {ID: "no", Effect: "EFFECT_DENY", Principals: []string{"serviceAccounts"}, Operations: []string{"*"}}},
			want:  []string{"Policy/main rules[1] rule-denied"},
		},
		"other networks are required": {
			rules: []rule{
				with(everybody, "EFFECT_ALLOW", controlplane.Conditions{SourceCIDRs: []string{"192.0.2.0/24"}}),
				with(allow("office", []string{"anyone"}, "*"), "EFFECT_REQUIRE", controlplane.Conditions{SourceCIDRs: []string{"10.0.0.0/8"}}),
			},
			want: []string{"Policy/main rules[0].conditions.source_cidrs never-holds"},
		},
		"the same networks are required, as IPv6 maps them": {
			rules: []rule{
				with(everybody, "EFFECT_ALLOW", controlplane.Conditions{SourceCIDRs: []string{"10.0.0.0/8"}}),
				with(allow("office", []string{"anyone"}, "*"), "EFFECT_REQUIRE", controlplane.Conditions{SourceCIDRs: []string{"::ffff:10.0.0.0/104"}}),
			},
		},
		"over": {
			rules: []rule{everybody, with(allow("old", []string{"serviceAccounts"}, "*"), "EFFECT_ALLOW", controlplane.Conditions{NotAfter: &past})},
			want:  []string{"Policy/main rules[1].conditions.not_after never-holds"},
		},
		"ends before it begins": {
			rules: []rule{everybody, with(allow("odd", []string{"serviceAccounts"}, "*"), "EFFECT_ALLOW", controlplane.Conditions{NotBefore: &future, NotAfter: &future})},
			want:  []string{"Policy/main rules[1].conditions.not_after never-holds"},
		},
		"of another provider": {
			rules: []rule{everybody, with(allow("odd", []string{"idp:a"}, "*"), "EFFECT_DENY", controlplane.Conditions{IDPs: []string{"b"}})},
			want:  []string{"Policy/main rules[1].conditions.idps never-holds"},
		},
		"groups of nobody": {
			rules: []rule{everybody},
			groups: map[string]*controlplane.Group{
				"empty": {}, "nested": {Members: []controlplane.GroupMember{{Group: "empty"}}},
				"some": {Members: []controlplane.GroupMember{{User: "ann@acme.test"}}}, "of": {Members: []controlplane.GroupMember{{Group: "some"}}},
			},
			want: []string{"Group/empty members group-without-members", "Group/nested members group-without-members"},
		},
		"a path that no route has": {
			app: &controlplane.App{
				Hosts: []string{"wiki.acme.test"}, Routes: []controlplane.Route{{Path: "/api/**"}, {Path: "/web/**"}},
				Operations: []controlplane.Operation{
					{ID: "api", Methods: []string{"*"}, Paths: []string{"/api/**"}}, {ID: "other", Methods: []string{"*"}, Paths: []string{"/other"}},
				},
			},
			rules: []rule{everybody},
			want:  []string{"App/wiki operations[1] operation-unrouted", "App/wiki routes[1] route-unreachable"},
		},
		"part of an operation is another": {
			app: &controlplane.App{
				Hosts: []string{"wiki.acme.test"}, Routes: []controlplane.Route{{Path: "/**"}},
				Operations: []controlplane.Operation{
					{ID: "all", Methods: []string{"*"}, Paths: []string{"/**"}}, {ID: "get", Methods: []string{"GET"}, Paths: []string{"/**"}},
				},
			},
			rules: []rule{everybody},
			want:  []string{"App/wiki operations[0] operations-overlap"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := c.app
			if app == nil {
				app = wiki()
			}
			resources := []*controlplane.Resource{
				{Kind: controlplane.KindApp, ID: "wiki", Spec: app}, {ID: "a", Spec: &controlplane.IdentityProvider{}}, {ID: "b", Spec: &controlplane.IdentityProvider{}},
			}
			if c.rules != nil {
				resources = append(resources, &controlplane.Resource{Kind: controlplane.KindPolicy, ID: "main", Spec: &controlplane.Policy{Apps: []string{"wiki"}, Rules: c.rules}})
			}
			for id, g := range c.groups {
				resources = append(resources, &controlplane.Resource{Kind: controlplane.KindGroup, ID: id, Spec: g})
			}
			var got []string
			for _, f := range check(t, policy.NewSite(resources)) {
				got = append(got, string(f.Kind)+"/"+f.ID+" "+f.Field+" "+f.Code)
				if f.Message == "" || f.Advice == "" {
					t.Errorf("it does not say what is wrong, or what to do: %+v", f)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
