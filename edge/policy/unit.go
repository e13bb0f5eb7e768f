package policy

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/clause"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// unit is a policy or a grant, compiled for itself: it is made again only if it
// is written again, or what it names has changed.
type unit struct {
	problem.Place
	policy     *Policy     // a grant has one of its own, with its rule
	grant      *Grant      // nil for a policy
	rules      []*rule     // in order of ids
	exemptions []exemption // in order of ids
	demands    []*Rule     // the first rules of those that make different demands

	needs    []problem.Place // what it names
	dangling bool            // it names what does not exist
	faulty   bool            // it is not understood: what it bears on is closed
	usage    usage
	size     size
}

func (u *unit) rail() bool       { return u.policy.Selector != nil }
func (u *unit) shadow() bool     { return u.policy.Mode == Shadow }
func (u *unit) at() problem.Path { return problem.Path{Place: u.Place} }

// reaches says whether a guard-rail is for an app. A requirement that is not
// understood matches, as does a label that is not set.
func (u *unit) reaches(a *App) bool {
	for _, want := range u.policy.Selector {
		value, set := a.Labels[want.Key]
		switch {
		case !set && want.Unset == UnsetMatchesNot, set && len(want.Values) > 0 && !slices.Contains(want.Values, value):
			return false
		}
	}
	return u.rail()
}

// inOrder sorts policies by id, then grants by id, and drops who is there twice.
func inOrder(units []*unit) []*unit {
	slices.SortStableFunc(units, func(a, b *unit) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return slices.Compact(units)
}

func (c *compiler) newPolicy(src *Policy) *unit {
	u := &unit{Place: problem.Place{Kind: problem.Policy, ID: src.ID}, policy: src}
	c.unit = u
	if src.ID == "" {
		c.problems.Add(u.at(), "", problem.Required, "a policy has an id")
	}
	switch src.Mode {
	case Enforced, Shadow, "":
	default:
		c.problems.Add(u.at(), "mode", problem.Invalid, "a mode is ENFORCED or SHADOW")
	}
	c.attachment(u)
	c.exemptions(u)
	if c.affordable(u) {
		c.rules(u)
	}
	u.size = sizeOf(u.rules)
	u.faulty = u.faulty || c.problems.At(u.Place)
	return u
}

func (c *compiler) newGrant(src *Grant) *unit {
	u := &unit{Place: problem.Place{Kind: problem.Grant, ID: src.ID}, grant: src}
	u.policy = &Policy{ID: src.ID, Apps: []string{src.App}, Rules: []Rule{{
		ID: src.ID, Effect: AllowEffect, Principals: src.Principals, Roles: src.Roles, Operations: src.Operations,
	}}}
	c.unit = u
	if src.ID == "" {
		c.problems.Add(u.at(), "", problem.Required, "a grant has an id")
	}
	c.appNamed(src.App, u.at(), "app", -1)
	if src.NotAfter.IsZero() {
		c.problems.Add(u.at(), "not_after", problem.Required, "a grant has an end")
	}
	r := c.scope(u, &u.policy.Rules[0], u.at(), c.missingOperations(u.policy))
	r.Requirement = c.clauses.Period(src.NotBefore, src.NotAfter, u.at())
	u.rules = []*rule{r}
	u.size = sizeOf(u.rules)
	u.faulty = u.faulty || c.problems.At(u.Place)
	return u
}

func (c *compiler) attachment(u *unit) {
	src, at := u.policy, u.at()
	switch {
	case len(src.Apps) > 0 && src.Selector != nil:
		c.problems.Add(at, "selector", problem.Invalid, "a policy has apps or a selector, not both")
	case len(src.Apps) == 0 && len(src.Selector) == 0:
		c.problems.Add(at, "apps", problem.Required, "a policy names its apps, or selects them by labels; an empty list is never all of them")
	case len(src.Selector) > maxLabels:
		c.problems.Add(at, "selector", problem.Invalid, "there are %d labels, and at most %d are possible", len(src.Selector), maxLabels)
		return
	}
	for i, id := range src.Apps {
		c.appNamed(id, at, "apps", i)
	}
	for i, want := range src.Selector {
		at := at.Of("selector", i)
		if want.Key == "" {
			c.problems.Add(at, "key", problem.Required, "a label has a key")
		}
		if want.Values == nil {
			c.problems.Add(at, "values", problem.Required, "a label has values")
		}
		c.problems.Length(at, "values", want.Values, maxPrincipals)
		switch want.Unset {
		case UnsetMatches, UnsetMatchesNot, "":
		default:
			c.problems.Add(at, "unset", problem.Invalid, "unset is MATCH or NO_MATCH")
		}
	}
}

// affordable counts what a policy uses before it is compiled.
func (c *compiler) affordable(u *unit) bool {
	switch n := len(u.policy.Rules); {
	case n == 0:
		c.problems.Add(u.at(), "rules", problem.Required, "a policy has rules; to give no access, delete it")
		return false
	case n > maxRules:
		c.problems.Add(u.at(), "rules", problem.Invalid, "there are %d, and at most %d are possible", n, maxRules)
		return false
	}
	for i := range u.policy.Rules {
		r := &u.policy.Rules[i]
		// What is too long for a rule is not compiled.
		if n := len(r.Conditions.SourceCIDRs); n <= clause.MaxNetworks {
			u.usage.networks += n
		}
		if n := len(r.Conditions.TimeWindows); n <= clause.MaxWindows {
			u.usage.windows += n
		}
		if r.Expression != "" {
			u.usage.expressions++
			u.usage.expressionBytes += min(len(r.Expression), clause.MaxExpression)
		}
	}
	return c.spend(&u.usage, u.at())
}

// spend is false if a tenant would be over a limit.
func (c *compiler) spend(u *usage, at problem.Path) bool {
	total := c.program.usage.plus(*u)
	if limit := total.exceeded(); limit != "" {
		c.problems.Add(at, "", problem.Invalid, "%s", limit)
		c.program.whole = false
		*u = usage{}
		return false
	}
	c.program.usage = total
	return true
}
