package policy

import "unicode/utf8"

// sentence says in words what a clause came to.
func sentence(c ClauseVerdict) string {
	verb := " is perhaps "
	switch c.Truth {
	case True:
		verb = " is "
	case False:
		verb = " is not "
	}
	return capital(c.Seen + verb + c.Wanted + ".")
}

func capital(s string) string {
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
func steps(d Decision, decided int) []Step {
	if decided == 0 {
		info, _ := d.Reason.Info()
		return []Step{{0, info.Title}}
	}
	var list []Step
	for n := 2; n < decided; n++ {
		list = append(list, Step{n, passed[n]})
	}
	last := Step{decided, taken[decided]}
	if decided == 6 && d.Outcome == Deny {
		last.Text = "The identity provider was asked for what is missing, and it is still missing: denied."
	}
	return append(list, last)
}

var passed = map[int]string{
	2: "No DENY counts.",
	3: "No REQUIRE fails on what no sign-in can change.",
	4: "Not both: an ALLOW counts, and every REQUIRE in scope holds.",
	5: "It is no stranger.",
	6: "Signing in again in another way would not allow it.",
}

var taken = map[int]string{
	2: "A DENY counts: denied.",
	3: "A REQUIRE fails on what no sign-in can change: denied.",
	4: "An ALLOW counts, and every REQUIRE in scope holds: allowed.",
	5: "It is a stranger, who is asked to sign in whatever the rules are.",
	6: "It would be allowed if the sign-in were as the rules want it: sign in again.",
	7: "Denied.",
}
