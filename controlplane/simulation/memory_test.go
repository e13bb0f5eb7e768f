package simulation_test

import (
	"fmt"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
)

// manyGroups has apps for everybody. The draft keeps three groups out of each that no edge looked for: whoever comes is to
// be filled in in 27 ways, in each app in other ones.
func manyGroups(groups, apps int, draft bool) *policy.Site {
	var list []*controlplane.Resource
	add := func(kind controlplane.Kind, id string, spec controlplane.Spec) {
		list = append(list, &controlplane.Resource{Kind: kind, ID: id, Spec: spec})
	}
	add(controlplane.KindIdentityProvider, "demo", &controlplane.IdentityProvider{EmailDomains: []string{"acme.test"}})
	for n := range groups {
		add(controlplane.KindGroup, fmt.Sprintf("g-%d", n), claimGroup(fmt.Sprintf("g-%d", n)))
	}
	for n := range apps {
		id := fmt.Sprintf("app-%d", n)
		add(controlplane.KindApp, id, &controlplane.App{
			Hosts: []string{id + ".acme.test"}, Routes: []controlplane.Route{{Path: "/**", Upstreams: []controlplane.Upstream{{URL: "http://127.0.0.1:8080"}}}},
		})
		p := &controlplane.Policy{Apps: []string{id}, Rules: []controlplane.Rule{{ID: "all", Effect: "EFFECT_ALLOW", Principals: []string{"people"}, Operations: []string{"*"}}}}
		if draft {
			for _, group := range threeNew(id) {
				add(controlplane.KindGroup, group, claimGroup(group))
				p.Rules = append(p.Rules, controlplane.Rule{ID: group, Effect: "EFFECT_DENY", Principals: []string{"group:" + group}, Operations: []string{"*"}})
			}
		}
		add(controlplane.KindPolicy, id, p)
	}
	return policy.NewSite(list)
}

func threeNew(app string) (groups []string) {
	for k := range 3 {
		groups = append(groups, fmt.Sprintf("new-%s-%d", app, k))
	}
	return groups
}

// What somebody costs does not grow with the groups that they are not in, nor with the ways to fill in what was not
// recorded of them, and is given up before it is too much.
func TestWhatPeopleCost(t *testing.T) { //nolint:paralleltest // it weighs the heap, which is that of all
	const groups, apps, people = 1_000, 16, 100
	sought := map[string]bool{}
	for n := range groups {
		sought[fmt.Sprintf("g-%d", n)] = true
	}
	events := func(yield func([]byte) bool) {
		for n := range people * apps {
			app, person := n%apps, n/apps
			event := fmt.Sprintf(`{"time":"2026-11-23T12:00:00Z","app":"app-%d","principal":{"kind":"user","subject":"user:%d","email":"p%d@acme.test","identity_provider":"demo"},`+
				`"source_ip":"192.0.2.1","request":{"method":"GET","host":"app-%d.acme.test","path":"/x"},"decision":{"outcome":"ALLOW","reason":"allow.rule","policy":"app-%d","rule":"all",`+
				`"config":"5","auth_time":"2026-11-23T09:00:00Z","facts":{"claim_groups":["g-1","g-2"],"email_verified":true}}}`, app, person, person, app, app)
			if !yield([]byte(event)) {
				return
			}
		}
	}
	whys, cost := simulation.Weigh(manyGroups(groups, apps, false), manyGroups(groups, apps, true), map[string]map[string]bool{"demo": sought}, events)
	t.Logf("%v, %+v", whys, cost)
	if whys["claim_groups_not_recorded"] != people*apps {
		t.Errorf("%v: all should be undecidable", whys)
	}
	if each := cost.Allocated / (people * apps); each > 64<<10 {
		t.Errorf("an event takes %d bytes to decide: more than 64 KiB", each)
	}
	if cost.Kept > 8<<20 {
		t.Errorf("%d people are remembered in %d bytes: more than 8 MiB", people, cost.Kept)
	}
}
