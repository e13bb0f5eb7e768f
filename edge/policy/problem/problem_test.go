package problem

import (
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	var l List
	known := func(*Missing) iter.Seq[string] { return slices.Values([]string{"staff", "stuff"}) }
	l.Add(In(Policy, "b"), "apps", Required, "%d are missing", 2)
	l.Missing(In(Policy, "a").Of("rules", 3), Item("principals", 1), Missing{Kind: Group, ID: "staf"})
	l.Suggest(In(App, "z"), "", "x", "not so")
	l.Length(In(Role, "r"), "operations", []string{}, 3)
	l.Length(In(Role, "r"), "operations", nil, 3)
	if l.Length(In(Role, "r"), "operations", make([]string, 4), 3) {
		t.Error("four are not too many")
	}
	copied := l.Clone()
	copied.Forget(Place{Policy, "a"})
	if copied.At(Place{Policy, "a"}) || !l.At(Place{Policy, "a"}) {
		t.Error("a clone is no list of its own")
	}
	if diff := cmp.Diff([]Problem{
		{"apps[z]", Invalid, "not so", "x"},
		{"roles[r].operations", Required, Empty, ""},
		{"roles[r].operations", Invalid, "there are 4, and at most 3 are possible", ""},
		{"policies[a].rules[3].principals[1]", Reference, `group "staf" does not exist`, "staff"},
		{"policies[b].apps", Required, "2 are missing", ""},
	}, l.Problems(known)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for i := range 1001 {
		for range 3 {
			l.Add(In(Grant, strings.Repeat("g", i)), "", Invalid, "no")
		}
	}
	if n := len(l.Problems(known)); n != maxProblems {
		t.Errorf("%d problems", n)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := slices.Values([]string{"engineering", "admins", "admin", "read"})
	for wrong, want := range map[string]string{
		"enginering": "engineering", "raed": "read", "admim": "admin", "admis": "admin", "x": "", "": "", "invoices": "", strings.Repeat("read", 1e6): "",
	} {
		if got := Nearest(wrong, known); got != want {
			t.Errorf("%.20q: %q, want %q", wrong, got, want)
		}
	}
}
