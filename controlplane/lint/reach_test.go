package lint_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/lint"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// site is a wiki that is in production, that everybody may use, and other resources.
func site(more ...*controlplane.Resource) *policy.Site {
	app := &controlplane.Resource{Kind: controlplane.KindApp, ID: "wiki", Spec: wiki(), Labels: map[string]string{"env": "prod"}}
	main := &controlplane.Policy{Apps: []string{"wiki"}, Rules: []rule{allow("everybody", []string{"people"}, "*")}}
	return policy.NewSite(append([]*controlplane.Resource{app, {Kind: controlplane.KindPolicy, ID: "main", Spec: main}}, more...))
}

func codes(findings []lint.Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, string(f.Kind)+"/"+f.ID+" "+f.Field+" "+f.Code)
	}
	return all
}

func rail(selector controlplane.LabelRequirement, operations ...string) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindPolicy, ID: "rail", Spec: &controlplane.Policy{
		Selector: []controlplane.LabelRequirement{selector},
		Rules:    []rule{{ID: "no", Effect: "EFFECT_DENY", Principals: []string{"serviceAccounts"}, Operations: operations}},
	}}
}

func grant(until time.Time) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindGrant, ID: "while", Spec: &controlplane.Grant{
		App: "wiki", Principals: []string{"people"}, Operations: []string{"*"}, NotAfter: &until,
	}}
}

// hours is a rule that holds in time windows, and until an instant.
func hours(until time.Time, windows ...controlplane.TimeWindow) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindPolicy, ID: "hours", Spec: &controlplane.Policy{Apps: []string{"wiki"}, Rules: []rule{
		with(allow("ci", []string{"serviceAccounts"}, "*"), "EFFECT_ALLOW", controlplane.Conditions{TimeWindows: windows, NotAfter: &until}),
	}}}
}

// What reaches nothing, is over, or never comes.
func TestReachAndTime(t *testing.T) {
	t.Parallel()
	label := func(value, unset string) controlplane.LabelRequirement {
		return controlplane.LabelRequirement{Key: "env", Values: []string{value}, Unset: unset}
	}
	tier := controlplane.LabelRequirement{Key: "tier", Values: []string{"gold"}}
	tierMustBe := tier
	tierMustBe.Unset = "UNSET_LABEL_NO_MATCH"
	sunday := controlplane.TimeWindow{Days: []string{"DAY_OF_WEEK_SUNDAY"}, Start: "09:00", End: "17:00", Zone: "UTC"}
	monday := controlplane.TimeWindow{Days: []string{"DAY_OF_WEEK_MONDAY"}, Start: "13:00", End: "17:00", Zone: "UTC"}
	for name, c := range map[string]struct {
		more *controlplane.Resource
		want []string
	}{
		"a guard-rail that reaches an app":           {more: rail(label("prod", ""), "admin")},
		"one that reaches no app":                    {more: rail(label("production", ""), "*"), want: []string{"Policy/rail selector guard-rail-without-app"}},
		"one for a label that is not set":            {more: rail(tier, "*")},
		"one for a label that has to be set":         {more: rail(tierMustBe, "*"), want: []string{"Policy/rail selector guard-rail-without-app"}},
		"one for an operation that its apps have":    {more: rail(label("prod", ""), "adm*")},
		"one for an operation that none of them has": {more: rail(label("prod", ""), "admin", "delete"), want: []string{"Policy/rail rules[0].operations[1] operation-of-no-app"}},
		"a window that opens before the end":         {more: hours(now.Add(2*time.Hour), monday)},
		"a window that opens after the end":          {more: hours(now.Add(2*time.Hour), sunday), want: []string{"Policy/hours rules[0].conditions.time_windows never-holds"}},
		"one of two windows that opens in time":      {more: hours(now.Add(2*time.Hour), sunday, monday)},
		"a window that opens when it ends":           {more: hours(now.Add(time.Hour), monday), want: []string{"Policy/hours rules[0].conditions.time_windows never-holds"}},
		"a grant":                                    {more: grant(now.Add(time.Second))},
		"a grant that has ended":                     {more: grant(now), want: []string{"Grant/while not_after grant-expired"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, codes(check(t, site(c.more)))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// Of a change only that is told which it brings.
func TestNew(t *testing.T) {
	t.Parallel()
	before := site(grant(now), rail(controlplane.LabelRequirement{Key: "env", Values: []string{"none"}}, "*"))
	later := before.With([]*controlplane.Resource{hours(now.Add(time.Hour), controlplane.TimeWindow{Start: "22:00", End: "23:00", Zone: "UTC"})}, nil)
	if diff := cmp.Diff([]string{"Policy/hours rules[0].conditions.time_windows never-holds"}, codes(brought(t, before, later))); diff != "" {
		t.Errorf("new (-want +got):\n%s", diff)
	}
	if found := brought(t, later, before); len(found) > 0 {
		t.Errorf("to mend something brings %+v", found)
	}
}
