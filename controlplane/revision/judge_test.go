package revision

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	c := func(n int64) controlplane.Revision {
		return controlplane.Revision{Lane: controlplane.Config, Number: n}
	}
	u := func(n int64) controlplane.Revision {
		return controlplane.Revision{Lane: controlplane.Urgent, Number: n}
	}
	edge := func(change func(*store.EdgeState)) store.EdgeState {
		e := store.EdgeState{
			Edge:    store.Edge{EdgeEnrolment: store.EdgeEnrolment{Name: "edgePools/dev/edges/eu-1"}, SeenTime: now.Add(-time.Second)},
			SeenAgo: time.Second, Ack: &store.Ack{Lineage: "L", Config: 10, Urgent: 5, MaxStaleness: time.Hour}, AckTime: now,
		}
		if change != nil {
			change(&e)
		}
		return e
	}
	silent := func(for_ time.Duration) func(*store.EdgeState) {
		return func(e *store.EdgeState) { e.SeenAgo, e.Edge.SeenTime = for_, now.Add(-for_) }
	}
	for name, tc := range map[string]struct {
		edge   store.EdgeState
		want   controlplane.Revision
		is     standing
		closes time.Time
	}{
		"it has it":                           {edge(nil), c(10), there, time.Time{}},
		"it has more":                         {edge(nil), c(9), there, time.Time{}},
		"it is behind":                        {edge(nil), c(11), pending, time.Time{}},
		"it has it, urgent":                   {edge(nil), u(5), there, time.Time{}},
		"it is behind, urgent":                {edge(nil), u(6), pending, time.Time{}},
		"it had it and is silent":             {edge(silent(time.Minute)), c(10), there, time.Time{}},
		"behind, quiet for 15 s":              {edge(silent(15 * time.Second)), c(11), pending, time.Time{}},
		"behind, silent for a minute":         {edge(silent(time.Minute)), c(11), unreachable, now.Add(time.Hour - 45*time.Second)},
		"behind, silent until it closed":      {edge(silent(time.Hour + 15*time.Second)), c(11), released, time.Time{}},
		"another lineage":                     {edge(func(e *store.EdgeState) { e.Ack.Lineage = "K" }), c(10), pending, time.Time{}},
		"connected, nothing said yet":         {edge(func(e *store.EdgeState) { e.Ack = nil }), c(1), pending, time.Time{}},
		"silent, what it said is lost":        {edge(func(e *store.EdgeState) { e.Ack = nil; silent(time.Minute)(e) }), c(1), unreachable, now.Add(30*24*time.Hour - 45*time.Second)},
		"never connected":                     {edge(func(e *store.EdgeState) { e.Ack, e.SeenAgo, e.Edge.SeenTime = nil, -1, time.Time{} }), c(1), released, time.Time{}},
		"it said goodbye":                     {edge(func(e *store.EdgeState) { e.Edge.DepartedTime = now }), c(11), released, time.Time{}},
		"it was disabled or deleted":          {edge(func(e *store.EdgeState) { e.Edge.LeftTime = now }), c(11), released, time.Time{}},
		"it serves nothing that outlives us":  {edge(func(e *store.EdgeState) { e.Ack.MaxStaleness = 0; silent(16 * time.Second)(e) }), c(11), released, time.Time{}},
		"connected, and has nothing as yet":   {edge(func(e *store.EdgeState) { e.Ack.Config = 0 }), c(1), pending, time.Time{}},
		"an acknowledgement of nothing is no": {edge(func(e *store.EdgeState) { e.Ack = &store.Ack{Lineage: "L"} }), u(1), pending, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is, r := judge(tc.edge, tc.want, "L", now)
			if is != tc.is || !r.ClosesBy.Equal(tc.closes) {
				t.Errorf("standing %d, closes by %s; want %d, %s", is, r.ClosesBy, tc.is, tc.closes)
			}
		})
	}

	t.Run("all together", func(t *testing.T) {
		t.Parallel()
		refused, err := json.Marshal(map[string]any{"lane": "config", "offered": 11, "reason": "REFUSED_REASON_COMPILE", "detail": "why"})
		if err != nil {
			t.Fatal(err)
		}
		good := edge(func(e *store.EdgeState) { e.Ack.Config, e.Ack.ClosedApps = 11, []string{"b", "a"} })
		lost := edge(silent(time.Minute))
		stuck := edge(func(e *store.EdgeState) { e.Ack.Refused = refused })
		type summary struct {
			Result               Result
			Pending, Unreachable int
			Closed               []string
			Refused              string
			Enforced             bool
		}
		for name, tc := range map[string]struct {
			edges []store.EdgeState
			want  summary
		}{
			"none":            {nil, summary{Result: Enforced}},
			"there":           {[]store.EdgeState{good, good}, summary{Result: Enforced, Closed: []string{"a", "b"}, Enforced: true}},
			"one is silent":   {[]store.EdgeState{good, lost}, summary{Result: EnforcedExcept, Unreachable: 1, Closed: []string{"a", "b"}, Enforced: true}},
			"one is behind":   {[]store.EdgeState{good, lost, edge(nil)}, summary{Result: Pending, Pending: 1, Unreachable: 1, Closed: []string{"a", "b"}}},
			"one has refused": {[]store.EdgeState{stuck}, summary{Result: Pending, Pending: 1, Refused: "COMPILE at c11: why"}},
		} {
			got := judgeAll(tc.edges, c(11), "L", now)
			s := summary{got.Result, len(got.Pending), len(got.Unreachable), got.ClosedApps, "", !got.EnforceTime.IsZero()}
			if len(got.Pending) > 0 {
				s.Refused = got.Pending[0].Refused
			}
			if diff := cmp.Diff(tc.want, s); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
	})
}
