package simulation

import (
	"context"
	"maps"
	"runtime"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/recorded"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Judged is what came of one event.
type Judged struct {
	Why     string // it is not decided
	Outcome [2]Outcome
	Same    bool
}

// Judge decides events by two policies, as Run does, with so many bytes to remember people in.
func Judge(today, draft *policy.Site, sought map[string]map[string]bool, room int, events [][]byte) (list []Judged) {
	j := newJudge([]*side{newSide(today), newSide(draft)}, room)
	j.eras = &eras{list: []*era{{sought: sought}}, unknown: &era{number: -1}}
	var raw recorded.Raw
	for _, event := range events {
		recorded.Scan(event, &raw)
		e, why, _ := j.event(&raw)
		list = append(list, Judged{Why: why, Outcome: e.outcome, Same: e.same})
	}
	return list
}

// Sought are the values of a provider's claim that edges looked for at each revision.
func Sought(tx *store.TenantTx, provider string, revisions ...int64) (list [][]string, err error) {
	eras, err := newEras(tx)
	if err != nil {
		return nil, err
	}
	for _, revision := range revisions {
		one, err := eras.of("", revision)
		if err != nil {
			return nil, err
		}
		list = append(list, slices.Sorted(maps.Keys(one.sought[provider])))
	}
	return list, nil
}

// Enter takes a place for a simulation.
func (s *Service) Enter(of controlplane.UID) (leave func(), err error) { return s.enter(of) }

// Shadowed sums up events by what they say of a policy in SHADOW mode.
func Shadowed(id string, events ...[]byte) (*ShadowSummary, error) {
	r := &shadowRun{ShadowSummary: &ShadowSummary{}, id: id, quoted: []byte(`"` + id + `"`), tally: tally{each: someExamples, left: maxExamples}}
	var raw recorded.Raw
	for _, event := range events {
		recorded.Scan(event, &raw)
		if err := r.event("1", &raw); err != nil {
			return nil, err
		}
	}
	return r.ShadowSummary, nil
}

// Cost is what it takes to judge events: bytes of memory while that goes on, and those that are still there then.
type Cost struct{ Allocated, Kept uint64 }

// Weigh judges events by two policies, each after the other.
func Weigh(today, draft *policy.Site, sought map[string]map[string]bool, events func(yield func([]byte) bool)) (whys map[string]int, c Cost) {
	j := newJudge([]*side{newSide(today), newSide(draft)}, maxPeople)
	j.eras = &eras{list: []*era{{sought: sought}}, unknown: &era{number: -1}}
	whys = map[string]int{}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var raw recorded.Raw
	for event := range events {
		recorded.Scan(event, &raw)
		_, why, _ := j.event(&raw)
		whys[why]++
	}
	runtime.ReadMemStats(&after)
	c.Allocated = after.TotalAlloc - before.TotalAlloc
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc {
		c.Kept = after.HeapAlloc - before.HeapAlloc
	}
	runtime.KeepAlive(j)
	return whys, c
}

// GoThrough has a service go through so many events for those of one app.
func (s *Service) GoThrough(rows int) { s.rows = rows }

// LookUpEvery is after how many events it is seen whether to go on.
const LookUpEvery = lookUpEvery

// ReadAll reads the events of a query, as Run and Shadow do.
func ReadAll(ctx context.Context, tx *store.TenantTx, q Query, each func() error) (*Read, error) {
	r := &Read{}
	q.rows = MaxEvents
	return r, r.all(ctx, tx, &q, func(Progress) error { return nil }, func(string, *recorded.Raw) error { return each() })
}
