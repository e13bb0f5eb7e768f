package who

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// ringsAndChains is a chain of groups that ends in a ring, which contains the first of another chain, which ends in another
// ring. n is how many groups each of the four has.
func ringsAndChains(n int) []*Group {
	list := make([]*Group, 4*n)
	for i := range list {
		list[i] = &Group{ID: fmt.Sprintf("g%06d", i)}
		if i+1 < len(list) {
			list[i].Members = []Member{{Group: fmt.Sprintf("g%06d", i+1)}}
		}
		if i%(2*n) == 2*n-1 { // the last of a ring
			list[i].Members = append(list[i].Members, Member{Group: fmt.Sprintf("g%06d", i-n+1)})
		}
	}
	return list
}

// Only a group that is in a ring looks for the way back, and only in that ring; else it took as many steps as there are groups
// for each that contains the ring.
func TestComponents(t *testing.T) {
	t.Parallel()
	const n = 1000
	component := newNesting(ringsAndChains(n)).components()
	sizes := map[int]int{}
	for _, c := range component {
		sizes[c]++
	}
	for g, c := range component {
		want := 1
		if g/n%2 == 1 {
			want = n
		}
		if sizes[c] != want {
			t.Fatalf("group %d shares its component with %d, want %d", g, sizes[c], want)
		}
	}
}

func TestRings(t *testing.T) {
	t.Parallel()
	var problems problem.List
	tangled := checkNesting(ringsAndChains(2), &problems)
	if len(tangled) != 8 {
		t.Errorf("tangled: %v", tangled)
	}
	var told []string
	for _, p := range problems.Problems(nil) {
		told = append(told, p.Field+": "+p.Message)
	}
	if diff := cmp.Diff([]string{
		`groups[g000002].members: group "g000002" contains itself: g000002 → g000003 → g000002`,
		`groups[g000006].members: group "g000006" contains itself: g000006 → g000007 → g000006`,
	}, told); diff != "" {
		t.Error(diff)
	}
	// A ring that is large is told short, one that is alone in itself as it is, and of many not all.
	many := ringsAndChains(1000)
	for i := range 500 {
		many = append(many, &Group{ID: fmt.Sprintf("h%06d", i), Members: []Member{{Group: fmt.Sprintf("h%06d", i)}}})
	}
	problems = problem.List{}
	if tangled = checkNesting(many, &problems); len(tangled) != len(many) {
		t.Errorf("%d of %d are tangled", len(tangled), len(many))
	}
	list := problems.Problems(nil)
	if n := len(list); n == 0 || n > maxCycles+1 {
		t.Errorf("%d cycles are told", n)
	}
	if slices.ContainsFunc(list, func(p problem.Problem) bool { return len(p.Message) > 200 }) {
		t.Error("a cycle is told at length")
	}
}
