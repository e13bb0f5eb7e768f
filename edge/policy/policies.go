package policy

import (
	"slices"
	"strings"
)

// addPolicies compiles the policies that are new, and those that depend on what
// has changed.
func (c *compiler) addPolicies() {
	p := c.program
	units := c.before.policies.edit()
	p.dangling = map[*Policy]bool{}
	stale := c.stalePolicies()
	for _, src := range slices.Concat(c.policies.gone, stale) {
		u, _ := units.get(src.ID)
		units.remove(src.ID)
		c.forget(policyKind, src.ID)
		p.usage = p.usage.minus(u.usage)
		c.leaving[u] = true
		c.touch(u)
	}
	for _, src := range slices.Concat(c.policies.come, stale) {
		u := c.newPolicy(src)
		units.set(src.ID, u)
		c.join(u)
	}
	for _, src := range c.policies.twice {
		u := &policyUnit{src: src, unit: unit{faulty: true}}
		c.report(u.at(), "", ProblemInvalid, "policy %s is there twice", quote(src.ID))
		c.join(u)
	}
	p.policies = units.table
	c.addRails()
}

// stalePolicies are those that stay as they are written, but that name what has
// changed.
func (c *compiler) stalePolicies() []*Policy {
	stale := map[*Policy]bool{}
	for src := range c.before.dangling {
		stale[src] = true
	}
	for id, now := range c.appByID {
		before, was := c.before.apps.get(id)
		if !was || now == nil {
			continue // who named it is dangling, or will be
		}
		for _, u := range before.policies {
			if !u.rail() && len(c.missingOperations(u.src.Apps, u.src.Rules)) > 0 {
				stale[u.src] = true
			}
		}
	}
	if len(c.lost) > 0 {
		for _, u := range c.before.policies.all {
			if slices.ContainsFunc(u.needs, func(n need) bool { return c.lost[n] }) {
				stale[u.src] = true
			}
		}
	}
	for _, src := range c.policies.gone {
		delete(stale, src)
	}
	var list []*Policy
	for src := range stale {
		list = append(list, src)
	}
	slices.SortFunc(list, func(a, b *Policy) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// join attaches a policy that is new.
func (c *compiler) join(u *policyUnit) {
	if u.dangling {
		c.program.dangling[u.src] = true
	}
	for _, id := range u.src.Apps {
		c.joining[id] = append(c.joining[id], u)
	}
	if u.rail() {
		c.railing = append(c.railing, u)
	}
	c.touch(u)
}

// touch marks the apps that a policy reaches to be made again.
func (c *compiler) touch(u *policyUnit) {
	for _, id := range u.src.Apps {
		c.dirty[id] = true
	}
	if u.rail() {
		c.railsChanged = append(c.railsChanged, u)
	}
}

// addRails brings guard-rails up to date. What one of them reaches can only be
// told by looking at each app.
func (c *compiler) addRails() {
	c.program.rails = c.before.rails
	if len(c.railsChanged) == 0 {
		return
	}
	rails := slices.DeleteFunc(slices.Clone(c.before.rails), func(u *policyUnit) bool { return c.leaving[u] })
	c.program.rails = inPolicyOrder(append(rails, c.railing...))
	for _, a := range c.apps.list {
		if slices.ContainsFunc(c.railsChanged, func(u *policyUnit) bool { return u.reaches(a) }) {
			c.dirty[a.ID] = true
		}
	}
}

func inPolicyOrder(units []*policyUnit) []*policyUnit {
	slices.SortStableFunc(units, func(a, b *policyUnit) int { return strings.Compare(a.src.ID, b.src.ID) })
	return slices.Compact(units)
}
