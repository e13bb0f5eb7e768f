package policy

import (
	"slices"
	"strings"
)

// selector picks operations of an app: by name or by access class.
type selector struct {
	names  []string // an operation, "prefix.*" or "*"
	access []Access
}

func (s selector) picks(o Operation) bool {
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
	src    *Role // nil if it is predefined
	picks  selector
	faulty bool
}

// predefined are the roles that every tenant has.
func predefined() map[string]*role {
	return map[string]*role{
		"viewer": {picks: selector{access: []Access{Read}}},
		"user":   {picks: selector{access: []Access{Read, Write}}},
		"admin":  {picks: selector{names: []string{"*"}}},
	}
}

func (c *compiler) addRoles() {
	if len(c.roles.come)+len(c.roles.gone) == 0 {
		c.program.roles = c.before.roles
		return
	}
	for _, src := range c.roles.gone {
		c.forget(roleKind, src.ID)
		c.lost[need{roleKind, src.ID}] = true
	}
	c.program.roles = predefined()
	for _, src := range c.roles.list {
		if before := c.before.roles[src.ID]; before != nil && before.src == src {
			c.program.roles[src.ID] = before
			continue
		}
		c.forget(roleKind, src.ID)
		c.addRole(src)
	}
	for _, src := range c.roles.twice {
		c.report(path{place: place{roleKind, src.ID}}, "", ProblemInvalid, "role %s is there twice", quote(src.ID))
		c.program.roles[src.ID].faulty = true
	}
}

func (c *compiler) addRole(src *Role) {
	at := path{place: place{roleKind, src.ID}}
	switch {
	case src.ID == "":
		c.report(at, "", ProblemRequired, "a role has an id")
	case c.program.roles[src.ID] != nil:
		c.report(at, "", ProblemInvalid, "role %s is predefined and stays as it is", quote(src.ID))
		return
	case src.Operations == nil && src.Access == nil:
		c.report(at, "", ProblemRequired, "a role names operations or access classes")
	}
	tooMany := !c.checkList(at, "operations", src.Operations, maxOperations)
	if src.Access != nil && len(src.Access) == 0 {
		c.report(at, "access", ProblemRequired, emptyList)
	}
	for i, name := range src.Operations {
		if tooMany {
			break
		}
		c.checkOperationName(at, item("operations", i), name)
	}
	for i, a := range src.Access {
		if !a.valid() {
			c.report(at, item("access", i), ProblemInvalid, notAccess)
		}
	}
	c.program.roles[src.ID] = &role{
		src: src, faulty: c.faulty(at.place), picks: selector{names: src.Operations, access: src.Access},
	}
}

const (
	emptyList = "an empty list is never everything; leave it out or name something"
	notAccess = "access is READ, WRITE or ADMIN"
)

// checkList is false if a list is too long to be looked at.
func (c *compiler) checkList(at path, field string, list []string, most int) bool {
	if list != nil && len(list) == 0 {
		c.report(at, field, ProblemRequired, emptyList)
	}
	if len(list) > most {
		c.report(at, field, ProblemInvalid, "there are %d, and at most %d are possible", len(list), most)
	}
	return len(list) <= most
}
