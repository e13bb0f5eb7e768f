package policy

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// unit is a policy or a grant, compiled for itself: it is made again only if it
// is written again, or what it names has changed.
type unit struct {
	needs    []need // what it names
	dangling bool   // it names what does not exist
	faulty   bool   // it is not understood: what it bears on is closed
	usage    usage
}

// policyUnit is a compiled [Policy].
type policyUnit struct {
	unit
	src        *Policy
	rules      []*rule     // in order of ids
	exemptions []exemption // in order of ids
}

func (u *policyUnit) rail() bool   { return u.src.Selector != nil }
func (u *policyUnit) shadow() bool { return u.src.Mode == Shadow }
func (u *policyUnit) at() path     { return path{place: place{policyKind, u.src.ID}} }

// reaches says whether a guard-rail is for an app. A requirement that is not
// understood matches, as does a label that is not set.
func (u *policyUnit) reaches(a *App) bool {
	for _, want := range u.src.Selector {
		value, set := a.Labels[want.Key]
		switch {
		case !set && want.Unset == UnsetMatchesNot, set && len(want.Values) > 0 && !slices.Contains(want.Values, value):
			return false
		}
	}
	return u.rail()
}

func (c *compiler) newPolicy(src *Policy) *policyUnit {
	u := &policyUnit{src: src}
	c.unit = &u.unit
	if src.ID == "" {
		c.report(u.at(), "", ProblemRequired, "a policy has an id")
	}
	switch src.Mode {
	case Enforced, Shadow, "":
	default:
		c.report(u.at(), "mode", ProblemInvalid, "a mode is ENFORCED or SHADOW")
	}
	c.attachment(u)
	c.exemptions(u)
	if c.affordable(u) {
		c.rules(u)
	}
	u.faulty = u.faulty || c.faulty(u.at().place)
	return u
}

func (c *compiler) attachment(u *policyUnit) {
	src, at := u.src, u.at()
	switch {
	case len(src.Apps) > 0 && src.Selector != nil:
		c.report(at, "selector", ProblemInvalid, "a policy has apps or a selector, not both")
	case len(src.Apps) == 0 && len(src.Selector) == 0:
		c.report(at, "apps", ProblemRequired, "a policy names its apps, or selects them by labels; an empty list is never all of them")
	case len(src.Selector) > maxRequirement:
		c.report(at, "selector", ProblemInvalid, "there are %d labels, and at most %d are possible", len(src.Selector), maxRequirement)
		return
	}
	for i, id := range src.Apps {
		c.appNamed(id, at, "apps", i)
	}
	for i, want := range src.Selector {
		at := at.of("selector", i)
		if want.Key == "" {
			c.report(at, "key", ProblemRequired, "a label has a key")
		}
		if len(want.Values) == 0 {
			c.report(at, "values", ProblemRequired, emptyList)
		}
		if len(want.Values) > maxValues {
			c.report(at, "values", ProblemInvalid, "there are %d, and at most %d are possible", len(want.Values), maxValues)
		}
		switch want.Unset {
		case UnsetMatches, UnsetMatchesNot, "":
		default:
			c.report(at, "unset", ProblemInvalid, "unset is MATCH or NO_MATCH")
		}
	}
}

// affordable counts what a policy uses before it is compiled.
func (c *compiler) affordable(u *policyUnit) bool {
	switch n := len(u.src.Rules); {
	case n == 0:
		c.report(u.at(), "rules", ProblemRequired, "a policy has rules; to give no access, delete it")
		return false
	case n > maxRules:
		c.report(u.at(), "rules", ProblemInvalid, "there are %d, and at most %d are possible", n, maxRules)
		return false
	}
	for i := range u.src.Rules {
		r := &u.src.Rules[i]
		// What is too long for a rule is not compiled.
		if n := len(r.Conditions.SourceCIDRs); n <= maxNetworks {
			u.usage.networks += n
		}
		if n := len(r.Conditions.TimeWindows); n <= window.Max {
			u.usage.windows += n
		}
		if r.Expression != "" {
			u.usage.expressions++
		}
	}
	return c.spend(&u.usage, u.at())
}

// spend is false if a tenant would be over a limit.
func (c *compiler) spend(u *usage, at path) bool {
	total := c.program.usage.plus(*u)
	if limit := total.exceeded(); limit != "" {
		c.report(at, "", ProblemInvalid, "%s", limit)
		c.program.whole = false
		*u = usage{}
		return false
	}
	c.program.usage = total
	return true
}

func (c *compiler) rules(u *policyUnit) {
	order := make([]int, len(u.src.Rules))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return strings.Compare(u.src.Rules[i].ID, u.src.Rules[j].ID) })
	missing := c.missingOperations(u.src.Apps, u.src.Rules)
	for k, i := range order {
		src, at := &u.src.Rules[i], u.at().of("rules", i)
		switch {
		case src.ID == "":
			c.report(at, "id", ProblemRequired, "a rule has an id")
		case k > 0 && u.src.Rules[order[k-1]].ID == src.ID:
			c.report(at, "id", ProblemInvalid, "rule %s is there twice", quote(src.ID))
		}
		u.rules = append(u.rules, c.rule(u, src, at, missing))
	}
}

func (c *compiler) rule(u *policyUnit, src *Rule, at path, missing map[string]bool) *rule {
	r := &rule{unit: u, src: src, policy: u.src.ID, id: src.ID, remediation: src.Remediation, exemptions: u.exemptions, effect: effectOf(src.Effect)}
	switch {
	case src.Effect != AllowEffect && src.Effect != DenyEffect && src.Effect != RequireEffect:
		c.report(at, "effect", ProblemInvalid, "an effect is ALLOW, DENY or REQUIRE")
	case src.Effect == AllowEffect && u.rail():
		c.report(at, "effect", ProblemInvalid, "a policy that selects by labels refuses and requires; to allow, name the apps")
	}
	r.principals = c.principals(src.Principals, at)
	r.public = slices.Contains(r.principals, anyone)
	r.picks = c.picks(src.Roles, src.Operations, at)
	c.reportOperations(at, src.Operations, missing, u.src.Apps)
	r.requirement = c.requirement(src, at)
	if src.Effect == RequireEffect && src.Conditions.none() && src.Expression == "" {
		c.report(at, "conditions", ProblemRequired, "a REQUIRE rule says what is required")
	}
	c.checkText(at, "description", src.Description)
	c.checkText(at, "remediation", src.Remediation)
	return r
}

func (c *compiler) checkText(at path, field, text string) {
	if len(text) > maxText {
		c.report(at, field, ProblemInvalid, "a text has at most %d bytes; this has %d", maxText, len(text))
	}
}

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
