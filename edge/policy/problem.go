package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Reasons of a [Problem].
const (
	ProblemInvalid   = "FIELD_INVALID"
	ProblemRequired  = "FIELD_REQUIRED"
	ProblemReference = "REFERENCE_NOT_FOUND"
)

// Problem is something in a [Source] that cannot be meant.
type Problem struct {
	Field      string // path within the source, such as "policies[api].rules[2].principals[0]"
	Reason     string
	Message    string // a clause, without "did you mean"
	Suggestion string // what was probably meant, or ""
}

// kind is what a problem is of, in the order in which problems are told.
type kind int8

const (
	appKind kind = iota
	groupKind
	membershipKind
	roleKind
	policyKind
	grantKind
	// What can only be named.
	providerKind
	accountKind
	operationKind
	noKind
)

// place is a resource that has a problem.
type place struct {
	kind kind
	id   string
}

func (p place) String() string {
	return [...]string{"apps", "groups", "memberships", "roles", "policies", "grants"}[p.kind] + "[" + p.id + "]"
}

// path is a place, or an item of a list in it.
type path struct {
	place
	list  string
	index int
}

func (p path) of(list string, i int) path { return path{p.place, list, i} }

// field is where something is below a path; only who has a problem writes it.
func (p path) field(name string) string {
	s := p.String()
	if p.list != "" {
		s += "." + item(p.list, p.index)
	}
	if name != "" {
		s += "." + name
	}
	return s
}

func item(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// finding is a problem before it is known what was probably meant.
type finding struct {
	Problem
	wrong string // the name that does not exist
	kind  kind   // of what does not exist
	apps  []string
}

func (c *compiler) report(at path, field, reason, format string, args ...any) {
	c.find(at, field, finding{kind: noKind, Problem: Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}})
}

// suggest is report, and says what was probably meant.
func (c *compiler) suggest(at path, field, suggestion, format string, args ...any) {
	c.find(at, field, finding{kind: noKind, Problem: Problem{
		Reason: ProblemInvalid, Message: fmt.Sprintf(format, args...), Suggestion: suggestion,
	}})
}

// missing reports a reference to something that does not exist.
func (c *compiler) missing(at path, field string, k kind, id string) {
	noun := [...]string{"app", "group", "", "role", "policy", "", "identity provider", "service account"}[k]
	c.find(at, field, finding{wrong: id, kind: k, Problem: Problem{
		Reason: ProblemReference, Message: fmt.Sprintf("%s %s does not exist", noun, quote(id)),
	}})
}

func (c *compiler) find(at path, field string, f finding) {
	f.Field = at.field(field)
	if len(c.findings[at.place]) < maxFindings {
		c.findings[at.place] = append(c.findings[at.place], f)
	}
}

func (c *compiler) faulty(at place) bool { return len(c.findings[at]) > 0 }

// forget drops what was found in a resource that is looked at again.
func (c *compiler) forget(k kind, id string) { delete(c.findings, place{k, id}) }

// problems are all findings, in order of kind and id. Suggestions are made for
// the first ones only: each is compared with every name that there is.
func (c *compiler) problems() []Problem {
	places := make([]place, 0, len(c.findings))
	for at := range c.findings {
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id)) })
	var list []Problem
	for _, at := range places {
		for _, f := range c.findings[at] {
			if len(list) == maxProblems {
				return list
			}
			if f.kind != noKind && len(list) < maxSuggestions {
				f.Suggestion = nearest(f.wrong, c.known(f))
			}
			list = append(list, f.Problem)
		}
	}
	return list
}

// quote quotes what somebody wrote, however long it is.
func quote(s string) string {
	if len(s) > 80 {
		return strconv.Quote(s[:80]) + "…"
	}
	return strconv.Quote(s)
}
