package policy

import "slices"

// Reaches reports whether a policy is for an app: it names it, or it is a
// guard-rail whose labels the app has.
func (p *Policy) Reaches(a *App) bool {
	return slices.Contains(p.Apps, a.ID) || (&unit{policy: p}).reaches(a)
}
