package policy

import (
	"maps"
	"slices"
	"strings"
)

// fixed are the principals without a name.
var fixed = map[string]atom{"anyone": anyone, "authenticated": authenticated, "people": people, "serviceAccounts": serviceAccounts}

func (c *compiler) principals(list []string, at path) []atom {
	const field = "principals"
	if len(list) == 0 {
		c.report(at, field, ProblemRequired, `a rule names its principals; "anyone" is everybody`)
		return nil
	}
	if !c.checkList(at, field, list, maxPrincipals) {
		return nil
	}
	atoms := make([]atom, 0, len(list))
	for i, text := range list {
		if a, ok := c.principal(text, at, field, i); ok {
			atoms = append(atoms, a)
		}
	}
	slices.Sort(atoms)
	return slices.Compact(atoms)
}

func (c *compiler) principal(text string, at path, field string, i int) (atom, bool) {
	if a, ok := fixed[text]; ok {
		return a, true
	}
	kind, name, named := strings.Cut(text, ":")
	if named && len(text) <= maxName {
		switch kind {
		case "user":
			if email, ok := CanonicalEmail(name); ok {
				return c.numbers.of(userTerm(email)), true
			}
			c.report(at, item(field, i), ProblemInvalid, notEmail, quote(name))
			return 0, false
		case "domain":
			if domain, ok := canonicalDomain(name); ok {
				return c.numbers.of(domainTerm(domain)), true
			}
			c.report(at, item(field, i), ProblemInvalid, "%s is not a domain", quote(name))
			return 0, false
		case "group":
			return c.groupNamed(name, at, field, i)
		case "serviceAccount":
			return c.accountNamed(name, at, field, i)
		case "idp":
			return c.providerNamed(name, at, field, i)
		}
	}
	c.suggest(at, item(field, i), likelyPrincipal(kind, name, named),
		"%s is not a principal; write user: group: domain: serviceAccount: idp: and a name, or people, serviceAccounts, authenticated, anyone", quote(text))
	return 0, false
}

func likelyPrincipal(kind, name string, named bool) string {
	if !named {
		return nearest(kind, maps.Keys(fixed))
	}
	kinds := []string{"user", "group", "domain", "serviceAccount", "idp"}
	if near := nearest(kind, slices.Values(kinds)); near != "" && len(name) <= maxName {
		return near + ":" + name
	}
	return ""
}

// What names something notes it, so that the policy is compiled again when that
// is no more; or that it does not exist, so that it is when anything changes.

func (c *compiler) groupNamed(id string, at path, field string, i int) (atom, bool) {
	a, ok := c.program.directory.groups.ids[id]
	return a, c.named(need{groupKind, id}, ok, at, field, i)
}

func (c *compiler) accountNamed(id string, at path, field string, i int) (atom, bool) {
	if !c.named(need{accountKind, id}, c.program.accounts[id], at, field, i) {
		return 0, false
	}
	return c.numbers.of(accountTerm(id)), true
}

func (c *compiler) providerNamed(id string, at path, field string, i int) (atom, bool) {
	if !c.named(need{providerKind, id}, c.program.providers[id], at, field, i) {
		return 0, false
	}
	return c.numbers.of(providerTerm(id)), true
}

func (c *compiler) appNamed(id string, at path, field string, i int) bool {
	return c.named(need{appKind, id}, c.app(id) != nil, at, field, i)
}

func (c *compiler) roleNamed(id string, at path, field string, i int) (*role, bool) {
	r := c.program.roles[id]
	return r, c.named(need{roleKind, id}, r != nil, at, field, i)
}

func (c *compiler) named(n need, exists bool, at path, field string, i int) bool {
	if !exists {
		if i >= 0 {
			field = item(field, i)
		}
		c.missing(at, field, n.kind, n.id)
		c.unit.dangling = true
		return false
	}
	if k := len(c.unit.needs); k == 0 || c.unit.needs[k-1] != n {
		c.unit.needs = append(c.unit.needs, n)
	}
	return true
}
