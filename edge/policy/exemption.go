package policy

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

// exemption is a compiled [Exemption].
type exemption struct {
	src        *Exemption
	principals []who.Atom
	apps       []string // in order; nil: all
}

// inScope says whether a rule's scope, which the index says is not false, is
// still not false when exemptions are taken from it. An exemption that is not
// sure takes nothing.
func (r *rule) inScope(f *facts) bool {
	for i := range r.exemptions {
		if r.exemptions[i].eval(f) == True {
			return false
		}
	}
	return true
}

func (e *exemption) eval(f *facts) Truth {
	if e.apps != nil {
		if _, found := slices.BinarySearch(e.apps, f.app); !found {
			return False
		}
	}
	t := f.Who.IsAny(e.principals)
	if t != False && !e.src.NotAfter.IsZero() {
		t = min(t, f.Before(e.src.NotAfter))
	}
	return t
}

func (c *compiler) exemptions(u *unit) {
	list := u.policy.Exemptions
	if list != nil && !u.rail() {
		c.problems.Add(u.at(), "exemptions", problem.Invalid, "exemptions are for policies that select by labels; a policy by name can name whom it means")
	}
	if len(list) > maxExemptions {
		c.problems.Add(u.at(), "exemptions", problem.Invalid, "there are %d, and at most %d are possible", len(list), maxExemptions)
		return
	}
	seen := map[string]bool{}
	for i := range list {
		src, at := &list[i], u.at().Of("exemptions", i)
		switch {
		case src.ID == "":
			c.problems.Add(at, "id", problem.Required, "an exemption has an id")
		case seen[src.ID]:
			c.problems.Add(at, "id", problem.Invalid, "exemption %s is there twice", problem.Quote(src.ID))
		}
		seen[src.ID] = true
		if c.problems.Length(at, "apps", src.Apps, maxExemptApps) {
			for j, id := range src.Apps {
				c.appNamed(id, at, "apps", j)
			}
		}
		e := exemption{src: src, principals: c.principals(src.Principals, at)}
		if src.Apps != nil {
			e.apps = slices.Sorted(slices.Values(src.Apps))
		}
		u.exemptions = append(u.exemptions, e)
	}
	// The order of writing never matters, not even for what is told.
	slices.SortStableFunc(u.exemptions, func(a, b exemption) int { return strings.Compare(a.src.ID, b.src.ID) })
}
