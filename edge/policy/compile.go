package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Compile checks a source and makes its program. There is always a program, and
// it never allows more than the source says: whatever a [Problem] bears on is
// closed or unknown in it. The order of anything in the source does not matter;
// problems come by kind (apps, groups, roles, policies), then by id.
func Compile(s Source) (*Program, []Problem) {
	c := &compiler{
		source: s,
		program: &Program{
			apps:     make(map[string]*app, len(s.Apps)),
			atoms:    map[term]atom{},
			memberOf: map[term][]int{},
			claims:   map[string][]string{},
		},
		accessOf:  map[string]map[string]Access{},
		groupOf:   map[string]int{},
		accounts:  setOf(s.ServiceAccounts),
		providers: setOf(s.Providers),
		attached:  map[string]bool{},
	}
	c.addApps()
	c.addGroups()
	c.addRoles()
	c.addPolicies()
	return c.finish(), c.problems
}

type compiler struct {
	source   Source
	program  *Program
	problems []Problem

	accessOf  map[string]map[string]Access // by app and operation
	groupOf   map[string]int               // index by id
	accounts  map[string]bool
	providers map[string]bool
	roles     map[string]selector // those without problems
	badRoles  map[string]bool
	attached  map[string]bool // apps that have a policy
}

func (c *compiler) report(field, reason, suggestion, format string, args ...any) {
	c.problems = append(c.problems, Problem{
		Field: field, Reason: reason, Suggestion: suggestion,
		Message: fmt.Sprintf(format, args...),
	})
}

// missing reports a reference to something that does not exist.
func (c *compiler) missing(field, noun, id string, known []string) {
	c.report(field, ProblemReference, nearest(id, slices.Values(known)), "%s %q does not exist", noun, id)
}

// close makes an app refuse everything, if there is such an app.
func (c *compiler) close(appID string) {
	if a := c.program.apps[appID]; a != nil {
		a.refusal = DenyAppClosed
	}
}

func (c *compiler) addApps() {
	for _, i := range sortedIndex(c.source.Apps, func(a *App) string { return a.ID }) {
		src := c.source.Apps[i]
		field := "apps[" + src.ID + "]"
		if src.ID == "" {
			c.report(field, ProblemRequired, "", "an app has an id")
		}
		if c.program.apps[src.ID] != nil {
			c.report(field, ProblemInvalid, "", "app %q is there twice", src.ID)
			c.close(src.ID)
			continue
		}
		a := &app{operations: map[string]*operation{}}
		c.program.apps[src.ID] = a
		operations := src.Operations
		if len(operations) == 0 {
			operations = []Operation{{"read", Read}, {"write", Write}}
		}
		access := make(map[string]Access, len(operations))
		for i, op := range operations {
			at := fmt.Sprintf("%s.operations[%d]", field, i)
			switch {
			case op.ID == "":
				c.report(at+".id", ProblemRequired, "", "an operation has an id")
			case a.operations[op.ID] != nil:
				c.report(at+".id", ProblemInvalid, "", "operation %q is there twice", op.ID)
			case !op.Access.valid():
				c.report(at+".access", ProblemInvalid, "", "access is READ, WRITE or ADMIN")
			default:
				a.operations[op.ID] = &operation{}
				access[op.ID] = op.Access
				continue
			}
			c.close(src.ID)
		}
		c.accessOf[src.ID] = access
		switch {
		case src.Closed:
			c.close(src.ID)
		case src.Disabled && a.refusal == "":
			a.refusal = DenyAppDisabled
		}
	}
}

func (c *compiler) addPolicies() {
	seen := map[string]bool{}
	// Sorted, so that each operation's candidates come out in reporting order.
	for _, i := range sortedIndex(c.source.Policies, func(p *Policy) string { return p.ID }) {
		src := c.source.Policies[i]
		field := "policies[" + src.ID + "]"
		before := len(c.problems)
		switch {
		case src.ID == "":
			c.report(field, ProblemRequired, "", "a policy has an id")
		case seen[src.ID]:
			c.report(field, ProblemInvalid, "", "policy %q is there twice", src.ID)
		case len(src.Apps) == 0:
			c.report(field+".apps", ProblemRequired, "", "a policy names its apps; an empty list is never all of them")
		case len(src.Rules) == 0:
			c.report(field+".rules", ProblemRequired, "", "a policy has rules; to give no access, delete it")
		}
		seen[src.ID] = true
		understood := c.addPolicy(src, field)
		for _, id := range src.Apps {
			c.attached[id] = true
			if !understood || len(c.problems) > before {
				c.close(id)
			}
		}
	}
}

// addPolicy returns false if a rule depends on something that has a problem of
// its own.
func (c *compiler) addPolicy(src *Policy, field string) bool {
	var apps []string
	for i, id := range src.Apps {
		if c.program.apps[id] == nil {
			c.missing(fmt.Sprintf("%s.apps[%d]", field, i), "app", id, ids(c.source.Apps, func(a *App) string { return a.ID }))
		} else if !slices.Contains(apps, id) {
			apps = append(apps, id)
		}
	}
	understood := true
	seen := map[string]bool{}
	for _, i := range sortedIndex(src.Rules, func(r Rule) string { return r.ID }) {
		at := fmt.Sprintf("%s.rules[%d]", field, i)
		r := src.Rules[i]
		switch {
		case r.ID == "":
			c.report(at+".id", ProblemRequired, "", "a rule has an id")
		case seen[r.ID]:
			c.report(at+".id", ProblemInvalid, "", "rule %q is there twice", r.ID)
		}
		seen[r.ID] = true
		understood = c.addRule(src.ID, r, at, apps) && understood
	}
	return understood
}

func (c *compiler) finish() *Program {
	p := c.program
	p.size = int(firstGroup) + len(p.groups) + len(p.atoms)
	for id, a := range p.apps {
		if a.refusal == "" && !c.attached[id] {
			a.refusal = DenyNoPolicy
		}
		for _, op := range a.operations {
			slices.SortFunc(op.boundaries, time.Time.Compare)
			op.boundaries = slices.CompactFunc(op.boundaries, time.Time.Equal)
		}
	}
	for idp := range p.claims {
		slices.Sort(p.claims[idp])
		p.claims[idp] = slices.Compact(p.claims[idp])
	}
	p.stranger = p.Resolve(Identity{})
	return p
}

// atomOf numbers a term when a rule first names it.
func (c *compiler) atomOf(t term) atom {
	a, ok := c.program.atoms[t]
	if !ok {
		a = firstGroup + atom(len(c.program.groups)+len(c.program.atoms))
		c.program.atoms[t] = a
	}
	return a
}

// sortedIndex returns the indices of list in the order of its ids.
func sortedIndex[T any](list []T, id func(T) string) []int {
	index := make([]int, len(list))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(i, j int) int { return strings.Compare(id(list[i]), id(list[j])) })
	return index
}

func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, v := range list {
		set[v] = true
	}
	return set
}

func ids[T any](list []T, id func(T) string) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = id(v)
	}
	return out
}
