package policy

// atom numbers something that a principal can be: what a rule's principals and
// conditions name. Strangers' atom comes first, then the fixed ones, then the
// groups in order of their ids, then the rest.
type atom int

const (
	anyone atom = iota
	authenticated
	people
	serviceAccounts
	firstGroup
)

// term is something a principal can be by its credential alone.
type term struct {
	kind termKind
	name string
}

type termKind int8

const (
	userTerm termKind = iota
	domainTerm
	idpTerm
	serviceAccountTerm
	claimTerm
)

// claimName names a value of one provider's groups claim. Provider ids have no
// NUL, so no two pairs share a name.
func claimName(idp, value string) string { return idp + "\x00" + value }

// atomSet is a bitset. It is as large as its program has atoms.
type atomSet []uint64

func newAtomSet(size int) atomSet { return make(atomSet, (size+63)/64) }

func (s atomSet) add(a atom)      { s[a/64] |= 1 << (a % 64) }
func (s atomSet) has(a atom) bool { return s[a/64]&(1<<(a%64)) != 0 }
