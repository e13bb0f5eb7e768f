package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fixed are the principals without a name. The order of the atoms makes
// "anyone" the first candidate of a rule that has it.
var fixed = map[string]atom{"anyone": anyone, "authenticated": authenticated, "people": people, "serviceAccounts": serviceAccounts}

func (c *compiler) principals(list []string, field string) []atom {
	if len(list) == 0 {
		c.report(field+".principals", ProblemRequired, "", `a rule names its principals; "anyone" is everybody`)
	}
	var atoms []atom
	for i, text := range list {
		if a, ok := c.principal(text, fmt.Sprintf("%s.principals[%d]", field, i)); ok {
			atoms = append(atoms, a)
		}
	}
	slices.Sort(atoms)
	return slices.Compact(atoms)
}

func (c *compiler) principal(text, field string) (atom, bool) {
	if a, ok := fixed[text]; ok {
		return a, true
	}
	kind, name, named := strings.Cut(text, ":")
	if named {
		switch kind {
		case "user":
			if email, ok := CanonicalEmail(name); ok {
				return c.atomOf(term{userTerm, email}), true
			}
			c.report(field, ProblemInvalid, "", "%q is not an e-mail address", name)
			return 0, false
		case "domain":
			if domain, ok := canonicalDomain(name); ok {
				return c.atomOf(term{domainTerm, domain}), true
			}
			c.report(field, ProblemInvalid, "", "%q is not a domain", name)
			return 0, false
		case "group":
			return c.group(name, field)
		case "serviceAccount":
			if !c.accounts[name] {
				c.missing(field, "service account", name, c.source.ServiceAccounts)
				return 0, false
			}
			return c.atomOf(term{serviceAccountTerm, name}), true
		case "idp":
			return c.provider(name, field)
		}
	}
	c.report(field, ProblemInvalid, likelyPrincipal(kind, name, named),
		"%q is not a principal; write user: group: domain: serviceAccount: idp: and a name, or people, serviceAccounts, authenticated, anyone", text)
	return 0, false
}

func likelyPrincipal(kind, name string, named bool) string {
	if !named {
		return nearest(kind, maps.Keys(fixed))
	}
	kinds := []string{"user", "group", "domain", "serviceAccount", "idp"}
	if near := nearest(kind, slices.Values(kinds)); near != "" {
		return near + ":" + name
	}
	return ""
}

func (c *compiler) group(id, field string) (atom, bool) {
	g, ok := c.groupOf[id]
	if !ok {
		c.missing(field, "group", id, c.program.groups)
	}
	return firstGroup + atom(g), ok
}

func (c *compiler) provider(id, field string) (atom, bool) {
	if !c.providers[id] {
		c.missing(field, "identity provider", id, c.source.Providers)
		return 0, false
	}
	return c.atomOf(term{idpTerm, id}), true
}

// selectors returns what a rule picks operations by.
func (c *compiler) selectors(src Rule, field string, apps []string) (list []selector, understood bool) {
	understood = true
	c.refuseEmpty(field+".roles", src.Roles)
	c.refuseEmpty(field+".operations", src.Operations)
	switch {
	case len(src.Roles) > 0 && len(src.Operations) > 0:
		c.report(field, ProblemInvalid, "", "a rule has roles or operations, not both")
	case src.Roles == nil && src.Operations == nil:
		c.report(field+".operations", ProblemRequired, "", `a rule names roles or operations; the operation "*" is all`)
	}
	for i, id := range src.Roles {
		s, ok := c.roles[id]
		switch {
		case ok:
			list = append(list, s)
		case c.badRoles[id]:
			understood = false
		default:
			c.missing(fmt.Sprintf("%s.roles[%d]", field, i), "role", id, slices.Sorted(maps.Keys(c.roles)))
		}
	}
	for i, name := range src.Operations {
		at := fmt.Sprintf("%s.operations[%d]", field, i)
		if c.checkOperationName(at, name) {
			c.checkOperationExists(at, name, apps)
		}
	}
	if len(src.Operations) > 0 {
		list = append(list, selector{names: src.Operations})
	}
	return list, understood
}

// checkOperationExists wants a name to pick something in some app of the
// policy: a DENY with a typing error would else refuse nothing.
func (c *compiler) checkOperationExists(field, name string, apps []string) {
	if len(apps) == 0 {
		return
	}
	var known []string
	for _, id := range apps {
		for op := range c.accessOf[id] {
			if namePicks(name, op) {
				return
			}
			known = append(known, op)
		}
	}
	c.report(field, ProblemReference, nearest(name, slices.Values(known)), "operation %q does not exist in %s", name, strings.Join(apps, ", "))
}
