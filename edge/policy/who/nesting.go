package who

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

const (
	maxNesting = 32
	maxCycles  = 100 // groups in cycles that are told
)

// checkNesting refuses groups that contain themselves, and groups nested too
// deep. It returns those whose members are therefore not understood: the former
// and all that contain them, and what is beyond the limit.
func checkNesting(list []*Group, problems *problem.List) (tangled map[string]bool) {
	n := newNesting(list)
	depth := n.depths()
	tangled = map[string]bool{}
	told := map[int]bool{} // groups of cycles that were reported
	var component []int
	if slices.Contains(depth, 0) {
		component = n.components()
	}
	for g, src := range list {
		at := problem.In(problem.Group, src.ID)
		switch d := depth[g]; {
		case d > maxNesting:
			tangled[src.ID] = true
			if d == maxNesting+1 {
				problems.Add(at, "members", problem.Invalid, "groups are nested at most %d deep", maxNesting)
			}
		case d == 0:
			tangled[src.ID] = true
			if len(told) > maxCycles || told[g] {
				continue
			}
			if cycle := n.cycle(g, component); cycle != nil {
				names := make([]string, 0, len(cycle))
				for _, member := range cycle {
					told[member] = true
					names = append(names, list[member].ID)
				}
				if len(names) > 12 {
					names = slices.Replace(names, 5, len(names)-5, "…")
				}
				problems.Add(at, "members", problem.Invalid, "group %s contains itself: %s", problem.Quote(src.ID), strings.Join(names, " → "))
			}
		}
	}
	return tangled
}

// nesting is the groups by number, in order of ids.
type nesting struct{ children, parents [][]int }

func newNesting(list []*Group) nesting {
	index := make(map[string]int, len(list))
	for g, src := range list {
		index[src.ID] = g
	}
	n := nesting{make([][]int, len(list)), make([][]int, len(list))}
	for g, src := range list {
		for _, m := range src.Members {
			if child, ok := index[m.Group]; ok && m.Group != "" {
				n.children[g] = append(n.children[g], child)
				n.parents[child] = append(n.parents[child], g)
			}
		}
	}
	return n
}

// depths says of each group how deep it is nested: 1 if it contains none. It
// stays 0 for groups that contain themselves, and for all that contain such.
func (n nesting) depths() []int {
	depth, open := make([]int, len(n.children)), make([]int, len(n.children))
	var done []int
	for g := range n.children {
		if open[g] = len(n.children[g]); open[g] == 0 {
			depth[g] = 1
			done = append(done, g)
		}
	}
	deepest := slices.Clone(depth)
	for len(done) > 0 {
		g := done[0]
		done = done[1:]
		for _, parent := range n.parents[g] {
			deepest[parent] = max(deepest[parent], depth[g]+1)
			if open[parent]--; open[parent] == 0 {
				depth[parent] = deepest[parent]
				done = append(done, parent)
			}
		}
	}
	return depth
}

// components numbers groups so that two have the same number if each contains the
// other: two passes, in depth first and not recursive, because what is too deep
// gets here too (Kosaraju and Sharir).
func (n nesting) components() []int {
	left, seen := make([]int, 0, len(n.children)), make([]bool, len(n.children))
	next := make([]int, len(n.children)) // of each group, the child to go to
	for from := range n.children {
		if seen[from] {
			continue
		}
		seen[from] = true
		for way := []int{from}; len(way) > 0; {
			g := way[len(way)-1]
			if next[g] == len(n.children[g]) {
				left, way = append(left, g), way[:len(way)-1]
				continue
			}
			child := n.children[g][next[g]]
			next[g]++
			if !seen[child] {
				seen[child] = true
				way = append(way, child)
			}
		}
	}
	component := make([]int, len(n.children)) // from 1
	for _, from := range slices.Backward(left) {
		if component[from] != 0 {
			continue
		}
		component[from] = from + 1
		for open := []int{from}; len(open) > 0; {
			g := open[len(open)-1]
			open = open[:len(open)-1]
			for _, parent := range n.parents[g] {
				if component[parent] == 0 {
					component[parent] = from + 1
					open = append(open, parent)
				}
			}
		}
	}
	return component
}

// cycle returns a shortest way from a group back to itself, or nil. It leads only
// through groups of the same component; a group that merely contains a cycle has
// one of its own.
func (n nesting) cycle(from int, component []int) []int {
	came := map[int]int{}
	next := []int{from}
	for len(next) > 0 {
		g := next[0]
		next = next[1:]
		for _, child := range n.children[g] {
			if child == from {
				path := []int{from}
				for ; g != from; g = came[g] {
					path = append(path, g)
				}
				path = append(path, from)
				slices.Reverse(path)
				return path
			}
			if _, seen := came[child]; !seen && component[child] == component[from] {
				came[child] = g
				next = append(next, child)
			}
		}
	}
	return nil
}
