package policy

import (
	"fmt"
	"slices"
	"strings"
)

// selector picks operations of an app: by name or by access class.
type selector struct {
	names  []string // an operation, "prefix.*" or "*"
	access []Access
}

func (s selector) picks(operation string, access Access) bool {
	return slices.Contains(s.access, access) ||
		slices.ContainsFunc(s.names, func(name string) bool { return namePicks(name, operation) })
}

func namePicks(name, operation string) bool {
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		return strings.HasPrefix(operation, prefix)
	}
	return name == operation
}

// predefined are the roles that every tenant has.
func predefined() map[string]selector {
	return map[string]selector{
		"viewer": {access: []Access{Read}},
		"user":   {access: []Access{Read, Write}},
		"admin":  {names: []string{"*"}},
	}
}

func (c *compiler) addRoles() {
	c.roles, c.badRoles = predefined(), map[string]bool{}
	for _, i := range sortedIndex(c.source.Roles, func(r *Role) string { return r.ID }) {
		src := c.source.Roles[i]
		field := "roles[" + src.ID + "]"
		before := len(c.problems)
		_, twice := c.roles[src.ID]
		_, ours := predefined()[src.ID]
		switch {
		case src.ID == "":
			c.report(field, ProblemRequired, "", "a role has an id")
		case ours:
			c.report(field, ProblemInvalid, "", "role %q is predefined and stays as it is", src.ID)
			continue
		case twice || c.badRoles[src.ID]:
			c.report(field, ProblemInvalid, "", "role %q is there twice", src.ID)
		case src.Operations == nil && src.Access == nil:
			c.report(field, ProblemRequired, "", "a role names operations or access classes")
		}
		c.refuseEmpty(field+".operations", src.Operations)
		if src.Access != nil && len(src.Access) == 0 {
			c.report(field+".access", ProblemRequired, "", emptyList)
		}
		for i, name := range src.Operations {
			c.checkOperationName(fmt.Sprintf("%s.operations[%d]", field, i), name)
		}
		for i, a := range src.Access {
			if !a.valid() {
				c.report(fmt.Sprintf("%s.access[%d]", field, i), ProblemInvalid, "", "access is READ, WRITE or ADMIN")
			}
		}
		if len(c.problems) > before {
			delete(c.roles, src.ID)
			c.badRoles[src.ID] = true
			continue
		}
		c.roles[src.ID] = selector{names: src.Operations, access: src.Access}
	}
}

const emptyList = "an empty list is never everything; leave it out or name something"

func (c *compiler) refuseEmpty(field string, list []string) {
	if list != nil && len(list) == 0 {
		c.report(field, ProblemRequired, "", emptyList)
	}
}

// checkOperationName allows "*" only as all, or as all below a prefix.
func (c *compiler) checkOperationName(field, name string) bool {
	prefix, wild := strings.CutSuffix(name, "*")
	if name == "" || strings.Contains(prefix, "*") || wild && prefix != "" && !strings.HasSuffix(prefix, ".") {
		c.report(field, ProblemInvalid, "", `%q is not an operation; write a name, "prefix.*" or "*"`, name)
		return false
	}
	return true
}
