package policy

import "math/bits"

// atom numbers something that a principal can be and that a rule names. Numbers
// are given in order of appearance and never again for something else, so that
// a rule compiled for one program is good in the next.
type atom uint32

// The atoms that every program has.
const (
	anyone atom = iota
	authenticated
	people
	serviceAccounts
	firstNamed
)

// term is the name of what a principal can be: as rules write it, in canonical
// form, or a value of an identity provider's groups claim.
type term = string

func userTerm(email string) term       { return "user:" + email }
func domainTerm(domain string) term    { return "domain:" + domain }
func groupTerm(id string) term         { return "group:" + id }
func providerTerm(id string) term      { return "idp:" + id }
func accountTerm(id string) term       { return "serviceAccount:" + id }
func claimTerm(idp, value string) term { return "claim:" + idp + "\x00" + value }

// atomWord is 64 neighbouring atoms of a sparse set of them.
type atomWord struct {
	at     uint32 // the first is 64 times this
	surely uint64
	maybe  uint64 // and not surely
}

func (a atom) word() uint32 { return uint32(a / 64) }
func (a atom) bit() uint64  { return 1 << (a % 64) }

// position returns how many atoms of a word come before one of its bits.
func position(word, bit uint64) int { return bits.OnesCount64(word & (bit - 1)) }
