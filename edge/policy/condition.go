package policy

import (
	"fmt"
	"net/netip"
)

func (c Conditions) none() bool {
	return c.SourceCIDRs == nil && c.IDPs == nil && c.MembersOf == nil && c.NotBefore.IsZero() && c.NotAfter.IsZero()
}

// clauses compiles conditions, in the order of their kinds.
func (c *compiler) clauses(src Conditions, field string) []clause {
	c.refuseEmpty(field+".source_cidrs", src.SourceCIDRs)
	c.refuseEmpty(field+".idps", src.IDPs)
	c.refuseEmpty(field+".members_of", src.MembersOf)
	var list []clause
	if len(src.SourceCIDRs) > 0 {
		list = append(list, clause{kind: networkClause, networks: c.networks(src.SourceCIDRs, field)})
	}
	if from, until := src.NotBefore, src.NotAfter; !from.IsZero() || !until.IsZero() {
		if !from.IsZero() && !until.IsZero() && !from.Before(until) {
			c.report(field+".not_after", ProblemInvalid, "", "not_after is later than not_before")
		}
		list = append(list, clause{kind: timeClause, from: from, until: until})
	}
	if len(src.IDPs) > 0 {
		list = append(list, clause{kind: idpClause, atoms: each(src.IDPs, field+".idps", c.provider)})
	}
	if len(src.MembersOf) > 0 {
		list = append(list, clause{kind: groupClause, atoms: each(src.MembersOf, field+".members_of", c.group)})
	}
	return list
}

func each(names []string, field string, resolve func(name, field string) (atom, bool)) []atom {
	var atoms []atom
	for i, name := range names {
		if a, ok := resolve(name, fmt.Sprintf("%s[%d]", field, i)); ok {
			atoms = append(atoms, a)
		}
	}
	return atoms
}

func (c *compiler) networks(list []string, field string) networks {
	var prefixes []netip.Prefix
	for i, text := range list {
		p, suggestion, err := parseNetwork(text)
		if err != nil {
			c.report(fmt.Sprintf("%s.source_cidrs[%d]", field, i), ProblemInvalid, suggestion, "%s", err)
			continue
		}
		prefixes = append(prefixes, p)
	}
	return newNetworks(prefixes)
}
