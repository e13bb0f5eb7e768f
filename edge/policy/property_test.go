package policy

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
	"github.com/sallyport-iap/sallyport/edge/policy/reference"
)

var (
	pairs = flag.Int64("pairs", 40_000, "how many random (policy, request) pairs TestProperties decides")
	seed  = flag.Uint64("seed", 1, "from which TestProperties makes them")
)

// trial is a random world, what became of it in different ways, and people.
type trial struct {
	t       tb
	dice    policytest.Dice
	referee *reference.Referee
	count   counts

	world   *policytest.World
	who     []policytest.Identity
	engine  *engine
	country bool // nothing asks for the country "unknown"
	clock   bool // no expression reads the clock

	shuffled, tighter, looser, unshadowed, recompiled, faulty *engine
}

// engine is a program and everybody as it sees them.
type engine struct {
	*Program
	who []*Principal
}

// counts are how often something was checked or came out.
type counts map[string]int64

func (tr *trial) compile(w *policytest.World) *engine {
	tr.t.Helper()
	program, problems := Compile(sources{}.of(tr.t, w))
	return tr.meet(program, problems, w)
}

func (tr *trial) meet(program *Program, problems []Problem, w *policytest.World) *engine {
	tr.t.Helper()
	if len(problems) > 0 {
		tr.t.Fatalf("%s\n%+v", show(w), problems)
	}
	e := &engine{Program: program}
	for _, id := range tr.who {
		e.who = append(e.who, program.Resolve(identityOf(&id)))
	}
	return e
}

func newTrial(t tb, dice policytest.Dice, referee *reference.Referee) *trial {
	t.Helper()
	tr := &trial{t: t, dice: dice, referee: referee, count: counts{}, world: dice.RandomWorld()}
	for range 24 {
		tr.who = append(tr.who, dice.RandomIdentity())
	}
	tr.country, tr.clock = true, true
	for _, p := range tr.world.Policies {
		for _, r := range p.Rules {
			tr.country = tr.country && !slices.Contains(r.Conditions.Countries, "unknown")
			tr.clock = tr.clock && !strings.Contains(r.Expression, "now")
		}
	}
	tr.engine = tr.compile(tr.world)
	tr.shuffled = tr.compile(dice.Shuffle(tr.world))
	tr.tighter = tr.compile(dice.Tighter(tr.world))
	tr.looser = tr.compile(dice.WithoutAllow(tr.world))
	tr.unshadowed = tr.compile(withoutShadows(tr.world))
	tr.recompiled = tr.edited()
	spoilt := dice.Spoil(tr.world)
	faulty, problems := Compile(sources{}.of(t, spoilt))
	if len(problems) == 0 {
		t.Fatalf("%s\nno problem is told", show(spoilt))
	}
	tr.faulty = tr.meet(faulty, nil, spoilt)
	return tr
}

// edited comes to the world by steps from another one. Of faulty steps it is told
// the same as if they were compiled from scratch.
func (tr *trial) edited() *engine {
	tr.t.Helper()
	known := sources{}
	steps := tr.dice.Edits(tr.world)
	program, problems := Compile(known.of(tr.t, steps[0]))
	for _, w := range steps[1:] {
		source := known.of(tr.t, w)
		program, problems = program.Recompile(source)
		tr.count["recompilations"]++
		if len(problems) == 0 {
			continue
		}
		tr.count["recompilations of something faulty"]++
		if scratch, want := Compile(source); !slices.Equal(problems, want) || !slices.Equal(program.ClosedApps(), scratch.ClosedApps()) {
			tr.t.Fatalf("%s\nrecompiled: -want +got\n%s\n%s", show(w), cmp.Diff(want, problems), cmp.Diff(scratch.ClosedApps(), program.ClosedApps()))
		}
	}
	return tr.meet(program, problems, tr.world)
}

func withoutShadows(w *policytest.World) *policytest.World {
	without := *w
	without.Policies = slices.DeleteFunc(slices.Clone(w.Policies), func(p *policytest.Policy) bool { return p.Mode == "SHADOW" })
	return &without
}

// decide answers for one of the people, whom the request is not about yet.
func (e *engine) decide(q *policytest.Request, who *Principal) Decision {
	r := requestOf(q)
	r.Principal = who
	return e.Decide(q.App, &r)
}

