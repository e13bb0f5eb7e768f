package policy

import (
	"slices"
	"strings"
)

// Kind tells strangers, people and machines apart.
type Kind int8

// The kinds. The zero value is a stranger.
const (
	Anonymous Kind = iota
	Person
	Machine
)

// Identity is what is known of who makes a request, as its credential says it.
type Identity struct {
	Kind Kind

	// Of a person.
	IDP              string
	Email            string
	EmailVerified    bool     // by the provider, as JSON true
	EmailDomainOwned bool     // the address's domain belongs to that provider
	Groups           []string // values of the provider's groups claim
	GroupsComplete   bool     // Groups is all of them; if not, others are unknown…
	GroupsAbsent     []string // …but for these, which it surely has not

	// Of a machine.
	ServiceAccount string
}

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

func (p *Principal) is(a atom) truth {
	switch {
	case p.surely.has(a):
		return isTrue
	case p.maybe.has(a):
		return isUnknown
	}
	return isFalse
}

// isAny is the disjunction of is.
func (p *Principal) isAny(atoms []atom) truth {
	t := isFalse
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
		who.learn(term{serviceAccountTerm, id.ServiceAccount}, isTrue)
	default:
		return who
	}
	for _, g := range p.broken {
		who.join(g, isUnknown)
	}
	return who
}

func (p *Program) resolvePerson(who *Principal) {
	id := who.identity
	who.learn(term{idpTerm, id.IDP}, isTrue)
	if email, ok := CanonicalEmail(id.Email); ok {
		known := isUnknown
		if id.EmailVerified && id.EmailDomainOwned {
			known = isTrue
		}
		who.learn(term{userTerm, email}, known)
		_, domain, _ := strings.Cut(email, "@")
		who.learn(term{domainTerm, domain}, known)
	}
	for _, name := range id.Groups {
		who.learn(term{claimTerm, claimName(id.IDP, name)}, isTrue)
	}
	if id.GroupsComplete {
		return
	}
	for _, name := range p.claims[id.IDP] {
		if !slices.Contains(id.Groups, name) && !slices.Contains(id.GroupsAbsent, name) {
			who.learn(term{claimTerm, claimName(id.IDP, name)}, isUnknown)
		}
	}
}

// learn notes what a term is for the principal, and what follows for groups.
func (p *Principal) learn(t term, known truth) {
	if a, ok := p.program.atoms[t]; ok {
		p.note(a, known)
	}
	for _, g := range p.program.memberOf[t] {
		p.join(g, known)
	}
}

// join notes membership of a group and of all groups that contain it.
func (p *Principal) join(group int, known truth) {
	for _, g := range p.program.within[group] {
		p.note(firstGroup+atom(g), known)
	}
}

func (p *Principal) note(a atom, known truth) {
	switch known {
	case isTrue:
		p.surely.add(a)
	case isUnknown:
		p.maybe.add(a)
	}
}

// CanonicalEmail returns the one form in which addresses are compared: lower
// case, ASCII domain. It is false for what is not an address.
func CanonicalEmail(s string) (string, bool) {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > 254 || strings.ContainsFunc(local, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", false
	}
	if _, ok := canonicalDomain(domain); !ok {
		return "", false
	}
	return strings.ToLower(s), true
}

// canonicalDomain accepts names of at least two labels: letters, digits, hyphens.
func canonicalDomain(s string) (string, bool) {
	labels := strings.Split(s, ".")
	if len(labels) < 2 || len(s) > 253 {
		return "", false
	}
	for _, l := range labels {
		if l == "" || l[0] == '-' || l[len(l)-1] == '-' || strings.ContainsFunc(l, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-')
		}) {
			return "", false
		}
	}
	return strings.ToLower(s), true
}
