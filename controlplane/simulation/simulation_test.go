package simulation_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// One tenant cannot take the places of all.
func TestPlaces(t *testing.T) {
	t.Parallel()
	s := simulation.New(simulation.Config{})
	var leave []func()
	for _, c := range []struct {
		of    controlplane.UID
		quota string
	}{{"acme", ""}, {"acme", ""}, {"acme", "tenant-simulations"}, {"globex", ""}, {"initech", ""}, {"hooli", "simulations"}} {
		left, err := s.Enter(c.of)
		refused, _ := errors.AsType[*controlplane.Error](err)
		switch {
		case c.quota == "" && err == nil:
			leave = append(leave, left)
		case c.quota == "" || refused == nil || refused.Kind != controlplane.Exhausted || refused.Metadata["quota"] != c.quota || refused.RetryAfter == 0:
			t.Errorf("%s: %v, want %q", c.of, err, c.quota)
		}
	}
	for _, left := range leave {
		left()
	}
	if _, err := s.Enter("acme"); err != nil {
		t.Errorf("after all have left: %v", err)
	}
}

// What was read is what there is, page after page, and all of it is accounted for; who has gone is not waited for.
func TestRun(t *testing.T) {
	t.Parallel()
	const events = 4_500 // of more than two pages
	w, random := newWorld(t), rand.New(rand.NewPCG(3, 4))
	var list []*happened
	for n := range events {
		list = append(list, w.happen(random, n, events, 300))
	}
	w.report(t, list)
	q := simulation.Query{Scope: w.scope, Draft: draft(w, &controlplane.Resource{Kind: controlplane.KindGroup, ID: "everybody", Spec: claimGroup("team-0", "team-5")})}
	quiet := func(simulation.Progress) error { return nil }
	got, err := w.service.Run(t.Context(), storetest.Caller(), q, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if got.Events != events || got.Decided != events || got.Drift != 0 || got.Losses.Events == 0 || got.Gains.Events == 0 || got.Unchanged+got.Losses.Events+got.Gains.Events != events || len(got.Changes) != 0 ||
		got.Truncated || !got.Oldest.Equal(list[0].at) {
		t.Errorf("%+v", got)
	}
	for _, list := range []simulation.List{got.Losses.People, got.Losses.Operations, got.Losses.Rules} {
		sum := list.MoreEvents
		for _, line := range list.Lines {
			sum += line.Events
		}
		if sum != got.Losses.Events {
			t.Errorf("a list has %d of %d losses", sum, got.Losses.Events)
		}
	}
	q.MaxEvents = 2_000
	if got, err := w.service.Run(t.Context(), storetest.Caller(), q, quiet); err != nil || got.Events != 2_000 || !got.Truncated || !got.Oldest.Equal(list[events-2_000].at) {
		t.Errorf("the newest 2,000: %+v, %v", got, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.service.Run(gone, storetest.Caller(), q, quiet); err == nil {
		t.Error("it went on without its client")
	}
}