// ask makes one request, and checks the engine against the reference, and one
// property more in turn.
func (tr *trial) ask(turn int64) {
	tr.t.Helper()
	i := tr.dice(len(tr.who))
	q := tr.dice.RandomRequest(tr.who[i])
	d := tr.engine.decide(&q, tr.engine.who[i])
	got := withoutTime(d)
	tr.count["engine = reference"]++
	tr.count["outcome "+got.Outcome]++
	if want := tr.referee.Decide(tr.world, &q); got != want {
		tr.fail(&q, "the reference says otherwise", want, got)
	}
	allowed := d.Outcome == Allow
	same := func(name string, e *engine, who *Principal) {
		tr.count[name]++
		if other := withoutTime(e.decide(&q, who)); other != got {
			tr.fail(&q, name, got, other)
		}
	}
	notMore := func(name string, other Decision) {
		tr.count[name]++
		if other.Outcome == Allow && !allowed {
			tr.fail(&q, name, got, withoutTime(other))
		}
	}
	switch turn % 9 {
	case 0:
		same("the order of writing never matters", tr.shuffled, tr.shuffled.who[i])
	case 1:
		notMore("adding a DENY or REQUIRE never allows more", tr.tighter.decide(&q, tr.tighter.who[i]))
	case 2:
		notMore("removing an ALLOW never allows more", tr.looser.decide(&q, tr.looser.who[i]))
	case 3:
		less := tr.dice.Forget(q, tr.country)
		notMore("making a fact unknown never allows more", tr.engine.decide(&less, tr.engine.Resolve(identityOf(&less.Who))))
	case 4:
		same("a shadow never changes an outcome", tr.unshadowed, tr.unshadowed.who[i])
	case 5:
		same("recompiled by steps = compiled from scratch", tr.recompiled, tr.recompiled.who[i])
		same("a principal of another program is seen anew", tr.recompiled, tr.engine.who[i])
	case 6:
		tr.explain(&q, i, d)
	case 7:
		tr.lasts(&q, i, d)
	case 8:
		notMore("what is faulty never allows more", tr.faulty.decide(&q, tr.faulty.who[i]))
	}
}

func withoutTime(d Decision) policytest.Decision {
	d.ValidUntil = time.Time{}
	return decisionOf(d)
}

// explain checks an explanation, rule by rule and clause by clause, and what
// shadows are said to change.
func (tr *trial) explain(q *policytest.Request, i int, d Decision) {
	tr.t.Helper()
	r := requestOf(q)
	r.Principal = tr.engine.who[i]
	e := tr.engine.Explain(q.App, &r)
	tr.count["what is explained is what is decided"]++
	if decisionOf(e.Decision) != decisionOf(d) {
		tr.fail(q, "explained otherwise", decisionOf(d), decisionOf(e.Decision))
	}
	tr.count["each clause that is explained = reference"]++
	want, got := sortedClauses(tr.referee.Rulings(tr.world, q)), sortedClauses(rulingsOf(e))
	if !slices.EqualFunc(want, got, sameRuling) {
		tr.t.Fatalf("%s\n%s\nclauses: -reference +engine\n%s", show(tr.world), show(q), cmp.Diff(want, got))
	}
	tr.count["shadows = reference"]++
	if want, got := tr.referee.Shadow(tr.world, q), shadowOf(tr.engine.Program, q.App, &r); !slices.Equal(want, got) {
		tr.t.Fatalf("%s\n%s\nshadows: -reference +engine\n%s", show(tr.world), show(q), cmp.Diff(want, got))
	}
}

// sortedClauses: an explanation lists clauses in the order of fields, a reason is
// taken in the order of the specification.
func sortedClauses(rulings []reference.Ruling) []reference.Ruling {
	for _, r := range rulings {
		slices.SortFunc(r.Clauses, func(a, b reference.Clause) int { return strings.Compare(a.Field, b.Field) })
	}
	return rulings
}

func sameRuling(a, b reference.Ruling) bool {
	return a.Policy == b.Policy && a.Rule == b.Rule && a.Grant == b.Grant && a.Scope == b.Scope && slices.Equal(a.Clauses, b.Clauses)
}

