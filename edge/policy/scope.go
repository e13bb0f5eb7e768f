package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

func (c *compiler) principals(list []string, at problem.Path) []who.Atom {
	const field = "principals"
	if len(list) == 0 {
		c.problems.Add(at, field, problem.Required, `a rule names its principals; "anyone" is everybody`)
		return nil
	}
	if !c.problems.Length(at, field, list, maxPrincipals) {
		return nil
	}
	atoms := make([]who.Atom, 0, len(list)+1)
	for i, text := range list {
		if a, ok := c.principal(text, at, field, i); ok {
			atoms = append(atoms, a)
		}
		if strings.HasPrefix(text, "user:") || strings.HasPrefix(text, "domain:") {
			atoms = append(atoms, who.ByAddress)
		}
	}
	slices.Sort(atoms)
	return slices.Compact(atoms)
}

func (c *compiler) principal(text string, at problem.Path, field string, i int) (who.Atom, bool) {
	if a, ok := who.Fixed[text]; ok {
		return a, true
	}
	kind, name, named := strings.Cut(text, ":")
	if named && len(text) <= maxName {
		switch kind {
		case "user":
			if email, ok := CanonicalEmail(name); ok {
				return c.who.Atom(who.User(email)), true
			}
			c.problems.Add(at, problem.Item(field, i), problem.Invalid, who.NotEmail, problem.Quote(name))
			return 0, false
		case "domain":
			if domain, ok := who.CanonicalDomain(name); ok {
				return c.who.Atom(who.Domain(domain)), true
			}
			c.problems.Add(at, problem.Item(field, i), problem.Invalid, "%s is not a domain", problem.Quote(name))
			return 0, false
		case "group":
			return c.groupNamed(name, at, field, i)
		case "serviceAccount":
			return c.accountNamed(name, at, field, i)
		case "idp":
			return c.providerNamed(name, at, field, i)
		}
	}
	c.problems.Suggest(at, problem.Item(field, i), likelyPrincipal(kind, name, named),
		"%s is not a principal; write user: group: domain: serviceAccount: idp: and a name, or people, serviceAccounts, authenticated, anyone", problem.Quote(text))
	return 0, false
}

func likelyPrincipal(kind, name string, named bool) string {
	if !named {
		return problem.Nearest(kind, maps.Keys(who.Fixed))
	}
	kinds := []string{"user", "group", "domain", "serviceAccount", "idp"}
	if near := problem.Nearest(kind, slices.Values(kinds)); near != "" && len(name) <= maxName {
		return near + ":" + name
	}
	return ""
}

// What names something notes it, so that the unit is compiled again when that is
// no more; or that it does not exist, so that it is when anything changes.

func (c *compiler) groupNamed(id string, at problem.Path, field string, i int) (who.Atom, bool) {
	a, ok := c.who.Group(id)
	return a, c.named(problem.Place{Kind: problem.Group, ID: id}, ok, at, field, i)
}

func (c *compiler) accountNamed(id string, at problem.Path, field string, i int) (who.Atom, bool) {
	if !c.named(problem.Place{Kind: problem.Account, ID: id}, c.who.Account(id), at, field, i) {
		return 0, false
	}
	return c.who.Atom(who.Account(id)), true
}

func (c *compiler) providerNamed(id string, at problem.Path, field string, i int) (who.Atom, bool) {
	if !c.named(problem.Place{Kind: problem.Provider, ID: id}, c.who.Provider(id), at, field, i) {
		return 0, false
	}
	return c.who.Atom(who.Provider(id)), true
}

func (c *compiler) appNamed(id string, at problem.Path, field string, i int) {
	c.named(problem.Place{Kind: problem.App, ID: id}, c.app(id) != nil, at, field, i)
}

func (c *compiler) roleNamed(id string, at problem.Path, field string, i int) (*role, bool) {
	r := c.program.roles[id]
	return r, c.named(problem.Place{Kind: problem.Role, ID: id}, r != nil, at, field, i)
}

func (c *compiler) named(n problem.Place, exists bool, at problem.Path, field string, i int) bool {
	if !exists {
		if i >= 0 {
			field = problem.Item(field, i)
		}
		c.problems.Missing(at, field, problem.Missing{Kind: n.Kind, ID: n.ID})
		c.unit.dangling = true
		return false
	}
	if k := len(c.unit.needs); k == 0 || c.unit.needs[k-1] != n {
		c.unit.needs = append(c.unit.needs, n)
	}
	return true
}
