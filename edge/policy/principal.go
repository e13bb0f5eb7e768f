package policy

import (
	"slices"
	"strings"
)

// Principal is an [Identity] as one [Program] sees it. It is immutable, and
// made once per session and program by [Program.Resolve].
type Principal struct {
	identity Identity
	program  *Program
	surely   atomSet // clauses that are true for it
	maybe    atomSet // clauses that are unknown for it
}

// Groups returns the ids of the groups that the principal is surely in, in order.
func (p *Principal) Groups() []string {
	var ids []string
	for i, id := range p.program.groups {
		if p.surely.has(firstGroup + atom(i)) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (p *Principal) is(a atom) Truth {
	switch {
	case p.surely.has(a):
		return True
	case p.maybe.has(a):
		return Unknown
	}
	return False
}

// isAny is the disjunction of is.
func (p *Principal) isAny(atoms []atom) Truth {
	t := False
	for _, a := range atoms {
		t = max(t, p.is(a))
	}
	return t
}

// Resolve finds which of the principals that rules name an identity is, may be
// and is not.
func (p *Program) Resolve(id Identity) *Principal {
	who := &Principal{identity: id, program: p, surely: newAtomSet(p.size), maybe: newAtomSet(p.size)}
	who.surely.add(anyone)
	switch id.Kind {
	case Person:
		who.surely.add(authenticated)
		who.surely.add(people)
		p.resolvePerson(who)
	case Machine:
		who.surely.add(authenticated)
		who.surely.add(serviceAccounts)
		who.learn(term{serviceAccountTerm, id.ServiceAccount}, True)
	default:
		return who
	}
	for _, g := range p.broken {
		who.join(g, Unknown)
	}
	return who
}

func (p *Program) resolvePerson(who *Principal) {
	id := who.identity
	who.learn(term{idpTerm, id.IDP}, True)
	if email, ok := CanonicalEmail(id.Email); ok {
		known := Unknown
		if id.EmailVerified && id.EmailDomainOwned {
			known = True
		}
		who.learn(term{userTerm, email}, known)
		_, domain, _ := strings.Cut(email, "@")
		who.learn(term{domainTerm, domain}, known)
	}
	for _, name := range id.Groups {
		who.learn(term{claimTerm, claimName(id.IDP, name)}, True)
	}
	if id.GroupsComplete {
		return
	}
	for _, name := range p.claims[id.IDP] {
		if !slices.Contains(id.Groups, name) && !slices.Contains(id.GroupsAbsent, name) {
			who.learn(term{claimTerm, claimName(id.IDP, name)}, Unknown)
		}
	}
}

// learn notes what a term is for the principal, and what follows for groups.
func (p *Principal) learn(t term, known Truth) {
	if a, ok := p.program.atoms[t]; ok {
		p.note(a, known)
	}
	for _, g := range p.program.memberOf[t] {
		p.join(g, known)
	}
}

// join notes membership of a group and of all groups that contain it.
func (p *Principal) join(group int, known Truth) {
	for _, g := range p.program.within[group] {
		p.note(firstGroup+atom(g), known)
	}
}

func (p *Principal) note(a atom, known Truth) {
	switch known {
	case True:
		p.surely.add(a)
	case Unknown:
		p.maybe.add(a)
	}
}
