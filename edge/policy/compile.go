package policy

import (
	"iter"
	"maps"
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy/clause"
	"github.com/sallyport-iap/sallyport/edge/policy/incremental"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

// Compile checks a source and makes its program. There is always a program, and
// it never allows more than the source says: whatever a [Problem] bears on is
// closed or unknown in it. The order of anything in the source does not matter;
// problems come by kind (apps, groups, memberships, roles, policies, grants),
// then by id.
func Compile(s Source) (*Program, []Problem) { return emptyProgram().Recompile(s) }

// Recompile is Compile, and uses again what the program has of everything that
// the source shares with its own.
func (p *Program) Recompile(s Source) (*Program, []Problem) {
	if p.whole && !p.scattered() {
		// What is there twice closes apps, and they must not be those of this program.
		if c := newCompiler(p, s); c.program.whole && c.compile() {
			return c.program, c.problems.Problems(c.known)
		}
	}
	c := newCompiler(emptyProgram(), s)
	c.compile()
	return c.program, c.problems.Problems(c.known)
}

// compiler makes a program of the one before and of what has changed.
type compiler struct {
	before, program *Program

	apps        incremental.Delta[App]
	roles       incremental.Delta[Role]
	groups      incremental.Delta[Group]
	memberships incremental.Delta[Membership]
	policies    incremental.Delta[Policy]
	grants      incremental.Delta[Grant]

	problems *problem.List
	who      *who.Draft
	clauses  clause.Compiler
	unit     *unit // that is compiled, and notes what it names

	lost         map[problem.Place]bool // what could be named before and is no more, or is another
	appByID      map[string]*App        // apps that changed; nil: is gone
	joining      map[string][]*unit     // by app: units that are new and name it
	leaving      map[*unit]bool         // units that are gone, or made again
	railsChanged []*unit                // guard-rails among both
	dirty        map[string]bool        // apps to be made again
}

func newCompiler(before *Program, s Source) *compiler {
	c := &compiler{
		before:      before,
		apps:        incremental.Difference(before.source.Apps, s.Apps, func(a *App) string { return a.ID }),
		roles:       incremental.Difference(before.source.Roles, s.Roles, func(r *Role) string { return r.ID }),
		groups:      incremental.Difference(before.source.Groups, s.Groups, func(g *Group) string { return g.ID }),
		memberships: incremental.Difference(before.source.Memberships, s.Memberships, (*Membership).Key),
		policies:    incremental.Difference(before.source.Policies, s.Policies, func(p *Policy) string { return p.ID }),
		grants:      incremental.Difference(before.source.Grants, s.Grants, func(g *Grant) string { return g.ID }),
		problems:    before.problems.Clone(),
		lost:        map[problem.Place]bool{},
		appByID:     map[string]*App{},
		joining:     map[string][]*unit{},
		leaving:     map[*unit]bool{},
		dirty:       map[string]bool{},
	}
	c.who = before.directory.Edit(c.problems)
	c.clauses = clause.Compiler{Problems: c.problems, Provider: c.providerNamed, Group: c.groupNamed}
	c.program = &Program{
		source: Source{
			Apps: c.apps.List, Roles: c.roles.List, Groups: c.groups.List, Memberships: c.memberships.List,
			Policies: c.policies.List, Grants: c.grants.List, Providers: s.Providers, ServiceAccounts: s.ServiceAccounts,
		},
		problems: c.problems,
		lender:   &clause.Lender{},
		usage:    before.usage,
		compact:  before.compact,
		whole:    !c.ambiguous(),
	}
	return c
}

func (c *compiler) ambiguous() bool {
	return len(c.apps.Twice)+len(c.roles.Twice)+len(c.groups.Twice)+len(c.memberships.Twice)+len(c.policies.Twice)+len(c.grants.Twice) > 0
}

// scattered is whether most numbers of atoms may be of what is no more.
func (p *Program) scattered() bool { return p.directory.Size() > 4*p.compact+4096 }

// compile is false if the result depends on more than what has changed: a limit
// is exceeded and not everything is there, or some id is there twice.
func (c *compiler) compile() (whole bool) {
	c.who.Names(c.program.source.Providers, c.program.source.ServiceAccounts)
	c.who.Groups(&c.groups)
	c.who.Memberships(&c.memberships)
	c.noteChanges()
	c.addRoles()
	c.addUnits()
	c.addApps()

	p := c.program
	p.directory = c.who.Done()
	if p.compact == 0 {
		p.compact = p.directory.Size()
	}
	p.stranger = p.Resolve(Identity{})
	return p.whole
}

// noteChanges notes what could be named before, and is no more.
func (c *compiler) noteChanges() {
	for _, p := range c.who.Lost() {
		c.lost[p] = true
	}
	for _, a := range c.apps.Gone {
		c.appByID[a.ID] = nil
	}
	for _, a := range c.apps.Come {
		c.appByID[a.ID] = a
	}
	for id, a := range c.appByID {
		if a == nil {
			c.lost[problem.Place{Kind: problem.App, ID: id}] = true
		}
	}
}

// app returns an app of the source, or nil.
func (c *compiler) app(id string) *App {
	if a, changed := c.appByID[id]; changed {
		return a
	}
	if a, ok := c.before.apps.Get(id); ok {
		return a.src
	}
	return nil
}

// known is every name that a missing one could have been.
func (c *compiler) known(m *problem.Missing) iter.Seq[string] {
	switch m.Kind {
	case problem.App:
		return namesOf(c.apps.List, func(a *App) string { return a.ID })
	case problem.Group:
		return namesOf(c.groups.List, func(g *Group) string { return g.ID })
	case problem.Role:
		return maps.Keys(c.program.roles)
	case problem.Provider:
		return slices.Values(c.program.source.Providers)
	case problem.Account:
		return slices.Values(c.program.source.ServiceAccounts)
	}
	return func(yield func(string) bool) {
		for _, id := range m.Apps {
			for _, op := range c.app(id).operations() {
				if !yield(op.ID) {
					return
				}
			}
		}
	}
}

func namesOf[T any](list []*T, id func(*T) string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, v := range list {
			if !yield(id(v)) {
				return
			}
		}
	}
}
