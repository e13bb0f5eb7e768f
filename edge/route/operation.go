package route

import (
	"fmt"
	"slices"
	"strings"
)

// claims checks one operation, the i-th of its app, and returns its patterns.
func (op Operation) claims(i int, appHosts []string) ([]claim, []Problem) {
	at := func(format string, args ...any) string {
		return fmt.Sprintf("operations[%d].", i) + fmt.Sprintf(format, args...)
	}
	var problems []Problem
	if op.ID == "" {
		problems = append(problems, Problem{Field: at("id"), Reason: ProblemRequired, Message: "an operation has an id"})
	}
	if len(op.Methods) == 0 {
		problems = append(problems, Problem{
			Field: at("methods"), Reason: ProblemRequired,
			Message: `an operation names its methods; "*" is the usual ones`,
		})
	}
	if len(op.Paths) == 0 {
		problems = append(problems, Problem{
			Field: at("paths"), Reason: ProblemRequired,
			Message: `an operation names its paths; "/**" is all`,
		})
	}
	var set methods
	for j, m := range op.Methods {
		switch {
		case m == "*":
			set.any = true
		case m == WebSocket || Method(m) == nil:
			set.named = append(set.named, m)
		default:
			problems = append(problems, badMethod(at("methods[%d]", j), m))
		}
	}
	for j, h := range op.Hosts {
		if !slices.Contains(appHosts, h) {
			problems = append(problems, Problem{
				Field: at("hosts[%d]", j), Reason: ProblemReference,
				Message: fmt.Sprintf("%q is not a host of the app", h),
			})
		}
	}
	var claims []claim
	for j, text := range op.Paths {
		field := at("paths[%d]", j)
		p, err := parsePattern(text)
		if err != nil {
			problems = append(problems, problemOf(field, err))
			continue
		}
		claims = append(claims, claim{
			pattern: p, field: field, name: fmt.Sprintf("operation %q", op.ID),
			target: &target{index: i, rank: p.rank, methods: set, hosts: op.Hosts},
		})
	}
	return claims, problems
}

func badMethod(field, method string) Problem {
	p := Problem{
		Field: field, Reason: ProblemInvalid,
		Message: fmt.Sprintf("%q is not a method; methods are upper case, CONNECT and TRACE are never allowed", method),
	}
	if upper := strings.ToUpper(method); upper != method && (upper == WebSocket || Method(upper) == nil) {
		p.Suggestion = upper
	}
	return p
}
