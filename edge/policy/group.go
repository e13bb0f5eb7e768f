package policy

import (
	"fmt"
	"slices"
	"strings"
)

// addGroups numbers the groups and notes who is in which. A group with a
// problem is broken: who is not surely in it is perhaps in it.
func (c *compiler) addGroups() {
	p := c.program
	sorted := sortedIndex(c.source.Groups, func(g *Group) string { return g.ID })
	for _, i := range sorted {
		id := c.source.Groups[i].ID
		if _, twice := c.groupOf[id]; !twice {
			c.groupOf[id] = len(p.groups)
			p.groups = append(p.groups, id)
		}
	}
	parents := make([][]int, len(p.groups)) // groups that have the group as a member
	broken := make([]bool, len(p.groups))
	seen := map[string]bool{}
	for _, i := range sorted {
		src := c.source.Groups[i]
		field := "groups[" + src.ID + "]"
		before := len(c.problems)
		switch {
		case src.ID == "":
			c.report(field, ProblemRequired, "", "a group has an id")
		case seen[src.ID]:
			c.report(field, ProblemInvalid, "", "group %q is there twice", src.ID)
		}
		seen[src.ID] = true
		g := c.groupOf[src.ID]
		for j, m := range src.Members {
			c.addMember(g, m, fmt.Sprintf("%s.members[%d]", field, j), parents)
		}
		broken[g] = broken[g] || len(c.problems) > before
	}
	p.within = make([][]int, len(p.groups))
	for g := range p.groups {
		p.within[g] = closure(g, parents)
	}
	c.refuseCycles(parents, broken)
	for g, bad := range broken {
		if bad {
			p.broken = append(p.broken, g)
		}
	}
}

func (c *compiler) addMember(g int, m Member, field string, parents [][]int) {
	p := c.program
	named := 0
	for _, set := range []bool{m.User != "", m.ServiceAccount != "", m.Group != "", m.IDPGroup != IDPGroup{}} {
		if set {
			named++
		}
	}
	if named != 1 {
		c.report(field, ProblemInvalid, "", "a member is exactly one of user, service_account, group, idp_group")
		return
	}
	switch {
	case m.User != "":
		email, ok := CanonicalEmail(m.User)
		if !ok {
			c.report(field+".user", ProblemInvalid, "", "%q is not an e-mail address", m.User)
			return
		}
		c.addTo(g, term{userTerm, email})
	case m.ServiceAccount != "":
		if !c.accounts[m.ServiceAccount] {
			c.missing(field+".service_account", "service account", m.ServiceAccount, c.source.ServiceAccounts)
			return
		}
		c.addTo(g, term{serviceAccountTerm, m.ServiceAccount})
	case m.Group != "":
		child, ok := c.groupOf[m.Group]
		if !ok {
			c.missing(field+".group", "group", m.Group, p.groups)
			return
		}
		parents[child] = append(parents[child], g)
	default:
		if !c.providers[m.IDPGroup.IDP] {
			c.missing(field+".idp_group.idp", "identity provider", m.IDPGroup.IDP, c.source.Providers)
			return
		}
		if m.IDPGroup.Name == "" {
			c.report(field+".idp_group.name", ProblemRequired, "", "a claim's value is not empty")
			return
		}
		c.addTo(g, term{claimTerm, claimName(m.IDPGroup.IDP, m.IDPGroup.Name)})
		p.claims[m.IDPGroup.IDP] = append(p.claims[m.IDPGroup.IDP], m.IDPGroup.Name)
	}
}

func (c *compiler) addTo(g int, t term) {
	c.program.memberOf[t] = append(c.program.memberOf[t], g)
}

// closure returns g and every group that contains it, however deep.
func closure(g int, parents [][]int) []int {
	found := []int{g}
	for i := 0; i < len(found); i++ {
		for _, parent := range parents[found[i]] {
			if !slices.Contains(found, parent) {
				found = append(found, parent)
			}
		}
	}
	return found
}

// refuseCycles reports each cycle of groups once, at its first member by id.
func (c *compiler) refuseCycles(parents [][]int, broken []bool) {
	for g := range parents {
		if broken[g] {
			continue
		}
		path := cycle(g, g, parents, map[int]bool{})
		if path == nil {
			continue
		}
		slices.Reverse(path) // from the group to its members
		var names []string
		for _, at := range path {
			broken[at] = true
			names = append(names, c.program.groups[at])
		}
		names = append(names, names[0])
		c.report("groups["+names[0]+"].members", ProblemInvalid, "", "group %q contains itself: %s", names[0], strings.Join(names, " → "))
	}
}

// cycle returns the way from one group up to the goal, or nil.
func cycle(from, goal int, parents [][]int, seen map[int]bool) []int {
	for _, parent := range parents[from] {
		if parent == goal {
			return []int{goal}
		}
		if seen[parent] {
			continue
		}
		seen[parent] = true
		if path := cycle(parent, goal, parents, seen); path != nil {
			return append([]int{parent}, path...)
		}
	}
	return nil
}
