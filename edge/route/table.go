package route

import (
	"fmt"
	"slices"
)

// Spec is what an app says about its paths.
type Spec struct {
	Hosts      []string // of the app; operations may name some of them
	Routes     []string // path patterns; a route is known by its index
	Operations []Operation
}

// Operation is a thing that can be done in an app.
type Operation struct {
	ID      string
	Methods []string
	Paths   []string // patterns
	Hosts   []string // none: every host of the app
}

// Operations of an app that declares none.
const (
	DefaultRead  = "read"  // GET, HEAD
	DefaultWrite = "write" // everything else, WEBSOCKET included
)

// Table answers for one app. It is immutable; a nil one knows no path.
type Table struct {
	routes     node
	operations node
	ids        []string // of operations; none: read and write by method
}

// Route returns the index of the route with the most specific pattern.
func (t *Table) Route(p Path) (int, bool) {
	if t == nil {
		return 0, false
	}
	a := t.routes.best(p.Match, question{method: routeMethod})
	if a.target == nil {
		return 0, false
	}
	return a.target.index, true
}

// routeMethod is asked where methods do not count.
const routeMethod = "GET"

// Operation returns the one operation that a request is. The host comes from
// [Host]; the method has passed [Method] or is [WebSocket].
func (t *Table) Operation(host, method string, p Path) (string, bool) {
	if t == nil {
		return "", false
	}
	if len(t.ids) == 0 {
		if method == "GET" || method == "HEAD" {
			return DefaultRead, true
		}
		return DefaultWrite, true
	}
	a := t.operations.best(p.Match, question{host: host, method: method})
	if a.target == nil {
		return "", false
	}
	return t.ids[a.target.index], true
}

// Reasons of a [Problem].
const (
	ProblemInvalid   = "FIELD_INVALID"
	ProblemRequired  = "FIELD_REQUIRED"
	ProblemReference = "REFERENCE_NOT_FOUND"
)

// Problem is why a Spec is refused.
type Problem struct {
	Field      string // path within the app, such as "operations[1].paths[0]"
	Reason     string
	Message    string // a clause, without "did you mean"
	Suggestion string // what was probably meant, or ""
}

// Compile checks a Spec and makes its Table, which is nil if there is any
// Problem: half a table would answer for paths that it does not know.
func Compile(s Spec) (*Table, []Problem) {
	t := &Table{}
	var problems []Problem
	var routes, operations []claim
	for i, h := range s.Hosts {
		if name, err := Hostname(h); err != nil || name != h {
			problems = append(problems, Problem{
				Field: fmt.Sprintf("hosts[%d]", i), Reason: ProblemInvalid, Suggestion: name,
				Message: fmt.Sprintf("%q is not a host name in lower case, without port", h),
			})
		}
	}
	for i, text := range s.Routes {
		field := fmt.Sprintf("routes[%d].path", i)
		p, err := parsePattern(text)
		if err != nil {
			problems = append(problems, problemOf(field, err))
			continue
		}
		to := &target{index: i, rank: p.rank, methods: methods{named: []string{routeMethod}}}
		t.routes.add(p, to)
		routes = append(routes, claim{pattern: p, target: to, field: field, name: fmt.Sprintf("route %q", text)})
	}
	for i, op := range s.Operations {
		t.ids = append(t.ids, op.ID)
		found, bad := op.claims(i, s.Hosts)
		if op.ID != "" && slices.Index(t.ids, op.ID) < i {
			bad = append(bad, Problem{
				Field: fmt.Sprintf("operations[%d].id", i), Reason: ProblemInvalid,
				Message: fmt.Sprintf("operation %q is there twice", op.ID),
			})
		}
		problems = append(problems, bad...)
		for _, c := range found {
			t.operations.add(c.pattern, c.target)
		}
		operations = append(operations, found...)
	}
	problems = append(problems, ties(&t.routes, routes)...)
	problems = append(problems, ties(&t.operations, operations)...)
	if len(problems) > 0 {
		return nil, problems
	}
	return t, nil
}
