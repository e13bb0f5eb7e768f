package who

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// Resolve finds which of the principals that rules name an identity is, may be
// and is not.
func (d *Directory) Resolve(id Identity) *Principal {
	r := resolver{Directory: d, truths: map[Atom]truth.Value{}}
	r.note(Anyone, truth.True)
	switch id.Kind {
	case Person:
		r.note(Authenticated, truth.True)
		r.note(People, truth.True)
		r.person(&id)
	case Machine:
		r.note(Authenticated, truth.True)
		r.note(ServiceAccounts, truth.True)
		r.learn(Account(id.ServiceAccount), truth.True)
	}
	if id.Kind != Anonymous {
		for _, g := range slices.Concat(d.groups.broken, d.doubtful) {
			r.join(g, truth.Unknown)
		}
	}
	p := &Principal{identity: id, directory: d}
	if id.vouched() == truth.True {
		p.email, p.domain, _ = id.address()
	}
	p.atoms, p.groups = r.result()
	return p
}

// resolver gathers what a principal is.
type resolver struct {
	*Directory
	truths map[Atom]truth.Value // without those that are false
}

func (r *resolver) person(id *Identity) {
	email, domain, ok := id.address()
	switch {
	case domain != "":
		r.learn(Domain(domain), id.vouched())
	case id.Email == "":
		r.anybody()
	}
	if at := strings.LastIndexByte(id.Email, '@'); !ok && at >= 0 {
		// No rule can name it. But a provider that takes it for an address of a
		// domain may be right: RFC 5321 has more of them than we compare.
		r.learn(Domain(lower(id.Email[at+1:])), truth.Unknown)
	}
	if ok {
		r.learn(User(email), id.vouched())
		if m, ok := r.memberships.Get(email); ok {
			for _, g := range m.Groups {
				r.learn(groupTerm(g), id.vouched())
			}
		}
	}
	if id.IDP == "" {
		// A fact that is missing: somebody tells less than a session would.
		for idp := range r.providers {
			r.learn(Provider(idp), truth.Unknown)
			r.claims(idp, nil)
		}
		return
	}
	r.learn(Provider(id.IDP), truth.True)
	for _, name := range id.Groups {
		r.learn(claimTerm(id.IDP, name), truth.True)
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

// claims notes that any value of a provider's claim may be there, but for those
// that surely are not. What surely is there was noted before.
func (r *resolver) claims(idp string, absent map[string]bool) {
	for _, name := range r.groups.claims[idp] {
		if !absent[name] {
			r.learn(claimTerm(idp, name), truth.Unknown)
		}
	}
}

// learn notes what a term is for the principal, and what follows for groups.
func (r *resolver) learn(t Term, known truth.Value) {
	if a, ok := r.atoms.Get(string(t)); ok {
		r.join(a, known)
	}
	for _, g := range r.groups.direct[t] {
		r.join(g, known)
	}
}

// anybody notes all that goes by address.
func (r *resolver) anybody() {
	r.note(ByAddress, truth.Unknown)
	for _, g := range r.groups.users {
		r.join(g, truth.Unknown)
	}
	for id := range r.populated.All {
		r.learn(groupTerm(id), truth.Unknown)
	}
}

// join notes an atom and, if it is a group, all groups that contain it.
func (r *resolver) join(a Atom, known truth.Value) {
	if !r.note(a, known) {
		return
	}
	for _, parent := range r.groups.parents[a] {
		r.join(parent, known)
	}
}

// note is false if nothing is new.
func (r *resolver) note(a Atom, known truth.Value) bool {
	if before, ok := r.truths[a]; ok && before >= known {
		return false
	}
	r.truths[a] = known
	return true
}

func (r *resolver) result() (words []Word, groups []string) {
	atoms := make([]Atom, 0, len(r.truths))
	for a := range r.truths {
		atoms = append(atoms, a)
	}
	slices.Sort(atoms)
	for _, a := range atoms {
		if n := len(words); n == 0 || words[n-1].At != a.Word() {
			words = append(words, Word{At: a.Word()})
		}
		w := &words[len(words)-1]
		if r.truths[a] == truth.Unknown {
			w.Maybe |= a.Bit()
			continue
		}
		w.Surely |= a.Bit()
		if id, ok := r.groups.names[a]; ok {
			groups = append(groups, id)
		}
	}
	slices.Sort(groups)
	return words, groups
}
