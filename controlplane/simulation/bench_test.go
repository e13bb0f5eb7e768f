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

// A week of 5,000 people in 20 apps, by a draft that gives some apps to other teams, and some to one whose claim nothing
// asked for. SIMULATE_EVENTS is how many requests there were (1,000,000 in `make bench-simulate`).
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
	change := []*controlplane.Resource{{Kind: controlplane.KindGroup, ID: "partners", Spec: claimGroup("partners", "partners-eu")}}
	for n := range 5 {
		change = append(change, &controlplane.Resource{Kind: controlplane.KindPolicy, ID: "app-" + strconv.Itoa(n), Spec: policyOf(n, "group:partners")})
		change = append(change, &controlplane.Resource{Kind: controlplane.KindPolicy, ID: "app-" + strconv.Itoa(n+5), Spec: policyOf(n+5, "group:team-30", "group:everybody")})
	}
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
		if err != nil || summary.Events != int64(events) || summary.Decided+undecided(summary)+skipped(summary) != summary.Events {
			b.Fatalf("%+v, %v", summary, err)
		}
		b.Logf("%d decided, %d gained, %d lost, %d undecidable", summary.Decided, summary.Gains.Events, summary.Losses.Events, undecided(summary))
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric((processor(b)-busy).Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(highest)/(1<<20), "MiB")
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
