package policy

import "sort"

// Program is a compiled [Source]. It is immutable and safe for concurrent use.
type Program struct {
	apps      table[*app] // by id
	directory *directory
	stranger  *Principal
	lending   *lending

	// What the next program is made of, where nothing has changed.
	source         Source // lists in order of ids
	roles          map[string]*role
	providers      map[string]bool
	accounts       map[string]bool
	policies       table[*policyUnit] // by id
	grants         table[*grantUnit]  // by id
	rails          []*policyUnit      // those that select by labels, in order of ids
	dangling       map[*Policy]bool   // policies that name what does not exist
	danglingGrants map[*Grant]bool
	uncertain      []*Membership // memberships that have a problem
	findings       map[place][]finding
	usage          usage
	compact        atom // number of atoms when the numbering began
	whole          bool // no id is there twice, and no limit of the tenant is exceeded: what is there can be used again
}

func emptyProgram() *Program {
	p := &Program{
		apps: newTable[*app](), directory: newDirectory(), policies: newTable[*policyUnit](), grants: newTable[*grantUnit](),
		roles: predefined(), whole: true,
	}
	return p
}

// app is a compiled [App] with all rules that reach it.
type app struct {
	src        *App
	policies   []*policyUnit // in order of ids
	grants     []*grantUnit  // in order of ids
	refusal    Reason        // of every request, or ""
	operations operations
	shadows    []shadow
	usage      usage
}

// shadow is a policy that is judged beside the enforced ones.
type shadow struct {
	policy     *policyUnit
	operations operations
}

// operations is in order of ids.
type operations []namedOperation

type namedOperation struct {
	id string
	operation
}

// get returns nil if there is none.
func (list operations) get(id string) *operation {
	i := sort.Search(len(list), func(i int) bool { return list[i].id >= id })
	if i == len(list) || list[i].id != id {
		return nil
	}
	return &list[i].operation
}

// operation is the rules that can matter for an operation: DENYs, then REQUIREs,
// then ALLOWs, each in the order in which they are told.
type operation struct {
	first block
	more  []block
	hint  string // the remediation of the first ALLOW that has one
}

// rule is a compiled [Rule], or a [Grant] in the form of one.
type rule struct {
	policy, id  string
	remediation string
	requirement
	effect effect
	public bool // it names anyone

	exemptions []exemption // of a guard-rail
	src        *Rule
	unit       *policyUnit // nil for a grant
	grant      *Grant
	principals []atom // in order
	picks      []selector
}

// effect is an [Effect], in the order of the decision procedure.
type effect int8

const (
	denies effect = iota
	requires
	allows
	effectCount int = iota
)

// ClosedApps returns the ids of the apps that are closed because something
// about them was not understood, in order.
func (p *Program) ClosedApps() []string {
	var ids []string
	for _, src := range p.source.Apps {
		if a, ok := p.apps.get(src.ID); ok && a.refusal == DenyAppClosed {
			ids = append(ids, src.ID)
		}
	}
	return ids
}

func (a *App) operations() []Operation {
	if a == nil {
		return nil
	}
	if len(a.Operations) == 0 {
		return []Operation{{"read", Read}, {"write", Write}}
	}
	return a.Operations
}
