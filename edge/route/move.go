package route

import (
	"fmt"
	"slices"
	"strings"
)

// Move is a request, by example, that was one operation and is another.
type Move struct {
	From, To           int // indices of operations, before and after
	Method, Host, Path string
}

// maxMoveWork bounds [Moves]: about how many pairs of patterns it compares. A
// request that is tried costs as much as several.
const (
	maxMoveWork = 2_000_000
	tryCost     = 16
)

// Moves says which requests to hosts that both have are other operations after a
// change of an app than before: one example for each pair of operations, of those
// that are asked for. An operation may be asked for with itself. What was or is
// no operation is not told. whole is false if there was too much to compare.
//
// A path that stands for all that two patterns share, of its length, has a name
// in it that is in no pattern, wherever they leave it open. Whatever pattern
// matches it then matches all of these paths, so what is most specific for it is
// so for each that the two decide. Of two patterns with different stars there is
// none, so what they share is told as a move, though it may be none.
func Moves(before, after Spec, ask func(from, to int) bool) (moves []Move, whole bool) {
	m := &mover{before: newSide(before), after: newSide(after), ask: ask, found: map[[2]int]bool{}, left: maxMoveWork}
	if m.before.table == nil || m.after.table == nil {
		return nil, true // whoever has none answers nothing
	}
	m.hosts = m.commonHosts(before, after)
	m.longest = max(m.before.longest, m.after.longest) + 1
	m.filler = "some"
	for r := 'Ā'; m.before.has(m.filler) || m.after.has(m.filler); r++ {
		m.filler = string(r)
	}
	for _, from := range m.before.claims {
		for _, to := range m.after.claims {
			if m.left--; m.left < 0 {
				return m.moves, false
			}
			m.compare(from, to)
		}
	}
	return m.moves, true
}

// side is an app before or after.
type side struct {
	table   *Table
	claims  []placed
	texts   map[string]bool // of claims
	longest int             // pattern, in segments
}

// placed is a claim and all that its specificity depends on, as a text.
type placed struct {
	claim
	text string
}

func newSide(s Spec) side {
	s.Routes = nil
	out := side{texts: map[string]bool{}}
	out.table, _ = Compile(s)
	for i, op := range s.Operations {
		claims, _ := op.claims(i, s.Hosts)
		for _, c := range claims {
			c := placed{c, fmt.Sprintf("%q %q %q", c.pattern.text, slices.Sorted(slices.Values(op.Methods)), slices.Sorted(slices.Values(op.Hosts)))}
			out.longest = max(out.longest, len(c.pattern.segments))
			out.claims, out.texts[c.text] = append(out.claims, c), true
		}
	}
	return out
}

// has reports whether a text is in a segment of a pattern; in one with stars,
// whether any character of it is: next to others it could become what is there.
func (s *side) has(text string) bool {
	return slices.ContainsFunc(s.claims, func(c placed) bool {
		return slices.ContainsFunc(c.pattern.segments, func(s segment) bool {
			return strings.Contains(s.text, text) || strings.ContainsAny(strings.Join(s.glob, ""), text)
		})
	})
}

func (s *side) operation(host, method, path string) int {
	if a := s.table.operations.best(path, question{host, method}); a.target != nil {
		return a.target.index
	}
	return -1
}

type mover struct {
	before, after side
	ask           func(from, to int) bool
	hosts         []string // one of each kind: operations name it or do not
	longest       int
	filler        string
	found         map[[2]int]bool
	moves         []Move
	left          int
}

func (m *mover) commonHosts(before, after Spec) []string {
	named := map[string]bool{}
	for _, op := range slices.Concat(before.Operations, after.Operations) {
		for _, h := range op.Hosts {
			named[h] = true
		}
	}
	var hosts []string
	plain := false
	for _, h := range before.Hosts {
		if slices.Contains(after.Hosts, h) && (named[h] || !plain) {
			hosts = append(hosts, h)
			plain = plain || !named[h]
		}
	}
	return hosts
}

func (m *mover) compare(from, to placed) {
	pair := [2]int{from.target.index, to.target.index}
	if m.found[pair] || !m.ask(pair[0], pair[1]) {
		return
	}
	fromKept, toKept := m.after.texts[from.text], m.before.texts[to.text]
	if fromKept && toKept && from.text != to.text {
		return // one of them is more specific, before as after
	}
	paths, sure := m.shared(from.pattern, to.pattern)
	for _, method := range sharedMethods(from.target.methods, to.target.methods) {
		for _, host := range m.hosts {
			if !(question{host, method}).isOf(from.target) || !(question{host, method}).isOf(to.target) {
				continue
			}
			for _, path := range paths {
				m.left -= tryCost
				if !sure || m.before.operation(host, method, path) == pair[0] && m.after.operation(host, method, path) == pair[1] {
					m.found[pair] = true
					m.moves = append(m.moves, Move{pair[0], pair[1], method, host, path})
					return
				}
			}
		}
	}
}

func (q question) isOf(t *target) bool { return len(t.hosts) == 0 || slices.Contains(t.hosts, q.host) }

func sharedMethods(a, b methods) []string {
	var shared []string
	for _, method := range slices.Concat(anyMethod[:], []string{WebSocket}, a.named, b.named) {
		inA, _ := a.match(method)
		inB, _ := b.match(method)
		if inA && inB && !slices.Contains(shared, method) {
			shared = append(shared, method)
		}
	}
	return shared
}

// shared returns a path for each length of those that both patterns match. sure
// is false if two different globs meet, of which no text stands for all.
func (m *mover) shared(p, q pattern) (paths []string, sure bool) {
	shortest, longest := max(len(p.segments), len(q.segments)), m.longest
	if !p.open {
		longest = len(p.segments)
	}
	if !q.open {
		longest = min(longest, len(q.segments))
	}
	path, sure := "", true
	for i := 0; i <= longest; i++ {
		if i >= max(1, shortest) {
			paths = append(paths, path)
		}
		if i == longest {
			break
		}
		// The last segment may be empty, as in "/a/".
		if i+1 >= shortest && p.takes(i, "") && q.takes(i, "") {
			paths = append(paths, path+"/")
		}
		name, one := m.name(p, q, i)
		if name == "" {
			break
		}
		sure = sure && one
		path += "/" + escape(name)
	}
	return paths, sure
}

// takes reports whether a segment may have the text, as far as the pattern says.
func (p pattern) takes(i int, text string) bool {
	if i >= len(p.segments) {
		return p.open
	}
	switch s := p.segments[i]; s.kind {
	case literal:
		return s.text == text
	case partial:
		return globMatch(s.glob, text)
	default:
		return text != ""
	}
}

// name is what a segment of both may be, or "": with the filler wherever both
// leave it open.
func (m *mover) name(p, q pattern, i int) (name string, one bool) {
	var globs [][]string
	for _, x := range []pattern{p, q} {
		if i >= len(x.segments) {
			continue
		}
		switch s := x.segments[i]; s.kind {
		case literal:
			if p.takes(i, s.text) && q.takes(i, s.text) {
				return s.text, true
			}
			return "", true
		case partial:
			globs = append(globs, s.glob)
		}
	}
	switch {
	case len(globs) == 0:
		return m.filler, true
	case len(globs) == 1 || slices.Equal(globs[0], globs[1]):
		return strings.Join(globs[0], m.filler), true
	}
	name, _ = globWitness(globs[0], globs[1], 1, false)
	return name, false
}