// rulingsOf is what an explanation says of the enforced rules of the operation.
func rulingsOf(e *Explanation) (list []reference.Ruling) {
	verdicts := map[Truth]reference.Verdict{False: reference.No, Unknown: reference.Unknown, True: reference.Yes}
	for _, r := range e.Rules {
		ruling := reference.Ruling{Policy: r.Policy, Rule: r.Rule, Grant: r.Grant, Scope: verdicts[r.Scope]}
		covers := false
		for _, c := range r.Clauses {
			field := strings.TrimPrefix(c.Field, "conditions.")
			switch field {
			case "principals", "exemptions":
			case "operations", "roles":
				covers = c.Truth == True
			default:
				ruling.Clauses = append(ruling.Clauses, reference.Clause{Field: field, Verdict: verdicts[c.Truth]})
			}
		}
		if covers && r.Mode == Enforced {
			list = append(list, ruling)
		}
	}
	return list
}

// lasts checks that a decision holds until its end, and that its end comes.
func (tr *trial) lasts(q *policytest.Request, i int, d Decision) {
	tr.t.Helper()
	if q.Now.IsZero() || !tr.clock {
		return
	}
	tr.count["a decision lasts until valid_until"]++
	left := 20 * 24 * time.Hour
	if !d.ValidUntil.IsZero() {
		left = d.ValidUntil.Sub(q.Now)
	}
	if left <= 0 {
		tr.fail(q, "over before it begins", decisionOf(d), decisionOf(d))
	}
	for _, later := range []time.Duration{left - 1, time.Duration(tr.dice(int(left)))} {
		then := *q
		then.Now = q.Now.Add(later)
		if other := withoutTime(tr.engine.decide(&then, tr.engine.who[i])); other != withoutTime(d) {
			tr.fail(&then, fmt.Sprintf("changes before its time, %s after the request, which was at %s", later, q.Now), decisionOf(d), other)
		}
	}
}

func (tr *trial) fail(q *policytest.Request, what string, want, got policytest.Decision) {
	tr.t.Helper()
	tr.t.Fatalf("%s\n%s\n%s: -want +got\n%s", show(tr.world), show(q), what, cmp.Diff(want, got))
}

// TestProperties decides -pairs random requests. The same seed makes the same
// ones: world n is made from (seed, n).
func TestProperties(t *testing.T) {
	t.Parallel()
	const perWorld = 2000
	var world atomic.Uint64
	var mu sync.Mutex
	total, began := counts{}, time.Now()
	var workers sync.WaitGroup
	for range goruntime.GOMAXPROCS(0) {
		workers.Go(func() {
			referee := newReferee(t)
			for n := world.Add(1); int64(n-1)*perWorld < *pairs && !t.Failed(); n = world.Add(1) {
				tr := newTrial(named{t, n}, rand.New(rand.NewPCG(*seed, n)).IntN, referee)
				for i := range min(perWorld, *pairs-int64(n-1)*perWorld) {
					tr.ask(i)
				}
				mu.Lock()
				total["worlds"]++
				for name, times := range tr.count {
					total[name] += times
				}
				if worlds := total["worlds"]; worlds%5000 == 0 {
					t.Logf("%d worlds, %d pairs, after %s", worlds, total["engine = reference"], time.Since(began).Round(time.Second))
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	took := time.Since(began)
	t.Logf("seed %d: %d pairs in %s, %.0f a second", *seed, total["engine = reference"], took.Round(time.Second), float64(*pairs)/took.Seconds())
	for _, name := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%12d  %s", total[name], name)
	}
}

// named says of which world a failure is, and ends its worker.
type named struct {
	*testing.T
	world uint64
}

func (n named) Fatalf(format string, args ...any) {
	n.Helper()
	n.Errorf("seed %d, world %d:\n%s", *seed, n.world, fmt.Sprintf(format, args...))
	goruntime.Goexit()
}

// The same with dice that shrink: what TestProperties finds in a large world,
// this finds in a small one.
func TestPropertiesOfSmallWorlds(t *testing.T) {
	t.Parallel()
	referee := newReferee(t)
	rapid.Check(t, func(t *rapid.T) {
		dice := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "dice") }
		tr := newTrial(t, dice, referee)
		for turn := range int64(9) {
			tr.ask(turn)
		}
	})
}
