package policy

import "slices"

// directory knows who is what. Programs share one as long as nothing in it
// changes, and principals that were resolved with it stay good.
type directory struct {
	atoms       table[atom] // of all terms that some rule of this or an earlier program names, and of all groups
	groups      *groups
	memberships table[*Membership] // by canonical e-mail address
	doubtful    []atom             // groups that anybody may be in
}

func newDirectory() *directory {
	return &directory{atoms: newTable[atom](), groups: &groups{}, memberships: newTable[*Membership]()}
}

// same is whether principals of one are good in the other.
func (d *directory) same(o *directory) bool {
	return d.atoms.same(&o.atoms) && d.groups == o.groups && d.memberships.same(&o.memberships) &&
		slices.Equal(d.doubtful, o.doubtful)
}

// numbering gives numbers to terms while a program is compiled.
type numbering struct {
	atoms table[atom]
	draft *draft[atom] // nil until there is a new one
}

func (n *numbering) known(t term) (atom, bool) { return n.atoms.get(t) }

func (n *numbering) of(t term) atom {
	if a, ok := n.atoms.get(t); ok {
		return a
	}
	if n.draft == nil {
		n.draft = n.atoms.edit()
	}
	a := firstNamed + atom(n.atoms.size)
	n.draft.set(t, a)
	n.atoms = n.draft.table
	return a
}
