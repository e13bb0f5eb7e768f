package simulation_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// maxHeap is what one simulation may take, with what the collector has not yet found to be garbage: as much again.
const maxHeap = 256 << 20

// A week of 5,000 people in 20 apps, who sign in each day, by two drafts. SIMULATE_EVENTS is how many requests there were (1,000,000 in `make bench-simulate`).
func BenchmarkSimulate(b *testing.B) {
	const people, batch = 5_000, 1_000
	events := 20_000
	if n, err := strconv.Atoi(os.Getenv("SIMULATE_EVENTS")); err == nil {
		events = n
	}
	w, random := newWorld(b), rand.New(rand.NewPCG(1, 2))
	made := time.Now()
	for from := 0; from < events; from += batch {
		var list []*happened
		for n := from; n < min(from+batch, events); n++ {
			list = append(list, w.happen(random, n, events, people))
		}
		w.report(b, list)
	}
	b.Logf("%d events made in %v", events, time.Since(made).Round(time.Second))
	b.Run("teams", func(b *testing.B) { w.simulate(b, int64(events), teamsChange()) })
	b.Run("unrecorded", func(b *testing.B) { w.simulate(b, int64(events), unrecordedChange()) })
}

// teamsChange gives some apps to other teams, and some to one whose claim nothing asked for.
func teamsChange() []*controlplane.Resource {
	change := []*controlplane.Resource{{Kind: controlplane.KindGroup, ID: "partners", Spec: claimGroup("partners", "partners-eu")}}
	for n := range 5 {
		change = append(change, &controlplane.Resource{Kind: controlplane.KindPolicy, ID: "app-" + strconv.Itoa(n), Spec: policyOf(n, "group:partners")})
		change = append(change, &controlplane.Resource{Kind: controlplane.KindPolicy, ID: "app-" + strconv.Itoa(n+5), Spec: policyOf(n+5, "group:team-30", "group:everybody")})
	}
	return change
}

// unrecordedChange keeps three groups out of each app, other ones of each, whose claims nothing asked for: no more
// than three are filled in.
func unrecordedChange() (change []*controlplane.Resource) {
	for n := range apps {
		id := "app-" + strconv.Itoa(n)
		p := policyOf(n, "group:team-"+strconv.Itoa(n))
		for _, group := range threeNew(id) {
			change = append(change, &controlplane.Resource{Kind: controlplane.KindGroup, ID: group, Spec: claimGroup(group)})
			p.Rules = append(p.Rules, controlplane.Rule{ID: group, Effect: "EFFECT_DENY", Principals: []string{"group:" + group}, Operations: []string{"*"}})
		}
		change = append(change, &controlplane.Resource{Kind: controlplane.KindPolicy, ID: id, Spec: p})
	}
	return change
}

// simulate measures one draft, and fails if it takes more memory than there is for it.
func (w *world) simulate(b *testing.B, events int64, change []*controlplane.Resource) {
	b.Helper()
	q := simulation.Query{Scope: w.scope, Draft: draft(w, change...)}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var memory runtime.MemStats
	highest := uint64(0)
	runtime.GC()
	busy := processor(b)
	b.ResetTimer()
	for b.Loop() {
		summary, err := w.service.Run(b.Context(), storetest.Caller(), q, func(simulation.Progress) error {
			runtime.ReadMemStats(&memory)
			highest = max(highest, memory.HeapInuse)
			return nil
		})
		if err != nil || summary.Events != events || summary.Decided+undecided(summary)+skipped(summary) != summary.Events {
			b.Fatalf("%+v, %v", summary, err)
		}
		b.Logf("%d decided, %d gained, %d lost, %d undecidable", summary.Decided, summary.Gains.Events, summary.Losses.Events, undecided(summary))
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric((processor(b)-busy).Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(highest)/(1<<20), "MiB")
	if highest > maxHeap {
		b.Errorf("a heap of %d MiB: more than %d", highest>>20, maxHeap>>20)
	}
}

func undecided(s *simulation.Summary) (n int64) {
	for _, c := range s.Undecidable {
		n += c.Events
	}
	return n
}

func skipped(s *simulation.Summary) (n int64) {
	for _, c := range s.Skipped {
		n += c.Events
	}
	return n
}

// processor is how long this process has had one: on a busy machine that is what can be compared.
func processor(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
