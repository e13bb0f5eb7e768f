package policy

import (
	"cmp"
	"fmt"
	"strings"
)

// providerCondition is "idps": signed in at one of them.
type providerCondition struct {
	atoms []atom
	ids   []string
}

func (c *providerCondition) eval(f *facts) Truth { return f.who.isAny(c.atoms) }
func (*providerCondition) field() string         { return "conditions.idps" }
func (*providerCondition) reason() Reason        { return RequireIDP }
func (c *providerCondition) wanted() string      { return "a person who signed in at " + anyOf(c.ids) }

func (*providerCondition) seen(f *facts) string {
	if !f.person() {
		return f.somebody() + ", who does not sign in"
	}
	return f.somebody() + ", who signed in at " + cmp.Or(f.who.identity.IDP, "an unknown provider")
}

// memberCondition is "members_of": in one of these groups.
type memberCondition struct {
	atoms []atom
	ids   []string
}

func (c *memberCondition) eval(f *facts) Truth { return f.who.isAny(c.atoms) }
func (*memberCondition) field() string         { return "conditions.members_of" }
func (*memberCondition) reason() Reason        { return RequireGroup }
func (c *memberCondition) wanted() string      { return "a member of " + anyOf(c.ids) }

func (c *memberCondition) seen(f *facts) string {
	var perhaps []string
	for i, a := range c.atoms {
		if f.who.is(a) == Unknown {
			perhaps = append(perhaps, c.ids[i])
		}
	}
	if len(perhaps) > 0 {
		return f.somebody() + ", a member of " + allOf(f.who.groups) + " and perhaps of " + allOf(perhaps)
	}
	return f.somebody() + ", a member of " + allOf(f.who.groups)
}

func (c *compiler) providersOf(list []string, at path) condition {
	atoms := c.each(list, at, "conditions.idps", c.providerNamed)
	if len(atoms) == 0 {
		return nil
	}
	return &providerCondition{atoms, list}
}

func (c *compiler) membersOf(list []string, at path) condition {
	atoms := c.each(list, at, "conditions.members_of", c.groupNamed)
	if len(atoms) == 0 {
		return nil
	}
	return &memberCondition{atoms, list}
}

// each resolves names, in their order. If one does not exist, the atoms are of
// no use, and a problem was reported.
func (c *compiler) each(list []string, at path, field string, resolve func(id string, at path, field string, i int) (atom, bool)) []atom {
	if !c.checkList(at, field, list, maxValues) {
		return nil
	}
	var atoms []atom
	for i, id := range list {
		if a, ok := resolve(id, at, field, i); ok {
			atoms = append(atoms, a)
		}
	}
	return atoms
}

// somebody says who a principal is.
func (f *facts) somebody() string {
	id := &f.who.identity
	switch {
	case f.stranger():
		return "a stranger"
	case f.machine():
		return "the service account " + id.ServiceAccount
	case id.Email != "" && f.who.email == "":
		return id.Email + " (an address that nobody vouches for)"
	case id.Email != "":
		return f.who.email
	default:
		return "a person without an address"
	}
}

// anyOf and allOf write lists in words, and not all of a long one.
func anyOf(list []string) string { return words(list, "or") }
func allOf(list []string) string { return words(list, "and") }

// oneOf lists what is written as it is in a rule.
func oneOf(list []string) string {
	const most = 12
	if n := len(list); n > most {
		return fmt.Sprintf("one of: %s and %d more", strings.Join(list[:most], ", "), n-most)
	}
	return "one of: " + strings.Join(list, ", ")
}

func words(list []string, and string) string {
	const most = 12
	switch n := len(list); {
	case n == 0:
		return "nothing"
	case n == 1:
		return list[0]
	case n > most:
		return fmt.Sprintf("%s %s %d more", strings.Join(list[:most], ", "), and, n-most)
	default:
		return strings.Join(list[:n-1], ", ") + " " + and + " " + list[n-1]
	}
}
