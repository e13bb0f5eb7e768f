package expression

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
)

// FuzzClosures holds that our closures say what cel-go says, of random
// expressions on random facts, unknown ones among them.
func FuzzClosures(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("every byte is a choice, and few of them are enough"))
	f.Fuzz(func(t *testing.T, choices []byte) { closuresAreCEL(t, choices) })
}

func TestClosures(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 14))
	choices := make([]byte, 120)
	fast := 0
	const tries = 3000
	for range tries {
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		if closuresAreCEL(t, choices) {
			fast++
		}
	}
	if fast < tries/4 {
		t.Errorf("only %d of %d expressions have closures", fast, tries)
	}
}

func closuresAreCEL(t *testing.T, choices []byte) (fast bool) {
	w := &writer{dice: dice{choices}}
	w.plain = w.roll(4) != 1
	source := w.truth(3)
	e, issues := Compile(source)
	if issues != nil {
		for _, issue := range issues {
			// What a random writer cannot know. Anything else would be a mistake of types.
			if !strings.Contains(issue.Message, "is the limit") && !strings.Contains(issue.Message, " is never ") &&
				!strings.Contains(issue.Message, "is no duration") && !strings.Contains(issue.Message, "recursion limit") {
				t.Fatalf("%s: %v", source, issue)
			}
		}
		return false
	}
	if !e.Fast() && w.plain {
		t.Fatalf("%s: has no closure", source)
	}
	program := slow(t, source)
	for range 3 {
		facts := w.facts()
		got := e.Eval(facts)
		if want := run(program, facts); got != want {
			t.Fatalf("%s\non %+v\nis %v; to cel-go it is %v", source, facts, got, want)
		}
		for _, less := range forgotten(facts) {
			if now := e.Eval(less); now != got && now != Unknown {
				t.Fatalf("%s\non %+v\nis %v, and %v when less is known: %+v", source, facts, got, now, less)
			}
		}
	}
	return e.Fast()
}

// forgotten are the same facts, one unknown in each.
func forgotten(w *world) []*world {
	var all []*world
	for _, v := range variables {
		less := *w
		switch v.Type {
		case "string":
			less.texts = without(w.texts, v.Field)
		case "list(string)":
			less.lists = without(w.lists, v.Field)
		case "bool":
			less.flags = without(w.flags, v.Field)
		case "timestamp":
			less.times = without(w.times, v.Field)
		default:
			less.groups = without(w.groups, "a")
		}
		if v.Field == SourceIP {
			less.address = netip.Addr{}
		}
		all = append(all, &less)
	}
	return all
}

func without[K comparable, V any](m map[K]V, key K) map[K]V {
	m = maps.Clone(m)
	delete(m, key)
	return m
}

// FuzzCost holds that what an expression costs is not more than Compile said.
func FuzzCost(f *testing.F) {
	f.Add([]byte("every byte is a choice, and few of them are enough"))
	f.Fuzz(func(t *testing.T, choices []byte) { costIsBounded(t, choices) })
}

func TestCost(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 61))
	choices := make([]byte, 120)
	for range 2000 {
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		costIsBounded(t, choices)
	}
}

func costIsBounded(t *testing.T, choices []byte) {
	w := &writer{dice: dice{choices}}
	e, _ := Compile(w.truth(3))
	if e == nil {
		return
	}
	checked, env, _, _ := check(e.String())
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostTracking(nil))
	if err != nil {
		t.Fatal(err)
	}
	facts := w.facts()
	_, details, _ := program.Eval(&activation{facts})
	if cost := details.ActualCost(); cost == nil || *cost > e.Cost() {
		t.Fatalf("%s\non %+v\ncost %d, and %d was to be the most", e, facts, *cost, e.Cost())
	}
}

// FuzzCompile holds that any text either has issues, in places that are in it, or evaluates.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`principal.kind == "person" && "staff" in principal.groups`,
		`now.getHours("Europe/Berlin") * 60 < 570 || now - session.auth_time < duration("1h")`,
		`session.amr.exists(m, m == "hwk") ? request.path.matches("^/a") : inCIDR(source.ip, "10.0.0.0/8")`,
		"\"\"\"a\n'\"\"\" == r'\\' || b'a' == {1u: .5}[0] /* */ // \n",
		"principal.`kind` == '\\u00e4' && .now == now", "has(a.b) && [1, 2].map(x, x)", "((((((((", "!!!!-----1", "a.b.c.d().e[f]{g: 1}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		began := time.Now()
		e, issues := Compile(source)
		if took := time.Since(began); took > 2*time.Second {
			t.Fatalf("took %v", took)
		}
		if (e == nil) != (len(issues) > 0) || len(issues) > maxIssues {
			t.Fatalf("expression %v, issues %v", e, issues)
		}
		lines := strings.Count(source, "\n") + 1
		for _, issue := range issues {
			if issue.Message == "" || !utf8.ValidString(issue.Message) || issue.Line < 0 || issue.Line > lines || issue.Column < 0 || issue.Column > len(source)+1 {
				t.Fatalf("issue %+v", issue)
			}
		}
		if e != nil {
			e.Eval(alice())
			if v := e.Eval(nobody); e.Cost() > MaxCost || v < False || v > True {
				t.Fatalf("%v, cost %d", v, e.Cost())
			}
		}
	})
}
