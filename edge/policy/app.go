package policy

import (
	"maps"
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// addApps makes the apps that are new, and those whose rules have changed.
func (c *compiler) addApps() {
	p := c.program
	apps := c.before.apps.Edit()
	for _, src := range c.apps.Gone {
		a, _ := apps.Get(src.ID)
		apps.Remove(src.ID)
		c.problems.Forget(problem.Place{Kind: problem.App, ID: src.ID})
		p.usage = p.usage.minus(a.usage)
	}
	for _, src := range c.apps.Come {
		c.dirty[src.ID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(c.dirty)) {
		if src := c.app(id); src != nil {
			before, there := c.before.apps.Get(id)
			if there && before.src == src {
				c.problems.Forget(problem.Place{Kind: problem.App, ID: id})
				p.usage = p.usage.minus(before.usage)
			}
			apps.Set(id, c.newApp(src, before))
		}
	}
	for _, src := range c.apps.Twice {
		c.problems.Add(problem.In(problem.App, src.ID), "", problem.Invalid, "app %s is there twice", problem.Quote(src.ID))
		a, _ := apps.Get(src.ID)
		a.refusal, a.operations, a.shadows = DenyAppClosed, nil, nil
	}
	p.apps = apps.Table
}

func (c *compiler) newApp(src *App, before *app) *app {
	a := &app{src: src, units: c.unitsOf(src, before)}
	understood := c.checkApp(src)
	var enforced, shadows []*unit
	for _, u := range a.units {
		switch {
		case !u.shadow():
			enforced = append(enforced, u)
			understood = understood && !u.faulty
		case !u.faulty:
			shadows = append(shadows, u)
		}
	}
	if n := len(shadows); n > maxShadows {
		c.problems.Add(problem.In(problem.App, src.ID), "", problem.Invalid,
			"%d policies in SHADOW mode reach it, and at most %d are possible: delete some, or enforce them", n, maxShadows)
		shadows = shadows[:maxShadows]
	}
	switch {
	case src.Closed || !understood:
		a.refusal = DenyAppClosed
		return a
	case src.Disabled:
		a.refusal = DenyAppDisabled
		return a
	case len(enforced) == 0:
		a.refusal = DenyNoPolicy
	}
	a.usage.placements = (1 + len(shadows)) * src.placements(enforced)
	for _, u := range shadows {
		a.usage.placements += src.placements([]*unit{u})
	}
	if !c.spend(&a.usage, problem.In(problem.App, src.ID)) {
		a.refusal = DenyAppClosed
		return a
	}
	placing := newPlacing(src.operations())
	a.operations = placing.place(enforced)
	if !placing.affordable(c.problems, problem.In(problem.App, src.ID)) {
		a.refusal, a.operations = DenyAppClosed, nil
		return a
	}
	for _, u := range shadows {
		placed := placing.place(inOrder(append(slices.Clone(enforced), u)))
		if !placing.affordable(c.problems, problem.In(problem.App, src.ID)) {
			break // nothing is enforced less without them
		}
		a.shadows = append(a.shadows, shadow{u, placed})
	}
	return a
}

// unitsOf returns the units that reach an app, in order.
func (c *compiler) unitsOf(src *App, before *app) []*unit {
	var list []*unit
	if before != nil {
		for _, u := range before.units {
			if !c.leaving[u] && slices.Contains(u.policy.Apps, src.ID) {
				list = append(list, u)
			}
		}
	}
	list = append(list, c.joining[src.ID]...)
	for _, u := range c.program.rails {
		if u.reaches(src) {
			list = append(list, u)
		}
	}
	return inOrder(list)
}

// checkApp is false if an app is not understood.
func (c *compiler) checkApp(src *App) bool {
	at := problem.In(problem.App, src.ID)
	if src.ID == "" {
		c.problems.Add(at, "", problem.Required, "an app has an id")
	}
	if len(src.Operations) > maxAppOperations {
		c.problems.Add(at, "operations", problem.Invalid, "there are %d, and at most %d are possible", len(src.Operations), maxAppOperations)
		return false
	}
	seen := make(map[string]bool, len(src.Operations))
	for i, op := range src.Operations {
		at := at.Of("operations", i)
		switch {
		case op.ID == "":
			c.problems.Add(at, "id", problem.Required, "an operation has an id")
		case len(op.ID) > maxName:
			c.problems.Add(at, "id", problem.Invalid, "a name has at most %d bytes", maxName)
		case seen[op.ID]:
			c.problems.Add(at, "id", problem.Invalid, "operation %s is there twice", problem.Quote(op.ID))
		case !op.Access.valid():
			c.problems.Add(at, "access", problem.Invalid, notAccess)
		}
		seen[op.ID] = true
	}
	return !c.problems.At(at.Place)
}
