package policy

import "slices"

// Reaches reports whether a policy is for an app: it names it, or it is a
// guard-rail whose labels the app has.
func (p *Policy) Reaches(a *App) bool {
	return slices.Contains(p.Apps, a.ID) || (&unit{policy: p}).reaches(a)
}

// Picks reports whether a rule is about an operation of an app that it reaches.
func (p *Program) Picks(r *Rule, o Operation) bool {
	named := selector{names: r.Operations}
	return named.picks(o) || slices.ContainsFunc(r.Roles, func(id string) bool {
		role := p.roles[id]
		return role != nil && role.picks.picks(o)
	})
}
