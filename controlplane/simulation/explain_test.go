package simulation_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/decision"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// Of each example that a simulation gives, an explanation by the same draft says the same.
func TestExplainedAsSimulated(t *testing.T) {
	t.Parallel()
	const events = 500
	w, random := newWorld(t), rand.New(rand.NewPCG(3, 4))
	rows := make([]store.AccessEvent, events)
	for n := range rows {
		rows[n] = w.row(w.happen(random, n, events, 30), w.sought())
		if n%25 == 0 { // as edges record it where no route leads
			head, rest, _ := bytes.Cut(rows[n].Event, []byte(`"outcome":`))
			_, rest, _ = bytes.Cut(rest, []byte(`"config":`))
			rows[n].Event = append(append(head, `"outcome":"REFUSED", "reason":"route.none", "config":`...), rest...)
			rows[n].Outcome, rows[n].Reason = "REFUSED", "route.none"
		}
	}
	if err := w.db.System().InsertEvents(t.Context(), w.scope.UID, "01a20889-6fdb-7df8-8489-965a23142e96", "b1", rows); err != nil {
		t.Fatal(err)
	}
	explain := decision.New(decision.Config{DB: w.db, Changes: changeset.New(changeset.Config{DB: w.db}), Now: time.Now})
	provider := func(domain string, disabled bool) *controlplane.Resource {
		return &controlplane.Resource{Kind: controlplane.KindIdentityProvider, ID: "demo", Spec: &controlplane.IdentityProvider{
			Issuer: "https://idp.example", ClientID: "x", EmailDomains: []string{domain}, Disabled: disabled,
		}}
	}
	app := func(id, host, path string) *controlplane.Resource {
		spec := *w.site.Resource(controlplane.KindApp, id).Spec.(*controlplane.App)
		spec.Hosts = []string{host}
		spec.Routes = []controlplane.Route{{Path: path, Upstreams: spec.Routes[0].Upstreams}}
		return &controlplane.Resource{Kind: controlplane.KindApp, ID: id, Spec: &spec}
	}
	for name, resources := range map[string][]*controlplane.Resource{
		"a provider is disabled":                {provider("acme.test", true)},
		"a provider has another domain":         {provider("other.test", false)},
		"a service account is disabled":         {{Kind: controlplane.KindServiceAccount, ID: "ci", Spec: &controlplane.ServiceAccount{Disabled: true}}},
		"two apps have each other's host":       {app("app-1", "app-2.acme.test", "/**"), app("app-2", "app-1.acme.test", "/**")},
		"a host is no app's":                    {app("app-3", "moved.acme.test", "/**")},
		"a route leads only to some":            {app("app-4", "app-4.acme.test", "/open/**")},
		"a group has a value not looked for":    {{Kind: controlplane.KindGroup, ID: "suspended", Spec: claimGroup("contractors")}},
		"a group has another value, looked for": {{Kind: controlplane.KindGroup, ID: "everybody", Spec: claimGroup("team-0", "team-5")}},
	} {
		d := draft(w, resources...)
		got, err := w.service.Run(t.Context(), storetest.Caller(), simulation.Query{Scope: w.scope, Draft: d, Examples: 5}, func(simulation.Progress) error { return nil })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		examples := map[string]*simulation.Example{}
		for _, moves := range []simulation.Moves{got.Gains, got.Losses} {
			for _, line := range moves.Operations.Lines {
				for _, x := range line.Examples {
					examples[x.ID] = x
				}
			}
		}
		for _, change := range append(got.Changes, got.Drifts...) {
			for _, x := range change.Examples {
				examples[x.ID] = x
			}
		}
		compared := 0
		for id, x := range examples {
			if x.After == nil {
				continue
			}
			a, err := explain.ExplainStored(t.Context(), storetest.Caller(), w.scope, d, id)
			if err != nil {
				t.Errorf("%s: %s: %v", name, id, err)
				continue
			}
			if said := outcomeOf(a); said != *x.After {
				t.Errorf("%s: %s %s %s by %+v: simulated as %+v, explained as %+v", name, x.Method, x.Host, x.Path, x.Who, *x.After, said)
			}
			compared++
		}
		if compared == 0 {
			t.Errorf("%s: nothing was shown", name)
		}
	}
}

func outcomeOf(a *decision.Answer) simulation.Outcome {
	switch {
	case a.Before != nil && a.Before.Outcome.String() == "DENY":
		return simulation.Outcome{Outcome: "REFUSED", Reason: string(a.Before.Reason)}
	case a.Before != nil:
		return simulation.Outcome{Outcome: a.Before.Outcome.String(), Reason: string(a.Before.Reason)}
	case a.Explanation == nil:
		return simulation.Outcome{Outcome: a.Event.Outcome, Reason: a.Event.Reason}
	}
	return simulation.Outcome{Outcome: a.Outcome.String(), Reason: string(a.Reason), Policy: a.Policy, Rule: a.Rule, Grant: a.Grant}
}
