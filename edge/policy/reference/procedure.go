package reference

import (
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
)

// judged is a rule with all that one request makes of it.
type judged struct {
	*policytest.Rule
	policy, grant string
	scope         Verdict
	clauses       []Clause
}

// reasons are what a clause that is not true gives, by its field. A failure of
// lasting ones no sign-in can change; a step-up can make fresh ones true.
type reasons map[string]string

var (
	lasting = reasons{
		"source_cidrs": "require.network", "countries": "require.country", "time_windows": "require.time", "not_before": "require.time",
		"not_after": "require.time", "device": "require.device", "expression": "require.expression",
	}
	identity = reasons{"idps": "require.idp", "members_of": "require.group"}
	fresh    = reasons{"max_auth_age": "step_up.auth_age", "required_acr": "step_up.acr", "required_amr": "step_up.amr"}
)

func deny(reason string) policytest.Decision {
	return policytest.Decision{Outcome: "DENY", Reason: reason}
}

// Decide answers a request. It does not say until when.
func (r *Referee) Decide(w *policytest.World, q *policytest.Request) policytest.Decision {
	found := find(w.Apps, func(a *policytest.App) bool { return a.ID == q.App })
	if found == nil {
		return deny("deny.no_policy")
	}
	a := *found
	policies := filter(w.Policies, func(p *policytest.Policy) bool { return p.Mode != "SHADOW" && reaches(p, a) })
	grants := filter(w.Grants, func(g *policytest.Grant) bool { return g.App == a.ID })
	op := operation(a, q)
	switch {
	case a.Closed:
		return deny("deny.app_closed")
	case a.Disabled:
		return deny("deny.app_disabled")
	case len(policies)+len(grants) == 0:
		return deny("deny.no_policy")
	case op == nil && q.Who.Kind == policytest.Anonymous:
		return policytest.Decision{Outcome: "AUTHENTICATE", Reason: "identity.none"}
	case op == nil:
		return deny("deny.no_operation")
	}
	j := judge{r, w, q, *op}
	return j.procedure(j.rules(policies, grants))
}

// rules are those of the operation, in the order of reporting: rules by policy
// and id, then grants by id.
func (j judge) rules(policies []*policytest.Policy, grants []*policytest.Grant) (rules []judged) {
	for _, p := range ordered(policies, func(p *policytest.Policy) string { return p.ID }) {
		for _, u := range ordered(p.Rules, func(u policytest.Rule) string { return u.ID }) {
			if j.covers(u.Roles, u.Operations) {
				rules = append(rules, judged{&u, p.ID, "", min(j.isAny(u.Principals), Yes-j.exempt(p)), j.clauses(u)})
			}
		}
	}
	for _, g := range ordered(grants, func(g *policytest.Grant) string { return g.ID }) {
		if j.covers(g.Roles, g.Operations) {
			u := policytest.Rule{Effect: "ALLOW", Conditions: policytest.Conditions{NotBefore: g.NotBefore, NotAfter: g.NotAfter}}
			rules = append(rules, judged{&u, "", g.ID, j.isAny(g.Principals), j.clauses(u)})
		}
	}
	return rules
}

// procedure is the decision procedure. The numbers are the specification's.
func (j judge) procedure(rules []judged) policytest.Decision {
	of := func(effect string) []judged { return filter(rules, func(u judged) bool { return u.Effect == effect }) }
	for _, u := range of("DENY") { // 2
		if u.holds(nil) != No {
			return j.because("DENY", "deny.rule", u)
		}
	}
	unmet := filter(of("REQUIRE"), func(u judged) bool { return u.scope != No && u.fails(lasting, identity, fresh) != "" })
	for _, u := range unmet { // 3
		if why := u.fails(lasting); why != "" {
			return j.because("DENY", why, u)
		}
	}
	for _, u := range of("ALLOW") { // 4
		if len(unmet) == 0 && u.holds(nil) == Yes {
			return j.because("ALLOW", allowReason(u), u)
		}
	}
	if j.q.Who.Kind == policytest.Anonymous { // 5
		return policytest.Decision{Outcome: "AUTHENTICATE", Reason: "identity.none"}
	}
	if way := j.onTheWay(unmet, of("ALLOW")); way != nil { // 6
		if u := find(way, j.unsatisfied); u != nil {
			return j.because("DENY", "step_up.unsatisfied", *u)
		}
		d := j.because("STEP_UP", way[0].fails(fresh), way[0])
		d.Need = need(way)
		return d
	}
	for _, u := range unmet { // 7
		if why := u.fails(identity); why != "" {
			return j.because("DENY", why, u)
		}
	}
	if len(unmet) > 0 && j.q.Who.Kind == policytest.Machine {
		return j.because("DENY", "step_up.unsatisfied", unmet[0])
	}
	d := deny("deny.no_rule")
	if u := find(of("ALLOW"), func(u judged) bool { return u.Remediation != "" }); u != nil {
		d.Remediation = u.Remediation
	}
	return d
}

// because names the rule that decided. Strangers learn nothing else.
func (j judge) because(outcome, reason string, u judged) policytest.Decision {
	d := policytest.Decision{Outcome: outcome, Reason: reason, Policy: u.policy, Rule: u.ID, Grant: u.grant}
	if outcome != "ALLOW" && j.q.Who.Kind != policytest.Anonymous {
		d.Remediation = u.Remediation
	}
	return d
}

func allowReason(u judged) string {
	switch {
	case u.grant != "":
		return "allow.grant"
	case slices.Contains(u.Principals, "anyone"):
		return "allow.public"
	}
	return "allow.rule"
}

// onTheWay are the rules that a step-up must make true, if that would be enough:
// the REQUIREs that fail, and an ALLOW if none counts as it is; of several one
// that a step-up was not already tried for.
func (j judge) onTheWay(unmet, allow []judged) []judged {
	could := filter(allow, func(u judged) bool { return u.holds(fresh) == Yes })
	final := find(unmet, func(u judged) bool { return u.fails(identity) != "" })
	switch {
	case j.q.Who.Kind != policytest.Person || len(could) == 0 || final != nil:
		return nil
	case find(could, func(u judged) bool { return u.holds(nil) == Yes }) != nil:
		return unmet
	}
	untried := filter(could, func(u judged) bool { return !j.unsatisfied(u) })
	return append(unmet, append(untried, could...)[0])
}

// holds is the conjunction of scope and conditions, but for those of some fields.
func (u judged) holds(but reasons) Verdict {
	v := u.scope
	for _, c := range u.clauses {
		if but[c.Field] == "" {
			v = min(v, c.Verdict)
		}
	}
	return v
}

// fails says why the clauses of some fields are not all true, or "". What is
// false is told before what is unknown, but a step-up asks for either.
func (u judged) fails(kinds ...reasons) (why string) {
	for _, c := range u.clauses {
		for _, kind := range kinds {
			reason := kind[c.Field]
			if c.Verdict == Unknown && fresh[c.Field] == "" {
				reason = "require.unknown"
			}
			if kind[c.Field] != "" && c.Verdict != Yes && (why == "" || why == "require.unknown") {
				why = reason
			}
		}
	}
	return why
}
