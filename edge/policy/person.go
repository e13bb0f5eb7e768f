package policy

import "slices"

// Answer is what a denied person may read of an explanation: nothing that names
// rules, policies or groups, nor what would have been accepted.
type Answer struct {
	Outcome     Outcome
	Reason      Reason
	Title       string
	Remediation string
	// Of nobody but the person: a stranger gets neither.
	App       string
	Operation string
	Facts     []string // what was seen of the request by the clauses that failed, in words
}

// told are the clauses whose facts are the person's own.
var told = []string{
	"conditions.source_cidrs", "conditions.countries", "conditions.time_windows", "conditions.not_before", "conditions.not_after",
	"conditions.device", "conditions.max_auth_age", "conditions.required_acr", "conditions.required_amr", "conditions.idps",
}

// Person returns the part of an explanation that is safe to show to whom it is
// about.
func (e *Explanation) Person() Answer {
	info, _ := e.Reason.Info()
	a := Answer{Outcome: e.Outcome, Reason: e.Reason, Title: info.Title, Remediation: e.Remediation}
	if a.Remediation == "" {
		a.Remediation = info.Remediation
	}
	if e.facts.Stranger() {
		return a
	}
	a.App, a.Operation = e.App, e.Operation
	for _, r := range e.Rules {
		if !r.Decisive || r.Effect == DenyEffect {
			continue // a DENY does not fail
		}
		for _, c := range r.Clauses {
			if c.Truth != True && slices.Contains(told, c.Field) {
				a.Facts = append(a.Facts, capital(c.Seen))
			}
		}
	}
	return a
}
