package simulation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// What an edge would have decided, had it known all about somebody, is what the simulation says, or it says nothing. It
// is so with much room to remember people and with none; and it does decide most.
func TestDecidedAsByEverything(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 1))
	today := policy.NewSite(all())
	w := &world{site: today, config: 1, begin: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}
	sought := w.sought()
	decided, gained, lost := 0, 0, 0
	const rounds, events = 60, 60
	for round := range rounds {
		draft := randomDraft(random)
		after := policy.NewSite(draft)
		var list []*happened
		var rows [][]byte
		for n := range events {
			h := w.happen(random, n, events, 40)
			if h.who.Kind == engine.Person && random.IntN(4) == 0 {
				h.who.Groups = h.who.Groups[:1] // another sign-in, after a team was left
			}
			// What they are in beside: values that some drafts name, and no edge looked for.
			for _, extra := range extras {
				if h.who.Kind == engine.Person && random.IntN(3) == 0 {
					h.who.Groups = append(h.who.Groups, extra)
				}
			}
			h.decision = w.decide(today, h, h.who)
			list, rows = append(list, h), append(rows, w.row(h, sought).Event)
		}
		known := map[string]map[string]bool{"demo": sought}
		much, none := simulation.Judge(today, after, known, 1<<20, rows), simulation.Judge(today, after, known, 0, rows)
		few := simulation.Judge(today, after, known, 20_000, rows)
		if diff := cmp.Diff(much, none); diff != "" {
			t.Fatalf("round %d: remembered, and not (-remembered +not):\n%s", round, diff)
		}
		if diff := cmp.Diff(much, few); diff != "" {
			t.Fatalf("round %d: remembered, and forgotten (-remembered +forgotten):\n%s", round, diff)
		}
		for i, h := range list {
			got := much[i]
			if got.Why != "" {
				continue
			}
			decided++
			before, later := w.decide(today, h, h.who).Outcome.String(), w.decide(after, h, h.who).Outcome.String()
			if got.Same {
				if before != later {
					t.Fatalf("round %d: %+v: said to be the same, but goes from %s to %s", round, h, before, later)
				}
				continue
			}
			if got.Outcome[0].Outcome != before || got.Outcome[1].Outcome != later {
				t.Fatalf("round %d: %+v: from %s to %s, but is said to be %+v", round, h, before, later, got)
			}
			switch {
			case later == "ALLOW":
				gained++
			case before == "ALLOW":
				lost++
			}
		}
	}
	t.Logf("of %d: %d decided, %d gains, %d losses", rounds*events, decided, gained, lost)
	if decided < rounds*events*8/10 || gained < 10 || lost < 10 {
		t.Error("hardly anything was shown")
	}
}

// extras are values of the claim that no group of today's names.
var extras = []string{"partners", "partners-eu", "auditors", "vendors", "guests"}

// randomDraft is today's policy with some changes.
func randomDraft(random *rand.Rand) []*controlplane.Resource {
	resources := all()
	groups := []string{"group:everybody", "group:suspended"}
	for i, extra := range extras {
		g := claimGroup(extra)
		if i > 0 && random.IntN(2) == 0 {
			g.Members = append(g.Members, controlplane.GroupMember{Group: extras[i-1]})
		}
		resources = append(resources, &controlplane.Resource{Kind: controlplane.KindGroup, ID: extra, Spec: g})
		groups = append(groups, "group:"+extra, fmt.Sprintf("group:team-%d", random.IntN(teams)))
	}
	for _, r := range resources {
		p, ok := r.Spec.(*controlplane.Policy)
		if !ok || random.IntN(2) == 0 {
			continue
		}
		for i := range p.Rules {
			rule := &p.Rules[i]
			switch random.IntN(6) {
			case 0:
				rule.Principals = []string{groups[random.IntN(len(groups))]}
			case 1:
				rule.Principals = append(slices.Clone(rule.Principals), groups[random.IntN(len(groups))])
			case 2:
				rule.Expression = fmt.Sprintf(`!(%q in principal.groups) || request.method == "GET"`, extras[random.IntN(len(extras))])
			}
		}
		if random.IntN(4) == 0 && r.ID != "rail" {
			p.Rules = append(p.Rules, controlplane.Rule{ID: "keep-out", Effect: "EFFECT_DENY", Principals: []string{groups[random.IntN(len(groups))]}, Operations: []string{"use"}})
		}
	}
	return resources
}

// What edges looked for at a revision is found in the history.
func TestSought(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	group := func(names ...string) *controlplane.Resource {
		return &controlplane.Resource{Kind: controlplane.KindGroup, ID: "everybody", Spec: claimGroup(names...)}
	}
	first := w.config
	w.put(t, group("staff", "partners"))
	w.put(t, &controlplane.Resource{Kind: controlplane.KindPolicy, ID: "app-1", Spec: policyOf(1, "group:team-3")})
	w.put(t, group("partners"), &controlplane.Resource{Kind: controlplane.KindGroup, ID: "vendors", Spec: claimGroup("vendors")})
	var found [][]string
	err := w.db.Read(t.Context(), w.scope.UID, func(tx *store.TenantTx) error {
		var err error
		found, err = simulation.Sought(tx, "demo", first+3, first, first+1, first+2, first-1, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = slices.DeleteFunc(found[i], func(name string) bool { return len(name) > 5 && name[:5] == "team-" })
	}
	want := [][]string{{"partners", "vendors"}, {"staff"}, {"partners", "staff"}, {"partners", "staff"}, nil, nil}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("sought (-want +got):\n%s", diff)
	}
}
