package policy

import (
	"maps"
	"slices"
	"strings"
)

// addApps makes the apps that are new, and those whose rules have changed.
func (c *compiler) addApps() {
	p := c.program
	apps := c.before.apps.edit()
	for _, src := range c.apps.gone {
		a, _ := apps.get(src.ID)
		apps.remove(src.ID)
		c.forget(appKind, src.ID)
		p.usage = p.usage.minus(a.usage)
	}
	for _, src := range c.apps.come {
		c.dirty[src.ID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(c.dirty)) {
		if src := c.app(id); src != nil {
			before, there := c.before.apps.get(id)
			if there && before.src == src {
				c.forget(appKind, id)
				p.usage = p.usage.minus(before.usage)
			}
			apps.set(id, c.newApp(src, before))
		}
	}
	for _, src := range c.apps.twice {
		c.report(path{place: place{appKind, src.ID}}, "", ProblemInvalid, "app %s is there twice", quote(src.ID))
		a, _ := apps.get(src.ID)
		a.refusal, a.operations, a.shadows = DenyAppClosed, nil, nil
	}
	p.apps = apps.table
}

func (c *compiler) newApp(src *App, before *app) *app {
	a := &app{src: src}
	understood := c.checkApp(src)
	var enforced, shadows []*policyUnit
	for _, u := range c.policiesOf(src, before) {
		switch {
		case !u.shadow():
			enforced = append(enforced, u)
			understood = understood && !u.faulty
		case !u.faulty:
			shadows = append(shadows, u)
		}
		a.policies = append(a.policies, u)
	}
	a.grants = c.grantsOf(src, before)
	for _, g := range a.grants {
		understood = understood && !g.faulty
	}
	switch {
	case src.Closed || !understood:
		a.refusal = DenyAppClosed
	case src.Disabled:
		a.refusal = DenyAppDisabled
	case len(enforced)+len(a.grants) == 0:
		a.refusal = DenyNoPolicy
	}
	if a.refusal == DenyAppClosed || a.refusal == DenyAppDisabled {
		return a
	}
	rules := a.rules(enforced)
	for _, r := range rules {
		a.usage.placements += (1 + len(shadows)) * len(r.principals) * len(src.operations())
	}
	for _, u := range shadows {
		for _, r := range u.rules {
			a.usage.placements += len(r.principals) * len(src.operations())
		}
	}
	if !c.spend(&a.usage, path{place: place{appKind, src.ID}}) {
		a.refusal = DenyAppClosed
		return a
	}
	a.operations = a.place(rules)
	for _, u := range shadows {
		a.shadows = append(a.shadows, shadow{u, a.place(a.rules(inPolicyOrder(append(slices.Clone(enforced), u))))})
	}
	return a
}

// rules returns the rules of policies and of the app's grants, in order.
func (a *app) rules(policies []*policyUnit) []*rule {
	n := len(a.grants)
	for _, u := range policies {
		n += len(u.rules)
	}
	list := make([]*rule, 0, n)
	for _, u := range policies {
		list = append(list, u.rules...)
	}
	for _, g := range a.grants {
		list = append(list, g.rule)
	}
	return list
}

// policiesOf returns the policies that reach an app, in order of ids.
func (c *compiler) policiesOf(src *App, before *app) []*policyUnit {
	var list []*policyUnit
	if before != nil {
		for _, u := range before.policies {
			if !c.leaving[u] && slices.Contains(u.src.Apps, src.ID) {
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
	return inPolicyOrder(list)
}

func (c *compiler) grantsOf(src *App, before *app) []*grantUnit {
	var list []*grantUnit
	if before != nil {
		for _, u := range before.grants {
			if !c.leavingGrants[u] {
				list = append(list, u)
			}
		}
	}
	list = append(list, c.joiningGrants[src.ID]...)
	slices.SortStableFunc(list, func(a, b *grantUnit) int { return strings.Compare(a.src.ID, b.src.ID) })
	return list
}

// checkApp is false if an app is not understood.
func (c *compiler) checkApp(src *App) bool {
	at := path{place: place{appKind, src.ID}}
	if src.ID == "" {
		c.report(at, "", ProblemRequired, "an app has an id")
	}
	if len(src.Operations) > maxAppOperations {
		c.report(at, "operations", ProblemInvalid, "there are %d, and at most %d are possible", len(src.Operations), maxAppOperations)
		return false
	}
	seen := make(map[string]bool, len(src.Operations))
	for i, op := range src.Operations {
		at := at.of("operations", i)
		switch {
		case op.ID == "":
			c.report(at, "id", ProblemRequired, "an operation has an id")
		case len(op.ID) > maxName:
			c.report(at, "id", ProblemInvalid, "a name has at most %d bytes", maxName)
		case seen[op.ID]:
			c.report(at, "id", ProblemInvalid, "operation %s is there twice", quote(op.ID))
		case !op.Access.valid():
			c.report(at, "access", ProblemInvalid, notAccess)
		}
		seen[op.ID] = true
	}
	return !c.faulty(at.place)
}
