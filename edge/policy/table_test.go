package policy

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
	"github.com/sallyport-iap/sallyport/edge/policy/reference"
)

// tables are the truth. What they say in words is testdata/specification.md, and
// that they say all of it is tested beside their reader.
var tables = []string{"scope.txt", "conditions.txt", "expressions.txt", "procedure.txt", "rails.txt", "peers.txt"}

func tableCases(t testing.TB) []policytest.Case {
	t.Helper()
	cases, err := policytest.Load(os.DirFS("testdata"), tables...)
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestTables(t *testing.T) {
	t.Parallel()
	for _, c := range tableCases(t) {
		for _, world := range []*policytest.World{c.World, reversed(c.World)} {
			source := sources{}.of(t, world)
			program, problems := Compile(source)
			if len(problems) > 0 {
				t.Fatalf("%s:%d: %+v", c.File, c.Line, problems)
			}
			r := requestOf(&c.Request)
			r.Principal = program.Resolve(identityOf(&c.Request.Who))
			if diff := cmp.Diff(c.Want, decisionOf(program.Decide(c.Request.App, &r))); diff != "" {
				t.Errorf("%s:%d: %s\n-want +got\n%s", c.File, c.Line, c.Text, diff)
			}
			if diff := cmp.Diff(c.Shadow, shadowOf(program, c.Request.App, &r)); diff != "" {
				t.Errorf("%s:%d: %s\nshadow: -want +got\n%s", c.File, c.Line, c.Text, diff)
			}
			if diff := cmp.Diff(c.Want, decisionOf(program.Explain(c.Request.App, &r).Decision)); diff != "" {
				t.Errorf("%s:%d: %s\nexplained: -want +got\n%s", c.File, c.Line, c.Text, diff)
			}
		}
	}
}

// What Compile refuses, and what it closes.
func TestProblems(t *testing.T) {
	t.Parallel()
	refusals, err := policytest.LoadRefusals(os.DirFS("testdata"), "problems.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, refusal := range refusals {
		t.Run(refusal.Title, func(t *testing.T) {
			t.Parallel()
			program, problems := Compile(sources{}.of(t, refusal.World))
			if len(problems) != len(refusal.Problems) {
				t.Fatalf("got %d problems, want %d:\n%+v", len(problems), len(refusal.Problems), problems)
			}
			for i, want := range refusal.Problems {
				got := problems[i]
				if got.Field != want.Field || got.Reason != want.Reason || !strings.Contains(got.Message, want.Message) || got.Suggestion != want.Suggestion {
					t.Errorf("line %d (%s): got %+v", want.Line, want.Pins, got)
				}
			}
			if diff := cmp.Diff(refusal.Closed, program.ClosedApps()); diff != "" {
				t.Errorf("closed: -want +got\n%s", diff)
			}
		})
	}
}

// reversed is the same world written the other way round.
func reversed(w *policytest.World) *policytest.World {
	r := *w
	r.Apps, r.Groups, r.Roles, r.Memberships = backwards(w.Apps), backwards(w.Groups), backwards(w.Roles), backwards(w.Memberships)
	r.Policies, r.Grants = backwards(w.Policies), backwards(w.Grants)
	for i, p := range r.Policies {
		q := *p
		q.Rules, q.Exemptions, q.Selector = backwards(p.Rules), backwards(p.Exemptions), backwards(p.Selector)
		for j := range q.Rules {
			q.Rules[j].Principals = backwards(q.Rules[j].Principals)
		}
		r.Policies[i] = &q
	}
	return &r
}

func backwards[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func fieldNames(v any) (names []string) {
	for f := range reflect.TypeOf(v).Fields() {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}

func newReferee(t testing.TB) *reference.Referee {
	t.Helper()
	r, err := reference.New()
	if err != nil {
		t.Fatal(err)
	}
	return r
}
