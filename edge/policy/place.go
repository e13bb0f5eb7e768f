package policy

import (
	"slices"
	"sort"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// placing puts rules to the operations of one app. What a role picks of them is
// found once, and not for each rule that names it.
type placing struct {
	operations []Operation // in order of ids
	access     map[Access]set
	picked     map[*selector]set
	work       []int // for each operation, what the rules cost that were placed there: see maxWork
}

// set is some of the operations: a bit for each.
type set []uint64

func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

func (s set) addRange(from, to int) {
	for from < to {
		if from%64 == 0 && to-from >= 64 {
			s[from/64] = ^uint64(0)
			from += 64
			continue
		}
		s.add(from)
		from++
	}
}

func (s set) addAll(t set) {
	for i := range t {
		s[i] |= t[i]
	}
}

func newPlacing(operations []Operation) *placing {
	p := &placing{operations: slices.Clone(operations), access: map[Access]set{}, picked: map[*selector]set{}, work: make([]int, len(operations))}
	slices.SortFunc(p.operations, func(a, b Operation) int { return strings.Compare(a.ID, b.ID) })
	for i, op := range p.operations {
		if p.access[op.Access] == nil {
			p.access[op.Access] = p.none()
		}
		p.access[op.Access].add(i)
	}
	return p
}

func (p *placing) none() set { return make(set, (len(p.operations)+63)/64) }

// pick returns the operations that a selector picks.
func (p *placing) pick(s *selector) set {
	if found, ok := p.picked[s]; ok {
		return found
	}
	found := p.none()
	for _, a := range s.access {
		found.addAll(p.access[a])
	}
	for _, name := range s.names {
		prefix := strings.TrimSuffix(name, "*")
		from := sort.Search(len(p.operations), func(i int) bool { return p.operations[i].ID >= prefix })
		more := sort.Search(len(p.operations)-from, func(i int) bool { return !namePicks(name, p.operations[from+i].ID) })
		found.addRange(from, from+more)
	}
	p.picked[s] = found
	return found
}

// size is what placing the rules of a unit costs, but for what roles name.
type size struct {
	principals int         // for each operation
	names      int         // that operations are picked by, and roles
	roles      []*selector // each once
}

func sizeOf(rules []*rule) (n size) {
	counted := map[*selector]bool{}
	for _, r := range rules {
		n.principals += len(r.principals)
		n.names += len(r.picks)
		for _, s := range r.picks {
			if r.src.Roles == nil {
				n.names += len(s.names)
			} else if !counted[s] {
				counted[s] = true
				n.roles = append(n.roles, s)
			}
		}
	}
	return n
}

// placements is what placing units at an app costs: principals for each
// operation, and names, those of a role once.
func (a *App) placements(units []*unit) int {
	total, counted := 0, map[*selector]bool{}
	for _, u := range units {
		total += u.size.principals*len(a.operations()) + u.size.names
		for _, s := range u.size.roles {
			if !counted[s] {
				counted[s] = true
				total += len(s.names) + len(s.access)
			}
		}
	}
	return total
}

// place puts the rules of units, which are in order, to the operations that they
// are for. Operations that the same rules are for share what is made of them.
func (p *placing) place(units []*unit) operations {
	var rules []*rule
	for _, u := range units {
		rules = append(rules, u.rules...)
	}
	picked, width := p.none(), (len(rules)+7)/8
	patterns := make([]byte, width*len(p.operations)) // for each operation, the rules that are for it
	for i, r := range rules {
		clear(picked)
		for _, s := range r.picks {
			picked.addAll(p.pick(s))
		}
		work := r.work()
		for op := range p.operations {
			if picked.has(op) {
				p.work[op] += work
				patterns[op*width+i/8] |= 1 << (i % 8)
			}
		}
	}
	placed, shared := make(operations, 0, len(p.operations)), map[string]*operation{}
	for i, op := range p.operations {
		pattern := patterns[i*width : (i+1)*width]
		if shared[string(pattern)] == nil {
			shared[string(pattern)] = newOperation(rules, pattern)
		}
		placed = append(placed, namedOperation{op.ID, *shared[string(pattern)]})
	}
	return placed
}

// work is what looking at a rule costs at most.
func (r *rule) work() int {
	units := r.Cost()
	for i := range r.exemptions {
		units += 1 + len(r.exemptions[i].principals)/8
	}
	return units
}

// affordable is false if what was placed is too much work for one request.
func (p *placing) affordable(problems *problem.List, at problem.Path) bool {
	for i, units := range p.work {
		if units > maxWork {
			problems.Add(at, "", problem.Invalid, "all rules of operation %s together could cost %d units for one request, and %d is the limit; "+
				"most of it are expressions, time_windows in many zones, and policies in SHADOW mode, which have the enforced ones judged again",
				problem.Quote(p.operations[i].ID), units, maxWork)
			return false
		}
	}
	return true
}

func newOperation(rules []*rule, pattern []byte) *operation {
	var list []*rule
	for i, r := range rules {
		if pattern[i/8]&(1<<(i%8)) != 0 {
			list = append(list, r)
		}
	}
	inEffectOrder(list)
	op := &operation{}
	if blocks := newBlocks(list); len(blocks) > 0 {
		op.first, op.more = blocks[0], slices.Clone(blocks[1:])
	}
	if i := slices.IndexFunc(list, func(r *rule) bool { return r.effect == allows && r.remediation != "" }); i >= 0 {
		op.hint = list[i].remediation
	}
	return op
}
