package policy

import "slices"

// addRule compiles a rule for the apps of its policy. It returns false if the
// rule depends on a role that has a problem of its own.
func (c *compiler) addRule(policy string, src Rule, field string, apps []string) bool {
	compiled := &rule{policy: policy, id: src.ID, remediation: src.Remediation}
	atoms := c.principals(src.Principals, field)
	selectors, understood := c.selectors(src, field, apps)
	compiled.clauses = c.clauses(src.Conditions, field+".conditions")
	switch src.Effect {
	case AllowEffect, DenyEffect:
	case RequireEffect:
		if len(compiled.clauses) == 0 && src.Conditions.none() {
			c.report(field+".conditions", ProblemRequired, "", "a REQUIRE rule says what is required")
		}
	default:
		c.report(field+".effect", ProblemInvalid, "", "an effect is ALLOW, DENY or REQUIRE")
	}
	for _, id := range apps {
		for name, op := range c.program.apps[id].operations {
			if slices.ContainsFunc(selectors, func(s selector) bool { return s.picks(name, c.accessOf[id][name]) }) {
				op.add(src.Effect, atoms, compiled)
			}
		}
	}
	return understood
}

func (op *operation) add(effect Effect, atoms []atom, r *rule) {
	list := &op.deny
	switch effect {
	case AllowEffect:
		list = &op.allow
		if op.remediation == "" {
			op.remediation = r.remediation
		}
	case RequireEffect:
		list = &op.require
	}
	for _, a := range atoms {
		*list = append(*list, candidate{a, r})
	}
	for _, cl := range r.clauses {
		if !cl.from.IsZero() {
			op.boundaries = append(op.boundaries, cl.from)
		}
		if !cl.until.IsZero() {
			op.boundaries = append(op.boundaries, cl.until)
		}
	}
}
