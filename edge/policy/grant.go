package policy

import (
	"slices"
	"strings"
)

// grantUnit is a compiled [Grant].
type grantUnit struct {
	unit
	src  *Grant
	rule *rule
}

// addGrants compiles the grants that are new, and those that depend on what has
// changed.
func (c *compiler) addGrants() {
	units := c.before.grants.edit()
	stale := c.staleGrants()
	for _, src := range slices.Concat(c.grants.gone, stale) {
		u, _ := units.get(src.ID)
		units.remove(src.ID)
		c.forget(grantKind, src.ID)
		c.leavingGrants[u] = true
		c.dirty[src.App] = true
	}
	for _, src := range slices.Concat(c.grants.come, stale) {
		u := c.newGrant(src)
		units.set(src.ID, u)
		c.joinGrant(u)
	}
	for _, src := range c.grants.twice {
		u := &grantUnit{src: src, unit: unit{faulty: true}}
		c.report(path{place: place{grantKind, src.ID}}, "", ProblemInvalid, "grant %s is there twice", quote(src.ID))
		c.joinGrant(u)
	}
	c.program.grants = units.table
}

func (c *compiler) joinGrant(u *grantUnit) {
	if u.dangling {
		c.program.danglingGrants[u.src] = true
	}
	c.joiningGrants[u.src.App] = append(c.joiningGrants[u.src.App], u)
	c.dirty[u.src.App] = true
}

func (c *compiler) staleGrants() []*Grant {
	stale := map[*Grant]bool{}
	for src := range c.before.danglingGrants {
		stale[src] = true
	}
	for id, now := range c.appByID {
		before, was := c.before.apps.get(id)
		if !was || now == nil {
			continue
		}
		for _, u := range before.grants {
			if len(c.missingOperations([]string{id}, []Rule{*u.rule.src})) > 0 {
				stale[u.src] = true
			}
		}
	}
	if len(c.lost) > 0 {
		for _, u := range c.before.grants.all {
			if slices.ContainsFunc(u.needs, func(n need) bool { return c.lost[n] }) {
				stale[u.src] = true
			}
		}
	}
	for _, src := range c.grants.gone {
		delete(stale, src)
	}
	var list []*Grant
	for src := range stale {
		list = append(list, src)
	}
	slices.SortFunc(list, func(a, b *Grant) int { return strings.Compare(a.ID, b.ID) })
	return list
}

func (c *compiler) newGrant(src *Grant) *grantUnit {
	u, at := &grantUnit{src: src}, path{place: place{grantKind, src.ID}}
	c.unit = &u.unit
	if src.ID == "" {
		c.report(at, "", ProblemRequired, "a grant has an id")
	}
	c.appNamed(src.App, at, "app", -1)
	if src.NotAfter.IsZero() {
		c.report(at, "not_after", ProblemRequired, "a grant has an end")
	}
	written := &Rule{
		ID: src.ID, Effect: AllowEffect, Principals: src.Principals, Roles: src.Roles, Operations: src.Operations,
	}
	u.rule = &rule{
		grant: src, src: written, effect: allows,
		principals: c.principals(src.Principals, at), picks: c.picks(src.Roles, src.Operations, at),
		requirement: requirementOf([]condition{c.notBefore(src.NotBefore), c.notAfter(src.NotBefore, src.NotAfter, at, "not_after")}, nil, nil),
	}
	c.reportOperations(at, src.Operations, c.missingOperations([]string{src.App}, []Rule{*written}), []string{src.App})
	u.faulty = u.faulty || c.faulty(at.place)
	return u
}
