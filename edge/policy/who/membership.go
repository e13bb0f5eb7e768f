package who

import (
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy/incremental"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// Membership is the groups of one person, beside those that have the person
// among their members: one changes without touching the others.
type Membership struct {
	User   string // e-mail address
	Groups []string
}

// Key is the address, canonical if it is one.
func (m *Membership) Key() string {
	if email, ok := CanonicalEmail(m.User); ok {
		return email
	}
	return m.User
}

// Memberships notes the groups of people. Those of before are looked at again if
// they had a problem, or all if a group is no more.
func (d *Draft) Memberships(delta *incremental.Delta[Membership]) {
	lostGroup := slices.ContainsFunc(d.lost, func(p problem.Place) bool { return p.Kind == problem.Group })
	if !delta.Changed() && len(d.uncertain) == 0 && !lostGroup {
		return
	}
	table := d.memberships.Edit()
	d.populate(delta)
	for _, m := range delta.Gone {
		d.problems.Forget(problem.Place{Kind: problem.Membership, ID: m.User})
		table.Remove(m.Key())
	}
	look := delta.List
	if !lostGroup {
		look = slices.Clone(delta.Come)
		for _, m := range d.uncertain {
			if !slices.Contains(delta.Gone, m) {
				look = append(look, m)
			}
		}
	}
	d.uncertain, d.doubtful = nil, nil
	for _, m := range look {
		table.Set(m.Key(), m)
		d.problems.Forget(problem.Place{Kind: problem.Membership, ID: m.User})
		d.membership(m)
	}
	for _, m := range delta.Twice {
		d.membership(m)
		d.problems.Add(problem.In(problem.Membership, m.User), "", problem.Invalid, "the groups of %s are there twice", problem.Quote(m.User))
		// Both may be meant.
		first, _ := table.Get(m.Key())
		table.Set(m.Key(), &Membership{User: m.User, Groups: slices.Concat(first.Groups, m.Groups)})
	}
	d.memberships = table.Table
}

// populate counts the memberships of groups.
func (d *Draft) populate(delta *incremental.Delta[Membership]) {
	counts := map[string]int{}
	for _, m := range delta.Gone {
		for _, id := range m.Groups {
			counts[id]--
		}
	}
	for _, m := range slices.Concat(delta.Come, delta.Twice) {
		for _, id := range m.Groups {
			counts[id]++
		}
	}
	table := d.populated.Edit()
	for id, n := range counts {
		before, _ := table.Get(id)
		switch {
		case before+n == 0:
			table.Remove(id)
		case n != 0:
			table.Set(id, before+n)
		}
	}
	d.populated = table.Table
}

// membership adds what is wrong. Whose address is not understood may be anybody:
// of the groups, nobody then surely is not a member.
func (d *Draft) membership(m *Membership) {
	at := problem.In(problem.Membership, m.User)
	_, ok := CanonicalEmail(m.User)
	if !ok {
		d.problems.Add(at, "user", problem.Invalid, NotEmail, problem.Quote(m.User))
	}
	for i, id := range m.Groups {
		g, exists := d.groups.ids[id]
		switch {
		case !exists:
			d.problems.Missing(at, problem.Item("groups", i), problem.Missing{Kind: problem.Group, ID: id})
		case !ok:
			d.doubtful = append(d.doubtful, g)
		}
	}
	if d.problems.At(at.Place) {
		d.uncertain = append(d.uncertain, m)
	}
}
