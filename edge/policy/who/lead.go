package who

import (
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// Claims are the values of an identity provider's groups claim that groups have
// as members, in order. They are not to be changed.
func (d *Directory) Claims(idp string) []string { return d.groups.claims[idp] }

// Lead is what values of a claim make of somebody.
type Lead struct {
	atoms  []Word
	groups []string
}

// Lead finds what values of a provider's claim make of whoever has some of them,
// and perhaps has others. It costs what they lead to, however many there are.
func (d *Directory) Lead(idp string, has, perhaps []string) *Lead {
	r := resolver{Directory: d, truths: map[Atom]truth.Value{}}
	for _, name := range has {
		r.learn(claimTerm(idp, name), truth.True)
	}
	for _, name := range perhaps {
		r.learn(claimTerm(idp, name), truth.Unknown)
	}
	l := &Lead{}
	l.atoms, l.groups = r.result()
	return l
}

// Size is about how many bytes it has.
func (l *Lead) Size() int { return 64 + 24*len(l.atoms) + 16*len(l.groups) }

// With is who a principal of the same directory is with values of its provider's
// claim besides those that it was resolved with. Nothing that was sure or unknown
// becomes less so. Its identity is still the one that was resolved.
func (p *Principal) With(l *Lead) *Principal {
	if len(l.atoms) == 0 {
		return p
	}
	other := *p
	other.atoms = union(p.atoms, l.atoms)
	if len(l.groups) > 0 {
		other.groups = slices.Concat(p.groups, l.groups)
		slices.Sort(other.groups)
		other.groups = slices.Compact(other.groups)
	}
	return &other
}

// Size is about how many bytes it has, without its identity.
func (p *Principal) Size() int { return 512 + 24*len(p.atoms) + 16*len(p.groups) }

// union is what is known by either of two lists.
func union(a, b []Word) []Word {
	list := make([]Word, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].At < b[0].At:
			list, a = append(list, a[0]), a[1:]
		case b[0].At < a[0].At:
			list, b = append(list, b[0]), b[1:]
		default:
			surely := a[0].Surely | b[0].Surely
			list, a, b = append(list, Word{At: a[0].At, Surely: surely, Maybe: (a[0].Maybe | b[0].Maybe) &^ surely}), a[1:], b[1:]
		}
	}
	return append(append(list, a...), b...)
}
