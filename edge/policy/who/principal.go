package who

import (
	"math/bits"
	"slices"
	"sort"

	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// Principal is an [Identity] as one [Directory] sees it. It is immutable.
type Principal struct {
	identity  Identity
	directory *Directory
	atoms     []Word // in order; what is not there, the principal is not
	groups    []string
	// The address that rules can name, "" if nobody vouches for it.
	email, domain string
}

// Identity is what was resolved. It is not to be changed.
func (p *Principal) Identity() *Identity { return &p.identity }

// Of says whether the principal was resolved by this directory.
func (p *Principal) Of(d *Directory) bool { return p.directory == d }

// Atoms are those that the principal is or may be, in order. They are not to be
// changed.
func (p *Principal) Atoms() []Word { return p.atoms }

// Groups returns the ids of the groups that the principal is surely in, in
// order. They are not to be changed.
func (p *Principal) Groups() []string { return p.groups }

// UnknownGroups returns the ids of the groups of which that is unknown.
func (p *Principal) UnknownGroups() []string {
	var list []string
	for _, w := range p.atoms {
		for set := w.Maybe; set != 0; set &= set - 1 {
			if id, ok := p.directory.groups.names[Atom(64*w.At)+Atom(bits.TrailingZeros64(set))]; ok {
				list = append(list, id)
			}
		}
	}
	slices.Sort(list)
	return list
}

// Address is the e-mail address that somebody vouches for, canonical, and its
// domain, or "".
func (p *Principal) Address() (email, domain string) { return p.email, p.domain }

// Is says whether the principal is what an atom stands for.
func (p *Principal) Is(a Atom) truth.Value {
	i := sort.Search(len(p.atoms), func(i int) bool { return p.atoms[i].At >= a.Word() })
	switch {
	case i == len(p.atoms) || p.atoms[i].At != a.Word():
		return truth.False
	case p.atoms[i].Surely&a.Bit() != 0:
		return truth.True
	case p.atoms[i].Maybe&a.Bit() != 0:
		return truth.Unknown
	}
	return truth.False
}

// IsAny is the disjunction of Is.
func (p *Principal) IsAny(atoms []Atom) truth.Value {
	t := truth.False
	for _, a := range atoms {
		t = max(t, p.Is(a))
	}
	return t
}

// In says whether the principal is in a group.
func (p *Principal) In(id string) truth.Value {
	a, ok := p.directory.groups.ids[id]
	if !ok {
		return truth.Unknown
	}
	return p.Is(a)
}

// String says in words who it is.
func (p *Principal) String() string {
	switch {
	case p.identity.Kind == Anonymous:
		return "a stranger"
	case p.identity.Kind == Machine:
		return "the service account " + p.identity.ServiceAccount
	case p.identity.Email == "" && p.domain != "":
		return "a person with an address in " + p.domain
	case p.identity.Email == "":
		return "a person of unknown address"
	case p.email == "":
		return p.identity.Email + " (an address that nobody vouches for)"
	default:
		return p.email
	}
}
