package clause

import (
	"cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

// provider is "idps": signed in at one of them.
type provider struct {
	atoms []who.Atom
	ids   []string
}

func (c *provider) eval(f *Facts) truth.Value { return f.Who.IsAny(c.atoms) }
func (*provider) Field() string               { return "conditions.idps" }
func (c *provider) Wanted() string            { return "a person who signed in at " + AnyOf(c.ids) }

func (*provider) Seen(f *Facts) string {
	if !f.Person() {
		return f.Who.String() + ", who does not sign in"
	}
	return f.Who.String() + ", who signed in at " + cmp.Or(f.Who.Identity().IDP, "an unknown provider")
}

// member is "members_of": in one of these groups.
type member struct {
	atoms []who.Atom
	ids   []string
}

func (c *member) eval(f *Facts) truth.Value { return f.Who.IsAny(c.atoms) }
func (*member) Field() string               { return "conditions.members_of" }
func (c *member) Wanted() string            { return "a member of " + AnyOf(c.ids) }

func (c *member) Seen(f *Facts) string {
	var perhaps []string
	for i, a := range c.atoms {
		if f.Who.Is(a) == truth.Unknown {
			perhaps = append(perhaps, c.ids[i])
		}
	}
	if len(perhaps) > 0 {
		return f.Who.String() + ", a member of " + AllOf(f.Who.Groups()) + " and perhaps of " + AllOf(perhaps)
	}
	return f.Who.String() + ", a member of " + AllOf(f.Who.Groups())
}

func (c *Compiler) providers(list []string, at problem.Path) Clause {
	atoms := c.each(list, at, "conditions.idps", c.Provider)
	if len(atoms) == 0 {
		return nil
	}
	return &provider{atoms, list}
}

func (c *Compiler) members(list []string, at problem.Path) Clause {
	atoms := c.each(list, at, "conditions.members_of", c.Group)
	if len(atoms) == 0 {
		return nil
	}
	return &member{atoms, list}
}

// each resolves names, in their order. If one does not exist, the atoms are of
// no use, and a problem was reported.
func (c *Compiler) each(list []string, at problem.Path, field string, resolve func(id string, at problem.Path, field string, i int) (who.Atom, bool)) []who.Atom {
	if !c.Problems.Length(at, field, list, maxValues) {
		return nil
	}
	var atoms []who.Atom
	for i, id := range list {
		if a, ok := resolve(id, at, field, i); ok {
			atoms = append(atoms, a)
		}
	}
	return atoms
}
