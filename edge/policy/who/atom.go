package who

import "math/bits"

// Atom numbers something that a principal can be and that a rule names.
type Atom uint32

// The atoms that every directory has.
const (
	Anyone Atom = iota
	Authenticated
	People
	ServiceAccounts
	// ByAddress goes along with each user and domain that a rule names: who has
	// no address that is known may be any of them.
	ByAddress
	firstNamed
)

// Fixed are the principals without a name, as rules write them.
var Fixed = map[string]Atom{"anyone": Anyone, "authenticated": Authenticated, "people": People, "serviceAccounts": ServiceAccounts}

// Term is the name of what a principal can be: as rules write it, in canonical
// form, or a value of an identity provider's groups claim.
type Term string

// User is the term of an e-mail address.
func User(email string) Term { return Term("user:" + email) }

// Domain is the term of all addresses of a domain.
func Domain(domain string) Term { return Term("domain:" + domain) }

// Provider is the term of those who signed in there.
func Provider(id string) Term { return Term("idp:" + id) }

// Account is the term of a service account.
func Account(id string) Term { return Term("serviceAccount:" + id) }

func groupTerm(id string) Term { return Term("group:" + id) }

// Provider ids have no colon, so no two pairs share a term.
func claimTerm(idp, value string) Term { return Term("claim:" + idp + ":" + value) }

// Word is 64 neighbouring atoms of a sparse set of them.
type Word struct {
	At     uint32 // the first is 64 times this
	Surely uint64
	Maybe  uint64 // and not surely
}

// Word is which 64 atoms one is of.
func (a Atom) Word() uint32 { return uint32(a / 64) }

// Bit is the place of an atom in its word.
func (a Atom) Bit() uint64 { return 1 << (a % 64) }

// Position returns how many bits of a word come before one of them.
func Position(word, bit uint64) int { return bits.OnesCount64(word & (bit - 1)) }
