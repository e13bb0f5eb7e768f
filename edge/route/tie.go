package route

import (
	"fmt"
	"slices"
	"strings"
)

// claim is one pattern of one route or operation, with where it was written.
type claim struct {
	pattern pattern
	target  *target
	field   string
	name    string
}

// ties reports, for each claim, the first earlier one of another owner that it
// cannot be told from for some request.
func ties(root *node, claims []claim) []Problem {
	var problems []Problem
	same := map[string][]claim{} // only patterns of one shape can tie
	for _, c := range claims {
		shape := c.pattern.shape()
		for _, earlier := range same[shape] {
			if p, tied := tie(root, earlier, c); tied {
				problems = append(problems, p)
				break
			}
		}
		same[shape] = append(same[shape], c)
	}
	return problems
}

func tie(root *node, a, b claim) (Problem, bool) {
	if a.target.index == b.target.index {
		return Problem{}, false
	}
	common := a.target.methods.ties(b.target.methods)
	host, meet := commonHost(a.target.hosts, b.target.hosts)
	path, exists := witness(a.pattern, b.pattern, 0)
	if len(common) == 0 || !meet || !exists {
		return Problem{}, false
	}
	method, path := example(root, a, b, common, host, path)
	return Problem{
		Field: b.field, Reason: ProblemInvalid,
		Message: fmt.Sprintf("%s and %s are equally specific for %s %s%s", a.name, b.name, method, host, path),
	}, true
}

// example looks for a request that is really one of the two. A third, more
// specific pattern may take the plainest one away.
func example(root *node, a, b claim, methods []string, host, plainest string) (method, path string) {
	for n := range 4 {
		path, ok := witness(a.pattern, b.pattern, n)
		if !ok {
			break
		}
		for _, method := range methods {
			if to := root.best(path, question{host, method}).target; to == a.target || to == b.target {
				return method, path
			}
		}
	}
	return methods[0], plainest
}

func commonHost(a, b []string) (string, bool) {
	if len(a) == 0 && len(b) == 0 {
		return "", true
	}
	if len(a) == 0 {
		return b[0], true
	}
	for _, h := range a {
		if len(b) == 0 || slices.Contains(b, h) {
			return h, true
		}
	}
	return "", false
}

// shape is equal for two patterns exactly if they have the same kinds of
// segments with the same literals.
func (p pattern) shape() string {
	var b strings.Builder
	b.WriteString(p.rank)
	for _, s := range p.segments {
		if s.kind == literal {
			fmt.Fprintf(&b, "/%q", s.text)
		}
	}
	return b.String()
}

// witness returns a canonical path that both patterns, of one shape, match; a
// greater n gives a longer one.
func witness(p, q pattern, n int) (string, bool) {
	filler := strings.Repeat("x", n+1)
	var path strings.Builder
	for i, s := range p.segments {
		path.WriteByte('/')
		switch s.kind {
		case literal:
			path.WriteString(escape(s.text))
		case param:
			path.WriteString(filler)
		case partial:
			last := i == len(p.segments)-1 && !p.open
			text, ok := globWitness(s.glob, q.segments[i].glob, n, last)
			if !ok {
				return "", false
			}
			path.WriteString(escape(text))
		}
	}
	if p.open && (n > 0 || path.Len() == 0) {
		path.WriteString("/" + filler[:n])
	}
	return path.String(), true
}

// globWitness finds a shortest text of at least n bytes that both globs match
// and that may be a segment: not ".", not "..", empty only if it is the last.
// It walks the product of the two as automata, breadth first.
func globWitness(a, b []string, n int, mayBeEmpty bool) (string, bool) {
	type state struct {
		a, b   int // how much of the glob's text, stars included, is used up
		length int // so far, counted up to limit
		dots   bool
	}
	p, q := []rune(strings.Join(a, "*")), []rune(strings.Join(b, "*"))
	stars := func(glob []string) map[int]bool {
		at, places := 0, map[int]bool{}
		for _, part := range glob[:len(glob)-1] {
			at += len([]rune(part))
			places[at] = true
			at++
		}
		return places
	}
	pStars, qStars := stars(a), stars(b)
	limit := max(n, 3)
	type step struct {
		state
		text string
	}
	queue := []step{{state{dots: true}, ""}}
	seen := map[state]bool{queue[0].state: true}
	visit := func(s step) {
		if !seen[s.state] {
			seen[s.state] = true
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		dotSegment := s.dots && (s.length == 1 || s.length == 2)
		if s.a == len(p) && s.b == len(q) && s.length >= n && !dotSegment && (s.length > 0 || mayBeEmpty) {
			return s.text, true
		}
		if pStars[s.a] {
			visit(step{state{s.a + 1, s.b, s.length, s.dots}, s.text})
		}
		if qStars[s.b] {
			visit(step{state{s.a, s.b + 1, s.length, s.dots}, s.text})
		}
		for _, r := range candidates(p, q, s.a, s.b, pStars, qStars) {
			next := s.state
			if !pStars[s.a] {
				next.a++
			}
			if !qStars[s.b] {
				next.b++
			}
			next.length = min(limit, next.length+1)
			next.dots = next.dots && r == '.'
			visit(step{next, s.text + string(r)})
		}
	}
	return "", false
}

// candidates are the runes that both automata can read next.
func candidates(p, q []rune, i, j int, pStars, qStars map[int]bool) []rune {
	switch pStar, qStar := pStars[i], qStars[j]; {
	case pStar && qStar:
		return []rune{'x'}
	case pStar && j < len(q):
		return q[j : j+1]
	case qStar && i < len(p):
		return p[i : i+1]
	case !pStar && !qStar && i < len(p) && j < len(q) && p[i] == q[j]:
		return p[i : i+1]
	}
	return nil
}

// escape is the inverse of decode for text that may stand in a path.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; unreserved(c) || strings.IndexByte("!$&'()*+,=:@", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
