package policy

import (
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// picks returns what a rule or grant picks operations by.
func (c *compiler) picks(roles, operations []string, at problem.Path) (list []*selector) {
	switch {
	case len(roles) > 0 && len(operations) > 0:
		c.problems.Add(at, "", problem.Invalid, "there are roles or operations, not both")
	case roles == nil && operations == nil:
		c.problems.Add(at, "operations", problem.Required, `name roles or operations; the operation "*" is all`)
	}
	if c.problems.Length(at, "roles", roles, maxOperations) {
		for i, id := range roles {
			if r, ok := c.roleNamed(id, at, "roles", i); ok {
				c.unit.faulty = c.unit.faulty || r.faulty
				list = append(list, r.picks)
			}
		}
	}
	if c.problems.Length(at, "operations", operations, maxOperations) && len(operations) > 0 {
		for i, name := range operations {
			c.checkOperationName(at, problem.Item("operations", i), name)
		}
		list = append(list, &selector{names: operations})
	}
	return list
}

// missingOperations returns what rules of a policy name and none of its apps has: a
// DENY with a typing error would else refuse nothing. Guard-rails are free of
// it, because the apps that they will reach are not all there.
func (c *compiler) missingOperations(p *Policy) map[string]bool {
	var missing map[string]bool
	for i := range p.Rules {
		for _, name := range p.Rules[i].Operations {
			if missing == nil {
				missing = map[string]bool{}
			}
			missing[name] = true
		}
	}
	if missing == nil {
		return nil
	}
	known := false
	for _, id := range p.Apps {
		for _, op := range c.app(id).operations() {
			known = true
			delete(missing, op.ID)
			delete(missing, "*")
			for i := range op.ID {
				if op.ID[i] == '.' {
					delete(missing, op.ID[:i+1]+"*")
				}
			}
			if len(missing) == 0 {
				return nil
			}
		}
	}
	if !known {
		return nil // the apps are missing, which is told
	}
	return missing
}

// isOperationName allows "*" only as all, or as all below a prefix.
func isOperationName(name string) bool {
	prefix, wild := strings.CutSuffix(name, "*")
	return name != "" && len(name) <= maxName && !strings.Contains(prefix, "*") &&
		(!wild || prefix == "" || strings.HasSuffix(prefix, "."))
}

func (c *compiler) checkOperationName(at problem.Path, field, name string) {
	switch {
	case len(name) > maxName:
		c.problems.Add(at, field, problem.Invalid, "a name has at most %d bytes", maxName)
	case !isOperationName(name):
		c.problems.Add(at, field, problem.Invalid, `%s is not an operation; write a name, "prefix.*" or "*"`, problem.Quote(name))
	}
}
