package policy

import "slices"

// groups is who is in which group, but for memberships.
type groups struct {
	ids     map[string]atom
	names   map[atom]string     // the other way round
	direct  map[term][]atom     // groups that have the term as a member
	parents map[atom][]atom     // groups that have the group as a member
	claims  map[string][]string // by provider: the claim values that groups have as members
	broken  []atom              // groups that are not understood: who is not surely in one is perhaps in it
}

// addGroups numbers the groups and notes who is in which. What a group's
// members are is small: people in numbers come as memberships.
func (c *compiler) addGroups() {
	g := c.before.directory.groups
	if c.groups.changed() || c.namesChanged {
		g = c.newGroups()
	}
	for _, src := range c.groups.gone {
		if _, ok := g.ids[src.ID]; !ok {
			c.lost[need{groupKind, src.ID}] = true
		}
	}
	c.program.directory.groups = g
}

func (c *compiler) newGroups() *groups {
	g := &groups{
		ids: make(map[string]atom, len(c.groups.list)), names: make(map[atom]string, len(c.groups.list)),
		direct: map[term][]atom{}, parents: map[atom][]atom{}, claims: map[string][]string{},
	}
	for _, src := range slices.Concat(c.groups.gone, c.groups.list) {
		c.forget(groupKind, src.ID)
	}
	for _, src := range c.groups.list {
		a := c.numbers.of(groupTerm(src.ID))
		g.ids[src.ID], g.names[a] = a, src.ID
	}
	for _, src := range c.groups.list {
		if src.ID == "" {
			c.report(path{place: place{groupKind, ""}}, "", ProblemRequired, "a group has an id")
		}
		for i := range src.Members {
			c.addMember(g, g.ids[src.ID], &src.Members[i], path{place{groupKind, src.ID}, "members", i})
		}
	}
	for _, src := range c.groups.twice {
		c.report(path{place: place{groupKind, src.ID}}, "", ProblemInvalid, "group %s is there twice", quote(src.ID))
	}
	tangled := c.checkNesting()
	for _, src := range c.groups.list {
		if tangled[src.ID] || c.faulty(place{groupKind, src.ID}) {
			g.broken = append(g.broken, g.ids[src.ID])
		}
	}
	for idp := range g.claims {
		slices.Sort(g.claims[idp])
		g.claims[idp] = slices.Compact(g.claims[idp])
	}
	return g
}

func (c *compiler) addMember(g *groups, group atom, m *Member, at path) {
	named := 0
	for _, set := range []bool{m.User != "", m.ServiceAccount != "", m.Group != "", m.IDPGroup != IDPGroup{}} {
		if set {
			named++
		}
	}
	switch idp := m.IDPGroup.IDP; {
	case named != 1:
		c.report(at, "", ProblemInvalid, "a member is exactly one of user, service_account, group, idp_group")
	case m.User != "":
		email, ok := CanonicalEmail(m.User)
		if !ok {
			c.report(at, "user", ProblemInvalid, notEmail, quote(m.User))
			return
		}
		g.direct[userTerm(email)] = append(g.direct[userTerm(email)], group)
	case m.ServiceAccount != "":
		if !c.program.accounts[m.ServiceAccount] {
			c.missing(at, "service_account", accountKind, m.ServiceAccount)
			return
		}
		t := accountTerm(m.ServiceAccount)
		g.direct[t] = append(g.direct[t], group)
	case m.Group != "":
		child, ok := g.ids[m.Group]
		if !ok {
			c.missing(at, "group", groupKind, m.Group)
			return
		}
		g.parents[child] = append(g.parents[child], group)
	case !c.program.providers[idp]:
		c.missing(at, "idp_group.idp", providerKind, idp)
	case m.IDPGroup.Name == "":
		c.report(at, "idp_group.name", ProblemRequired, "a claim's value is not empty")
	default:
		t := claimTerm(idp, m.IDPGroup.Name)
		g.direct[t] = append(g.direct[t], group)
		g.claims[idp] = append(g.claims[idp], m.IDPGroup.Name)
	}
}

const notEmail = "%s is not an e-mail address"
