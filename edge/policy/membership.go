package policy

import "slices"

// email is the address of a membership, canonical if it is one.
func (m *Membership) email() string {
	if email, ok := CanonicalEmail(m.User); ok {
		return email
	}
	return m.User
}

// addMemberships notes the groups of people. Those of before are looked at
// again if they had a problem, or all if a group is no more.
func (c *compiler) addMemberships() {
	if !c.memberships.changed() && len(c.before.uncertain) == 0 && !c.lostGroup() {
		c.program.directory.memberships = c.before.directory.memberships
		return
	}
	d := c.before.directory.memberships.edit()
	for _, m := range c.memberships.gone {
		c.forget(membershipKind, m.User)
		d.remove(m.email())
	}
	look := c.memberships.list
	if !c.lostGroup() {
		look = slices.Clone(c.memberships.come)
		for _, m := range c.before.uncertain {
			if !slices.Contains(c.memberships.gone, m) {
				look = append(look, m)
			}
		}
	}
	for _, m := range look {
		d.set(m.email(), m)
		c.checkMembership(m)
	}
	for _, m := range c.memberships.twice {
		c.checkMembership(m)
		c.report(path{place: place{membershipKind, m.User}}, "", ProblemInvalid, "the groups of %s are there twice", quote(m.User))
		// Both may be meant.
		first, _ := d.get(m.email())
		d.set(m.email(), &Membership{User: m.User, Groups: slices.Concat(first.Groups, m.Groups)})
	}
	c.program.directory.memberships = d.table
}

// checkMembership reports what is wrong. Whose address is not understood may be
// anybody: of the groups, nobody then surely is not a member.
func (c *compiler) checkMembership(m *Membership) {
	at := path{place: place{membershipKind, m.User}}
	c.forget(at.kind, at.id)
	_, ok := CanonicalEmail(m.User)
	if !ok {
		c.report(at, "user", ProblemInvalid, notEmail, quote(m.User))
	}
	for i, id := range m.Groups {
		g, exists := c.program.directory.groups.ids[id]
		switch {
		case !exists:
			c.missing(at, item("groups", i), groupKind, id)
		case !ok:
			c.program.directory.doubtful = append(c.program.directory.doubtful, g)
		}
	}
	if c.faulty(at.place) {
		c.program.uncertain = append(c.program.uncertain, m)
	}
}
