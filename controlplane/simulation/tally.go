package simulation

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane/recorded"
)

// How much of an answer is kept and told.
const (
	maxLines    = 10_000 // of each list, while counting
	maxTold     = 100    // of each list, in the answer
	maxExamples = 20_000 // in all
)

// Example is one recorded request.
type Example struct {
	ID                                 string
	Time                               time.Time
	Who                                recorded.Principal
	App, Operation, Method, Host, Path string
	Recorded                           Outcome
	Before, After                      *Outcome // nil if that was not asked, or cannot be told
}

// Line is one of a list: a person, an operation or a rule.
type Line struct {
	Who                 recorded.Principal
	App, Operation      string
	Policy, Rule, Grant string
	Reason              string
	Events              int64
	Examples            []*Example
}

// List is the greatest of what was counted.
type List struct {
	Lines      []*Line
	More       int64
	MoreEvents int64

	lines map[lineKey]*Line
	rest  int64 // events of what there was no room to count
}

// lineKey is what makes lines one.
type lineKey struct{ a, b, c, d string }

// Moves are requests for which access comes or goes.
type Moves struct {
	Events                    int64
	People, Operations, Rules List
}

// Change is a change of outcome.
type Change struct {
	From, To string
	Events   int64
	Examples []*Example
}

// Count is events that have something in common.
type Count struct {
	Why, Title string
	Events     int64
	Examples   []*Example
}

// tally counts, with a number of examples of each thing.
type tally struct {
	each int // examples
	left int // of all examples
}

func (t *tally) example(to *[]*Example, e *Example) {
	if e != nil && len(*to) < t.each && t.left > 0 {
		*to = append(*to, e)
		t.left--
	}
}

func (t *tally) move(m *Moves, e *Example, by Outcome) {
	m.Events++
	who := lineKey{a: e.Who.Kind, b: e.Who.Subject}
	t.line(&m.People, who, e, func() *Line { return &Line{Who: e.Who} })
	t.line(&m.Operations, lineKey{a: e.App, b: e.Operation}, e, func() *Line { return &Line{App: e.App, Operation: e.Operation} })
	rule := &Line{Policy: by.Policy, Rule: by.Rule, Grant: by.Grant, Reason: by.Reason}
	t.line(&m.Rules, lineKey{by.Policy, by.Rule, by.Grant, by.Reason}, e, func() *Line { return rule })
}

func (t *tally) line(l *List, key lineKey, e *Example, first func() *Line) {
	one := l.lines[key]
	if one == nil {
		if len(l.lines) >= maxLines {
			l.rest++
			return
		}
		if l.lines == nil {
			l.lines = map[lineKey]*Line{}
		}
		one = first()
		l.lines[key] = one
	}
	one.Events++
	t.example(&one.Examples, e)
}

func (t *tally) change(list *[]*Change, from, to string, e *Example) {
	at := slices.IndexFunc(*list, func(c *Change) bool { return c.From == from && c.To == to })
	if at < 0 {
		at = len(*list)
		*list = append(*list, &Change{From: from, To: to})
	}
	(*list)[at].Events++
	t.example(&(*list)[at].Examples, e)
}

func (t *tally) count(list *[]*Count, why string, e *Example) {
	at := slices.IndexFunc(*list, func(c *Count) bool { return c.Why == why })
	if at < 0 {
		at = len(*list)
		*list = append(*list, &Count{Why: why, Title: titles[why]})
	}
	(*list)[at].Events++
	t.example(&(*list)[at].Examples, e)
}

// order brings the greatest to the front and leaves out the rest.
func (m *Moves) order() {
	for _, l := range []*List{&m.People, &m.Operations, &m.Rules} {
		l.order()
	}
}

func (l *List) order() {
	keys := slices.SortedFunc(maps.Keys(l.lines), func(x, y lineKey) int {
		return cmp.Or(cmp.Compare(l.lines[y].Events, l.lines[x].Events), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b), cmp.Compare(x.c, y.c), cmp.Compare(x.d, y.d))
	})
	for i, key := range keys {
		if i < maxTold {
			l.Lines = append(l.Lines, l.lines[key])
			continue
		}
		l.More++
		l.MoreEvents += l.lines[key].Events
	}
	if l.rest > 0 {
		l.More++ // at least
		l.MoreEvents += l.rest
	}
	l.lines = nil
}

func orderChanges(list []*Change) {
	slices.SortFunc(list, func(x, y *Change) int {
		return cmp.Or(cmp.Compare(y.Events, x.Events), cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To))
	})
}

func orderCounts(list []*Count) {
	slices.SortFunc(list, func(x, y *Count) int { return cmp.Or(cmp.Compare(y.Events, x.Events), cmp.Compare(x.Why, y.Why)) })
}
