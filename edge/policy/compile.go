package policy

import (
	"maps"
	"slices"
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
		if c := newCompiler(p, s); c.compile() {
			return c.program, c.problems()
		}
	}
	c := newCompiler(emptyProgram(), s)
	c.compile()
	return c.program, c.problems()
}

// compiler makes a program of the one before and of what has changed.
type compiler struct {
	before, program *Program

	apps        delta[App]
	roles       delta[Role]
	groups      delta[Group]
	memberships delta[Membership]
	policies    delta[Policy]
	grants      delta[Grant]
	appByID     map[string]*App // apps that changed; nil: is gone

	namesChanged bool          // of identity providers or service accounts
	lost         map[need]bool // what could be named before and is no more, or is another
	numbers      numbering
	findings     map[place][]finding

	unit *unit // that is compiled, and notes what it names

	joining       map[string][]*policyUnit // by app: policies that are new and name it
	railing       []*policyUnit            // guard-rails that are new
	railsChanged  []*policyUnit            // and those that are gone
	leaving       map[*policyUnit]bool
	joiningGrants map[string][]*grantUnit
	leavingGrants map[*grantUnit]bool
	dirty         map[string]bool // apps to be made again
}

// need is something that a policy names.
type need struct {
	kind kind
	id   string
}

func newCompiler(before *Program, s Source) *compiler {
	c := &compiler{
		before:        before,
		apps:          difference(before.source.Apps, s.Apps, func(a *App) string { return a.ID }),
		roles:         difference(before.source.Roles, s.Roles, func(r *Role) string { return r.ID }),
		groups:        difference(before.source.Groups, s.Groups, func(g *Group) string { return g.ID }),
		memberships:   difference(before.source.Memberships, s.Memberships, (*Membership).email),
		policies:      difference(before.source.Policies, s.Policies, func(p *Policy) string { return p.ID }),
		grants:        difference(before.source.Grants, s.Grants, func(g *Grant) string { return g.ID }),
		appByID:       map[string]*App{},
		lost:          map[need]bool{},
		numbers:       numbering{atoms: before.directory.atoms},
		findings:      maps.Clone(before.findings),
		joining:       map[string][]*policyUnit{},
		leaving:       map[*policyUnit]bool{},
		joiningGrants: map[string][]*grantUnit{},
		leavingGrants: map[*grantUnit]bool{},
		dirty:         map[string]bool{},
	}
	if c.findings == nil {
		c.findings = map[place][]finding{}
	}
	c.program = &Program{
		danglingGrants: map[*Grant]bool{},
		source: Source{
			Apps: c.apps.list, Roles: c.roles.list, Groups: c.groups.list, Memberships: c.memberships.list,
			Policies: c.policies.list, Grants: c.grants.list, Providers: s.Providers, ServiceAccounts: s.ServiceAccounts,
		},
		directory: &directory{},
		lending:   &lending{},
		usage:     before.usage,
		compact:   before.compact,
		whole:     !c.ambiguous(),
	}
	return c
}

func (c *compiler) ambiguous() bool {
	return len(c.apps.twice)+len(c.roles.twice)+len(c.groups.twice)+len(c.memberships.twice)+len(c.policies.twice)+len(c.grants.twice) > 0
}

// scattered is whether most numbers of atoms may be of what is no more.
func (p *Program) scattered() bool { return atom(p.directory.atoms.size) > 4*p.compact+4096 }

// compile is false if the result depends on more than what has changed: if some
// id is there twice, or a limit is exceeded and not everything is there.
func (c *compiler) compile() (whole bool) {
	c.addNames()
	c.addGroups()
	c.addMemberships()
	c.addRoles()
	c.addPolicies()
	c.addGrants()
	c.addApps()
	c.finish()
	return c.program.whole
}

// addNames notes what can be named, and what no more.
func (c *compiler) addNames() {
	p, before := c.program, c.before
	p.providers, p.accounts = before.providers, before.accounts
	if !slices.Equal(p.source.Providers, before.source.Providers) {
		p.providers = c.rename(providerKind, before.providers, p.source.Providers)
	}
	if !slices.Equal(p.source.ServiceAccounts, before.source.ServiceAccounts) {
		p.accounts = c.rename(accountKind, before.accounts, p.source.ServiceAccounts)
	}
	for _, a := range c.apps.gone {
		c.appByID[a.ID] = nil
	}
	for _, a := range c.apps.come {
		c.appByID[a.ID] = a
	}
	for id, a := range c.appByID {
		if a == nil {
			c.lost[need{appKind, id}] = true
		}
	}
}

func (c *compiler) rename(k kind, before map[string]bool, names []string) map[string]bool {
	c.namesChanged = true
	after := make(map[string]bool, len(names))
	for _, name := range names {
		after[name] = true
	}
	for name := range before {
		if !after[name] {
			c.lost[need{k, name}] = true
		}
	}
	return after
}

func (c *compiler) lostGroup() bool {
	for n := range c.lost {
		if n.kind == groupKind {
			return true
		}
	}
	return false
}

// app returns an app of the source, or nil.
func (c *compiler) app(id string) *App {
	if a, changed := c.appByID[id]; changed {
		return a
	}
	if a, ok := c.before.apps.get(id); ok {
		return a.src
	}
	return nil
}

func (c *compiler) finish() {
	p, before := c.program, c.before
	p.findings = c.findings
	p.directory.atoms = c.numbers.atoms
	if p.directory.same(before.directory) {
		p.directory = before.directory
	}
	if p.compact == 0 {
		p.compact = atom(p.directory.atoms.size)
	}
	p.stranger = p.Resolve(Identity{})
}
