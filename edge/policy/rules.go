package policy

import (
	"reflect"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/clause"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

// rule is a compiled [Rule], or a [Grant] in the form of one.
type rule struct {
	// What a decision reads comes first: it is in as few places of memory as
	// possible.
	policy, id  string
	remediation string
	clause.Requirement
	effect     effect
	public     bool        // it names anyone
	granted    bool        // it is a grant's
	exemptions []exemption // of a guard-rail

	demand     int8 // which of the unit's demands it makes, or 0
	unit       *unit
	src        *Rule
	principals []who.Atom // in order
	picks      []*selector
}

// effect is an [Effect], in the order of the decision procedure.
type effect int8

const (
	denies effect = iota
	requires
	allows
	effectCount int = iota
)

// effectOf takes what is not understood for a DENY; nothing reads it, because
// its apps are closed.
func effectOf(e Effect) effect {
	switch e {
	case AllowEffect:
		return allows
	case RequireEffect:
		return requires
	}
	return denies
}

// rules compiles the rules of a policy, in order of ids.
func (c *compiler) rules(u *unit) {
	src := u.policy.Rules
	order := make([]int, len(src))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return strings.Compare(src[i].ID, src[j].ID) })
	missing := c.missingOperations(u.policy)
	for k, i := range order {
		at := u.at().Of("rules", i)
		switch {
		case src[i].ID == "":
			c.problems.Add(at, "id", problem.Required, "a rule has an id")
		case k > 0 && src[order[k-1]].ID == src[i].ID:
			c.problems.Add(at, "id", problem.Invalid, "rule %s is there twice", problem.Quote(src[i].ID))
		}
		u.rules = append(u.rules, c.rule(u, &src[i], at, missing))
	}
}

func (c *compiler) rule(u *unit, src *Rule, at problem.Path, missing map[string]bool) *rule {
	switch {
	case src.Effect != AllowEffect && src.Effect != DenyEffect && src.Effect != RequireEffect:
		c.problems.Add(at, "effect", problem.Invalid, "an effect is ALLOW, DENY or REQUIRE")
	case src.Effect == AllowEffect && u.rail():
		c.problems.Add(at, "effect", problem.Invalid, "a policy that selects by labels refuses and requires; to allow, name the apps")
	}
	r := c.scope(u, src, at, missing)
	r.Requirement = c.clauses.Requirement(&src.Conditions, src.Expression, at)
	if src.Effect == RequireEffect && src.Conditions.None() && src.Expression == "" {
		c.problems.Add(at, "conditions", problem.Required, "a REQUIRE rule says what is required")
	}
	c.checkText(at, "description", src.Description)
	c.checkText(at, "remediation", src.Remediation)
	r.demand = u.demand(src)
	return r
}

// maxDemands is how many demands of a policy are told apart, so that it takes little time.
const maxDemands = 8

// demand numbers what rules of a policy require, from 1. Many mostly require the same, and a decision looks at it once
// ([block.same]). What is nothing, or comes after too many others, has no number: it is looked at each time.
func (u *unit) demand(src *Rule) int8 {
	if src.Conditions.None() && src.Expression == "" {
		return 0
	}
	for i, like := range u.demands {
		if src.Expression == like.Expression && reflect.DeepEqual(src.Conditions, like.Conditions) {
			return int8(i + 1)
		}
	}
	if len(u.demands) == maxDemands {
		return 0
	}
	u.demands = append(u.demands, src)
	return int8(len(u.demands))
}

// scope compiles who does what.
func (c *compiler) scope(u *unit, src *Rule, at problem.Path, missing map[string]bool) *rule {
	r := &rule{policy: u.ID, id: src.ID, remediation: src.Remediation, effect: effectOf(src.Effect), granted: u.grant != nil, exemptions: u.exemptions, unit: u, src: src}
	r.principals = c.principals(src.Principals, at)
	r.public = slices.Contains(r.principals, who.Anyone)
	r.picks = c.picks(src.Roles, src.Operations, at)
	for i, name := range src.Operations {
		if missing[name] && isOperationName(name) {
			u.dangling = true
			c.problems.Missing(at, problem.Item("operations", i), problem.Missing{Kind: problem.Operation, ID: name, Apps: u.policy.Apps})
		}
	}
	return r
}

func (c *compiler) checkText(at problem.Path, field, text string) {
	if len(text) > maxText {
		c.problems.Add(at, field, problem.Invalid, "a text has at most %d bytes; this has %d", maxText, len(text))
	}
}
