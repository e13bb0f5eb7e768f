package who

import (
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy/incremental"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
)

// Group is a named set of people and machines.
type Group struct {
	ID      string
	Members []Member
}

// Member is one of: a user by e-mail address, a service account, another group,
// a claim of an identity provider.
type Member struct {
	User           string
	ServiceAccount string
	Group          string
	IDPGroup       IDPGroup
}

// IDPGroup is a value of an identity provider's groups claim.
type IDPGroup struct {
	IDP  string
	Name string
}

// groups is who is in which group, but for memberships.
type groups struct {
	ids     map[string]Atom
	names   map[Atom]string     // the other way round
	direct  map[Term][]Atom     // groups that have the term as a member
	parents map[Atom][]Atom     // groups that have the group as a member
	claims  map[string][]string // by provider: the claim values that groups have as members
	users   []Atom              // groups that have somebody as a member by address
	broken  []Atom              // groups that are not understood: who is not surely in one is perhaps in it
}

// Groups notes who is in which group. What a group's members are is small, and
// read again whenever something changes: people in numbers come as memberships.
func (d *Draft) Groups(delta *incremental.Delta[Group]) {
	if !delta.Changed() && !d.renamed {
		return
	}
	for _, src := range slices.Concat(delta.Gone, delta.List) {
		d.problems.Forget(problem.Place{Kind: problem.Group, ID: src.ID})
	}
	d.groups = &groups{
		ids: make(map[string]Atom, len(delta.List)), names: make(map[Atom]string, len(delta.List)),
		direct: map[Term][]Atom{}, parents: map[Atom][]Atom{}, claims: map[string][]string{},
	}
	for _, src := range delta.List {
		a := d.Atom(groupTerm(src.ID))
		d.groups.ids[src.ID], d.groups.names[a] = a, src.ID
	}
	for _, src := range delta.Gone {
		if _, ok := d.groups.ids[src.ID]; !ok {
			d.lost = append(d.lost, problem.Place{Kind: problem.Group, ID: src.ID})
		}
	}
	d.members(delta)
}

func (d *Draft) members(delta *incremental.Delta[Group]) {
	for _, src := range delta.List {
		at := problem.In(problem.Group, src.ID)
		if src.ID == "" {
			d.problems.Add(at, "", problem.Required, "a group has an id")
		}
		for i := range src.Members {
			d.member(d.groups.ids[src.ID], &src.Members[i], at.Of("members", i))
		}
	}
	for _, src := range delta.Twice {
		d.problems.Add(problem.In(problem.Group, src.ID), "", problem.Invalid, "group %s is there twice", problem.Quote(src.ID))
	}
	tangled := checkNesting(delta.List, d.problems)
	for _, src := range delta.List {
		if tangled[src.ID] || d.problems.At(problem.Place{Kind: problem.Group, ID: src.ID}) {
			d.groups.broken = append(d.groups.broken, d.groups.ids[src.ID])
		}
	}
	for idp, claims := range d.groups.claims {
		slices.Sort(claims)
		d.groups.claims[idp] = slices.Compact(claims)
	}
}

func (d *Draft) member(group Atom, m *Member, at problem.Path) {
	g, named := d.groups, 0
	for _, set := range []bool{m.User != "", m.ServiceAccount != "", m.Group != "", m.IDPGroup != IDPGroup{}} {
		if set {
			named++
		}
	}
	add := func(t Term) { g.direct[t] = append(g.direct[t], group) }
	switch idp := m.IDPGroup.IDP; {
	case named != 1:
		d.problems.Add(at, "", problem.Invalid, "a member is exactly one of user, service_account, group, idp_group")
	case m.User != "":
		if email, ok := CanonicalEmail(m.User); ok {
			add(User(email))
			if k := len(g.users); k == 0 || g.users[k-1] != group {
				g.users = append(g.users, group)
			}
		} else {
			d.problems.Add(at, "user", problem.Invalid, NotEmail, problem.Quote(m.User))
		}
	case m.ServiceAccount != "":
		if d.accounts[m.ServiceAccount] {
			add(Account(m.ServiceAccount))
		} else {
			d.problems.Missing(at, "service_account", problem.Missing{Kind: problem.Account, ID: m.ServiceAccount})
		}
	case m.Group != "":
		if child, ok := g.ids[m.Group]; ok {
			g.parents[child] = append(g.parents[child], group)
		} else {
			d.problems.Missing(at, "group", problem.Missing{Kind: problem.Group, ID: m.Group})
		}
	case !d.providers[idp]:
		d.problems.Missing(at, "idp_group.idp", problem.Missing{Kind: problem.Provider, ID: idp})
	case m.IDPGroup.Name == "":
		d.problems.Add(at, "idp_group.name", problem.Required, "a claim's value is not empty")
	default:
		add(claimTerm(idp, m.IDPGroup.Name))
		g.claims[idp] = append(g.claims[idp], m.IDPGroup.Name)
	}
}

// NotEmail is said of what is no address.
const NotEmail = "%s is not an e-mail address"
