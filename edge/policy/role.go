package policy

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// selector picks operations of an app: by name or by access class.
type selector struct {
	names  []string // an operation, "prefix.*" or "*"
	access []Access
}

func (s *selector) picks(o Operation) bool {
	return slices.Contains(s.access, o.Access) ||
		slices.ContainsFunc(s.names, func(name string) bool { return namePicks(name, o.ID) })
}

func namePicks(name, operation string) bool {
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		return strings.HasPrefix(operation, prefix)
	}
	return name == operation
}

// role is a compiled [Role].
type role struct {
	src    *Role // nil if it is predefined and nobody wrote another
	picks  *selector
	faulty bool
}

// predefined are the roles that every tenant has.
func predefined() map[string]*role {
	return map[string]*role{
		"viewer": {picks: &selector{access: []Access{Read}}},
		"user":   {picks: &selector{access: []Access{Read, Write}}},
		"admin":  {picks: &selector{names: []string{"*"}}},
	}
}

func (c *compiler) addRoles() {
	if len(c.roles.Come)+len(c.roles.Gone) == 0 {
		c.program.roles = c.before.roles
		return
	}
	for _, src := range c.roles.Gone {
		c.problems.Forget(problem.Place{Kind: problem.Role, ID: src.ID})
		c.lost[problem.Place{Kind: problem.Role, ID: src.ID}] = true
	}
	c.program.roles = predefined()
	for id := range c.program.roles {
		if before := c.before.roles[id]; before.src == nil {
			c.program.roles[id] = before // rules that name it have it from there
		}
	}
	for _, src := range c.roles.List {
		if before := c.before.roles[src.ID]; before != nil && before.src == src {
			c.program.roles[src.ID] = before
			continue
		}
		c.problems.Forget(problem.Place{Kind: problem.Role, ID: src.ID})
		c.addRole(src)
	}
	for _, src := range c.roles.Twice {
		c.problems.Add(problem.In(problem.Role, src.ID), "", problem.Invalid, "role %s is there twice", problem.Quote(src.ID))
		c.program.roles[src.ID].faulty = true
	}
}

func (c *compiler) addRole(src *Role) {
	at := problem.In(problem.Role, src.ID)
	switch {
	case src.ID == "":
		c.problems.Add(at, "", problem.Required, "a role has an id")
	case c.program.roles[src.ID] != nil:
		// Whoever wrote it means something else by the name than the rules that it would be used in.
		c.problems.Add(at, "", problem.Invalid, "role %s is predefined and stays as it is", problem.Quote(src.ID))
		c.program.roles[src.ID] = &role{src: src, faulty: true, picks: c.program.roles[src.ID].picks}
		c.lost[at.Place] = true
		return
	case src.Operations == nil && src.Access == nil:
		c.problems.Add(at, "", problem.Required, "a role names operations or access classes")
	}
	if c.problems.Length(at, "operations", src.Operations, maxOperations) {
		for i, name := range src.Operations {
			c.checkOperationName(at, problem.Item("operations", i), name)
		}
	}
	if src.Access != nil && len(src.Access) == 0 {
		c.problems.Add(at, "access", problem.Required, problem.Empty)
	}
	for i, a := range src.Access {
		if !a.valid() {
			c.problems.Add(at, problem.Item("access", i), problem.Invalid, notAccess)
		}
	}
	c.program.roles[src.ID] = &role{
		src: src, faulty: c.problems.At(at.Place), picks: &selector{names: src.Operations, access: src.Access},
	}
}

const notAccess = "access is READ, WRITE or ADMIN"
