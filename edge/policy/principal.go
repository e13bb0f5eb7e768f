package policy

import (
	"slices"
	"sort"
)

// Principal is an [Identity] as one [Program] sees it. It is immutable, and
// made once per session and program by [Program.Resolve].
type Principal struct {
	identity  Identity
	directory *directory
	atoms     []atomWord // in order; what is not there, the principal is not
	groups    []string
	// The address that rules can name, "" if nobody vouches for it.
	email, domain string
}

// Groups returns the ids of the groups that the principal is surely in, in
// order. They are not to be changed.
func (p *Principal) Groups() []string { return p.groups }

func (p *Principal) is(a atom) Truth {
	i := sort.Search(len(p.atoms), func(i int) bool { return p.atoms[i].at >= a.word() })
	switch {
	case i == len(p.atoms) || p.atoms[i].at != a.word():
		return False
	case p.atoms[i].surely&a.bit() != 0:
		return True
	case p.atoms[i].maybe&a.bit() != 0:
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
	r := resolver{directory: p.directory, truths: map[atom]Truth{}}
	r.note(anyone, True)
	switch id.Kind {
	case Person:
		r.note(authenticated, True)
		r.note(people, True)
		r.person(&id, p.source.Providers)
	case Machine:
		r.note(authenticated, True)
		r.note(serviceAccounts, True)
		r.learn(accountTerm(id.ServiceAccount), True)
	}
	if id.Kind != Anonymous {
		for _, g := range slices.Concat(p.directory.groups.broken, p.directory.doubtful) {
			r.join(g, Unknown)
		}
	}
	who := &Principal{identity: id, directory: p.directory}
	if id.vouched() == True {
		who.email, who.domain, _ = id.address()
	}
	who.atoms, who.groups = r.result()
	return who
}

// resolver gathers what a principal is.
type resolver struct {
	directory *directory
	truths    map[atom]Truth // without those that are false
}

func (r *resolver) person(id *Identity, providers []string) {
	if email, domain, ok := id.address(); ok {
		r.learn(userTerm(email), id.vouched())
		r.learn(domainTerm(domain), id.vouched())
		if m, ok := r.directory.memberships.get(email); ok {
			for _, g := range m.Groups {
				r.learn(groupTerm(g), id.vouched())
			}
		}
	}
	if id.IDP == "" {
		// A fact that is missing: somebody tells less than a session would.
		for _, idp := range providers {
			r.learn(providerTerm(idp), Unknown)
			r.claims(idp, nil)
		}
		return
	}
	r.learn(providerTerm(id.IDP), True)
	for _, name := range id.Groups {
		r.learn(claimTerm(id.IDP, name), True)
	}
	if id.GroupsComplete {
		return
	}
	absent := make(map[string]bool, len(id.GroupsAbsent))
	for _, name := range id.GroupsAbsent {
		absent[name] = true
	}
	r.claims(id.IDP, absent)
}

// claims notes that all of a provider's claims may be there that are not absent.
// What is surely there was noted before.
func (r *resolver) claims(idp string, absent map[string]bool) {
	for _, name := range r.directory.groups.claims[idp] {
		if !absent[name] {
			r.learn(claimTerm(idp, name), Unknown)
		}
	}
}

// learn notes what a term is for the principal, and what follows for groups.
func (r *resolver) learn(t term, known Truth) {
	if a, ok := r.directory.atoms.get(t); ok {
		r.join(a, known)
	}
	for _, g := range r.directory.groups.direct[t] {
		r.join(g, known)
	}
}

// join notes an atom and, if it is a group, all groups that contain it.
func (r *resolver) join(a atom, known Truth) {
	if !r.note(a, known) {
		return
	}
	for _, parent := range r.directory.groups.parents[a] {
		r.join(parent, known)
	}
}

// note is false if nothing is new.
func (r *resolver) note(a atom, known Truth) bool {
	if before, ok := r.truths[a]; ok && before >= known {
		return false
	}
	r.truths[a] = known
	return true
}

func (r *resolver) result() (words []atomWord, groups []string) {
	atoms := make([]atom, 0, len(r.truths))
	for a := range r.truths {
		atoms = append(atoms, a)
	}
	slices.Sort(atoms)
	for _, a := range atoms {
		if n := len(words); n == 0 || words[n-1].at != a.word() {
			words = append(words, atomWord{at: a.word()})
		}
		w := &words[len(words)-1]
		if r.truths[a] == Unknown {
			w.maybe |= a.bit()
			continue
		}
		w.surely |= a.bit()
		if id, ok := r.directory.groups.names[a]; ok {
			groups = append(groups, id)
		}
	}
	slices.Sort(groups)
	return words, groups
}
