package policy

import (
	"sort"

	"github.com/sallyport-iap/sallyport/edge/policy/clause"
	"github.com/sallyport-iap/sallyport/edge/policy/incremental"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

// Program is a compiled [Source]. It is immutable and safe for concurrent use.
type Program struct {
	apps      incremental.Table[*app] // by id
	directory *who.Directory
	stranger  *Principal
	lender    *clause.Lender

	// What the next program is made of, where nothing has changed.
	source   Source // lists in order of ids
	roles    map[string]*role
	units    incremental.Table[*unit] // by place
	rails    []*unit                  // guard-rails, in order
	dangling map[*unit]bool           // units that name what does not exist
	problems *problem.List
	usage    usage
	compact  int  // number of atoms when the numbering began
	whole    bool // no id is there twice, and no limit of the tenant is exceeded: what is there can be used again
}

func emptyProgram() *Program {
	return &Program{
		apps: incremental.NewTable[*app](), directory: who.NewDirectory(), units: incremental.NewTable[*unit](),
		roles: predefined(), problems: &problem.List{}, whole: true,
	}
}

// Resolve finds which of the principals that rules name an identity is, may be
// and is not. It is done once per session and program.
func (p *Program) Resolve(id Identity) *Principal { return p.directory.Resolve(id) }

// Claims are the values of an identity provider's groups claim that groups have
// as members, in order. They are not to be changed.
func (p *Program) Claims(idp string) []string { return p.directory.Claims(idp) }

// Lead finds what values of a provider's claim make of whoever has some of them,
// and perhaps has others: for [Principal.With].
func (p *Program) Lead(idp string, has, perhaps []string) *Lead {
	return p.directory.Lead(idp, has, perhaps)
}

// app is a compiled [App] with all rules that reach it.
type app struct {
	src        *App
	units      []*unit // in order
	refusal    Reason  // of every request, or ""
	operations operations
	shadows    []shadow
	usage      usage
}

// shadow is a policy that is judged beside the enforced ones.
type shadow struct {
	unit       *unit
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

// ClosedApps returns the ids of the apps that are closed because something
// about them was not understood, in order.
func (p *Program) ClosedApps() []string {
	var ids []string
	for _, src := range p.source.Apps {
		if a, ok := p.apps.Get(src.ID); ok && a.refusal == DenyAppClosed {
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
