package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// sentence says in words what a clause came to.
func sentence(c ClauseVerdict) string {
	verb := " is perhaps "
	switch c.Truth {
	case True:
		verb = " is "
	case False:
		verb = " is not "
	}
	seen := c.Seen
	if strings.Contains(seen, ", ") && !strings.HasSuffix(seen, ")") {
		seen += ","
	}
	return capital(seen + verb + c.Wanted + ".")
}

// capital leaves addresses as they are.
func capital(s string) string {
	if first, _, _ := strings.Cut(s, " "); strings.Contains(first, "@") {
		return s
	}
	if r, n := utf8.DecodeRuneInString(s); 'a' <= r && r <= 'z' {
		return string(r-'a'+'A') + s[n:]
	}
	return s
}

// Step is a step of the decision procedure, by its number in the package's
// documentation. 0 is before it: no rule is looked at.
type Step struct {
	Number int
	Text   string
}

// steps retells the procedure up to the step that decided.
func (e *Explanation) steps(decided int) []Step {
	if decided == 0 {
		info, _ := e.Reason.Info()
		return []Step{{0, info.Title}}
	}
	var list []Step
	for n := 2; n < decided; n++ {
		list = append(list, Step{n, e.passed(n)})
	}
	return append(list, Step{decided, e.taken(decided)})
}

func (e *Explanation) passed(n int) string {
	switch n {
	case 2:
		return "No DENY counts."
	case 3:
		return "No REQUIRE fails on what no sign-in can change."
	case 4:
		switch allowed, required := e.counts(AllowEffect), e.counts(RequireEffect); {
		case allowed:
			return "An ALLOW counts, but a REQUIRE fails."
		case required:
			return "No ALLOW counts, and a REQUIRE fails."
		default:
			return "No ALLOW counts."
		}
	case 5:
		return "It is no stranger."
	default:
		return "Another way of signing in would not allow it."
	}
}

func (e *Explanation) counts(effect Effect) bool {
	return slices.ContainsFunc(e.Rules, func(r RuleVerdict) bool { return r.Counts && r.Effect == effect && r.Mode == Enforced })
}

func (e *Explanation) taken(n int) string {
	switch n {
	case 2:
		return "A DENY counts: denied."
	case 3:
		return "A REQUIRE fails on what no sign-in can change: denied."
	case 4:
		return "An ALLOW counts, and every REQUIRE in scope holds: allowed."
	case 5:
		return "It is a stranger, who is asked to sign in whatever the rules are."
	case 6:
		if e.Outcome == Deny {
			return "The identity provider was asked for the sign-in that the rules want, and it is still not so: denied."
		}
		return "It would be allowed if the sign-in were as the rules want it: sign in again."
	default:
		return "Denied."
	}
}
