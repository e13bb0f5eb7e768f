package policy

import (
	"slices"
	"strings"
)

// picks returns what a rule or grant picks operations by.
func (c *compiler) picks(roles, operations []string, at path) (list []selector) {
	switch {
	case len(roles) > 0 && len(operations) > 0:
		c.report(at, "", ProblemInvalid, "there are roles or operations, not both")
	case roles == nil && operations == nil:
		c.report(at, "operations", ProblemRequired, `name roles or operations; the operation "*" is all`)
	}
	if c.checkList(at, "roles", roles, maxOperations) {
		for i, id := range roles {
			if r, ok := c.roleNamed(id, at, "roles", i); ok {
				c.unit.faulty = c.unit.faulty || r.faulty
				list = append(list, r.picks)
			}
		}
	}
	if len(operations) > 0 && c.checkList(at, "operations", operations, maxOperations) {
		for i, name := range operations {
			c.checkOperationName(at, item("operations", i), name)
		}
		list = append(list, selector{names: operations})
	} else {
		c.checkList(at, "operations", operations, maxOperations)
	}
	return list
}

// missingOperations returns what rules name and no app has that they are for: a
// DENY with a typing error would else refuse nothing. Guard-rails are free of
// it, because the apps that they will reach are not all there.
func (c *compiler) missingOperations(apps []string, rules []Rule) map[string]bool {
	var missing map[string]bool
	for i := range rules {
		for _, name := range rules[i].Operations {
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
	for _, id := range apps {
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

func (c *compiler) reportOperations(at path, operations []string, missing map[string]bool, apps []string) {
	for i, name := range operations {
		if missing[name] && isOperationName(name) {
			c.unit.dangling = true
			c.find(at, item("operations", i), finding{kind: operationKind, wrong: name, apps: apps, Problem: Problem{
				Reason: ProblemReference, Message: "operation " + quote(name) + " does not exist in " + anyOf(apps),
			}})
		}
	}
}

// isOperationName allows "*" only as all, or as all below a prefix.
func isOperationName(name string) bool {
	prefix, wild := strings.CutSuffix(name, "*")
	return name != "" && len(name) <= maxName && !strings.Contains(prefix, "*") &&
		(!wild || prefix == "" || strings.HasSuffix(prefix, "."))
}

func (c *compiler) checkOperationName(at path, field, name string) {
	switch {
	case len(name) > maxName:
		c.report(at, field, ProblemInvalid, "a name has at most %d bytes", maxName)
	case !isOperationName(name):
		c.report(at, field, ProblemInvalid, `%s is not an operation; write a name, "prefix.*" or "*"`, quote(name))
	}
}

// place puts rules, in order, to the operations that they are for. Operations
// that the same rules are for share what is made of them.
func (a *app) place(rules []*rule) operations {
	list := a.src.operations()
	placed, shared := make(operations, 0, len(list)), map[string]*operation{}
	pattern := make([]byte, (len(rules)+7)/8)
	for _, op := range list {
		clear(pattern)
		for i, r := range rules {
			if slices.ContainsFunc(r.picks, func(s selector) bool { return s.picks(op) }) {
				pattern[i/8] |= 1 << (i % 8)
			}
		}
		if shared[string(pattern)] == nil {
			shared[string(pattern)] = newOperation(rules, pattern)
		}
		placed = append(placed, namedOperation{op.ID, *shared[string(pattern)]})
	}
	slices.SortFunc(placed, func(a, b namedOperation) int { return strings.Compare(a.id, b.id) })
	return placed
}

func newOperation(rules []*rule, pattern []byte) *operation {
	var list []*rule
	for i, r := range rules {
		if pattern[i/8]&(1<<(i%8)) != 0 {
			list = append(list, r)
		}
	}
	inEffectOrder(list)
	op := &operation{}
	if blocks := newBlocks(list); len(blocks) > 0 {
		op.first, op.more = blocks[0], slices.Clone(blocks[1:])
	}
	if i := slices.IndexFunc(list, func(r *rule) bool { return r.effect == allows && r.remediation != "" }); i >= 0 {
		op.hint = list[i].remediation
	}
	return op
}
