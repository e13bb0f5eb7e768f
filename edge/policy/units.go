package policy

import (
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// addUnits compiles the policies and grants that are new, and those that depend
// on what has changed.
func (c *compiler) addUnits() {
	units := c.before.units.Edit()
	stale := c.stale()
	for _, u := range slices.Concat(c.gone(), stale) {
		units.Remove(u.String())
		c.problems.Forget(u.Place)
		c.program.usage = c.program.usage.minus(u.usage)
		c.leaving[u] = true
		c.touch(u)
	}
	c.program.dangling = map[*unit]bool{}
	add := func(u *unit) {
		units.Set(u.String(), u)
		c.join(u)
	}
	for _, u := range stale {
		add(c.again(u))
	}
	for _, src := range c.policies.Come {
		add(c.newPolicy(src))
	}
	for _, src := range c.grants.Come {
		add(c.newGrant(src))
	}
	for _, src := range c.policies.Twice {
		c.joinTwice(&unit{Place: problem.Place{Kind: problem.Policy, ID: src.ID}, policy: src})
	}
	for _, src := range c.grants.Twice {
		c.joinTwice(&unit{Place: problem.Place{Kind: problem.Grant, ID: src.ID}, policy: &Policy{ID: src.ID, Apps: []string{src.App}}, grant: src})
	}
	c.program.units = units.Table
	c.addRails()
}

func (c *compiler) again(u *unit) *unit {
	if u.grant != nil {
		return c.newGrant(u.grant)
	}
	return c.newPolicy(u.policy)
}

func (c *compiler) gone() (list []*unit) {
	for _, src := range c.policies.Gone {
		list = append(list, c.unitOf(problem.Policy, src.ID))
	}
	for _, src := range c.grants.Gone {
		list = append(list, c.unitOf(problem.Grant, src.ID))
	}
	return list
}

func (c *compiler) unitOf(kind problem.Kind, id string) *unit {
	u, _ := c.before.units.Get(problem.Place{Kind: kind, ID: id}.String())
	return u
}

// stale are the units that stay as they are written, but that name what has
// changed.
func (c *compiler) stale() []*unit {
	found := map[*unit]bool{}
	for u := range c.before.dangling {
		found[u] = true
	}
	for id, now := range c.appByID {
		before, was := c.before.apps.Get(id)
		if !was || now == nil {
			continue // who named it is dangling, or lost it
		}
		for _, u := range before.units {
			if len(c.missingOperations(u.policy)) > 0 {
				found[u] = true
			}
		}
	}
	if len(c.lost) > 0 {
		for _, u := range c.before.units.All {
			if slices.ContainsFunc(u.needs, func(n problem.Place) bool { return c.lost[n] }) {
				found[u] = true
			}
		}
	}
	for _, u := range c.gone() {
		delete(found, u)
	}
	var list []*unit
	for u := range found {
		list = append(list, u)
	}
	return inOrder(list)
}

// join attaches a unit that is new.
func (c *compiler) join(u *unit) {
	if u.dangling {
		c.program.dangling[u] = true
	}
	for _, id := range u.policy.Apps {
		c.joining[id] = append(c.joining[id], u)
	}
	c.touch(u)
}

// joinTwice attaches a unit whose id is that of another: it closes what it
// reaches.
func (c *compiler) joinTwice(u *unit) {
	c.problems.Add(u.at(), "", problem.Invalid, "%s %s is there twice", u.Kind, problem.Quote(u.ID))
	u.faulty = true
	c.join(u)
}

// touch marks the apps that a unit reaches to be made again.
func (c *compiler) touch(u *unit) {
	for _, id := range u.policy.Apps {
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
	rails := slices.Concat(c.before.rails, c.railsChanged)
	c.program.rails = inOrder(slices.DeleteFunc(rails, func(u *unit) bool { return c.leaving[u] }))
	for _, a := range c.apps.List {
		if slices.ContainsFunc(c.railsChanged, func(u *unit) bool { return u.reaches(a) }) {
			c.dirty[a.ID] = true
		}
	}
}
