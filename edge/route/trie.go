package route

import (
	"slices"
	"strings"
)

// node is a place between two segments of a pattern.
type node struct {
	literals map[string]*node
	partials []partialEdge
	param    *node
	ends     []*target // patterns that end here
	open     []*target // patterns whose "**" is here
}

type partialEdge struct {
	glob []string
	next *node
}

// target is what a pattern leads to.
type target struct {
	index   int    // of the route or operation
	rank    string // of the pattern
	methods methods
	hosts   []string // none: every host of the app
}

func (n *node) add(p pattern, t *target) {
	for _, s := range p.segments {
		n = n.child(s)
	}
	if p.open {
		n.open = append(n.open, t)
	} else {
		n.ends = append(n.ends, t)
	}
}

func (n *node) child(s segment) *node {
	switch s.kind {
	case literal:
		if n.literals == nil {
			n.literals = map[string]*node{}
		}
		if n.literals[s.text] == nil {
			n.literals[s.text] = &node{}
		}
		return n.literals[s.text]
	case partial:
		for _, e := range n.partials {
			if slices.Equal(e.glob, s.glob) {
				return e.next
			}
		}
		n.partials = append(n.partials, partialEdge{glob: s.glob, next: &node{}})
		return n.partials[len(n.partials)-1].next
	default:
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
}

// question is what a request asks the trie. Routes are asked without method.
type question struct {
	host, method string
}

// answer is the best target so far; the zero value is none.
type answer struct {
	target *target
	named  bool // the method matched by name
}

func (a answer) better(b answer) bool {
	if a.target == nil || b.target == nil {
		return a.target != nil
	}
	if a.target.rank != b.target.rank {
		return a.target.rank > b.target.rank
	}
	return a.named && !b.named
}

// best finds the most specific target for what is left of a canonical path: ""
// or "/segment…". Each node is visited at most once.
func (n *node) best(path string, q question) answer {
	if path == "" {
		if a := pick(n.ends, q); a.target != nil {
			return a
		}
		return pick(n.open, q)
	}
	raw, tail := path[1:], ""
	if i := strings.IndexByte(raw, '/'); i >= 0 {
		raw, tail = raw[:i], raw[i:]
	}
	name := decode(raw)
	if next := n.literals[name]; next != nil {
		if a := next.best(tail, q); a.target != nil {
			return a
		}
	}
	// Two stars that match are equal so far; what follows them decides.
	var found answer
	for _, e := range n.partials {
		if globMatch(e.glob, name) {
			if a := e.next.best(tail, q); a.better(found) {
				found = a
			}
		}
	}
	if found.target == nil && n.param != nil && name != "" {
		found = n.param.best(tail, q)
	}
	if found.target == nil {
		found = pick(n.open, q)
	}
	return found
}

func pick(targets []*target, q question) answer {
	var found answer
	for _, t := range targets {
		if len(t.hosts) > 0 && !slices.Contains(t.hosts, q.host) {
			continue
		}
		matched, named := t.methods.match(q.method)
		if a := (answer{t, named}); matched && a.better(found) {
			found = a
		}
	}
	return found
}
