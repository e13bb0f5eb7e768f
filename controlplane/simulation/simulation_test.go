package simulation_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
	"github.com/sallyport-iap/sallyport/controlplane/store"
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

	// Who goes in the middle of a page does not wait for its end.
	leaving, leave := context.WithCancel(t.Context())
	seen := 0
	err = w.db.Read(t.Context(), w.scope.UID, func(tx *store.TenantTx) error {
		read := simulation.Query{Since: w.begin, Until: w.begin.Add(days * 24 * time.Hour), MaxEvents: events}
		_, err := simulation.ReadAll(leaving, tx, read, func() error {
			if seen++; seen == 100 {
				leave()
			}
			return tx.StayOpen()
		})
		return err
	})
	if err == nil || seen != 2*simulation.LookUpEvery {
		t.Errorf("%d events were decided for somebody who left at 100: %v", seen, err)
	}

	// Of one app: what is of others is gone through as well, and not without end.
	q.MaxEvents, q.App = 0, "app-3"
	of := 0
	for _, h := range list {
		if h.app == 3 {
			of++
		}
	}
	whole, err := w.service.Run(t.Context(), storetest.Caller(), q, quiet)
	if err != nil || whole.Events != int64(of) || whole.Truncated || len(whole.Notes) != 0 {
		t.Errorf("of one app, %d: %+v, %v", of, whole, err)
	}
	w.service.GoThrough(4_000)
	some, err := w.service.Run(t.Context(), storetest.Caller(), q, quiet)
	if err != nil || !some.Truncated || some.Events >= whole.Events || some.Events == 0 || len(some.Notes) != 1 || !strings.Contains(some.Notes[0], "4000") ||
		some.Oldest.Sub(list[events-4_000].at).Abs() > time.Millisecond {
		t.Errorf("not all of it: %+v, %v", some, err)
	}
	q.App = "app-33"
	if none, err := w.service.Run(t.Context(), storetest.Caller(), q, quiet); err != nil || none.Events != 0 || !none.Truncated || len(none.Notes) != 2 {
		t.Errorf("of no app: %+v, %v", none, err)
	}
}
