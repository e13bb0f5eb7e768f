package policy

import (
	"github.com/sallyport-iap/sallyport/edge/policy/clause"
	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

// The facts of a decision: see packages clause and who.
type (
	// Request is what a decision reads.
	Request = clause.Request
	// Device is what was reported of the device that a request comes from.
	Device = clause.Device
	// Principal is an [Identity] as one [Program] sees it.
	Principal = who.Principal
	// Lead is what values of a claim make of a principal.
	Lead = who.Lead
	// Identity is what is known of who makes a request.
	Identity = who.Identity
	// Asked is what the identity provider was asked for by step-ups.
	Asked = who.Asked
	// Kind tells strangers, people and machines apart.
	Kind = who.Kind
)

// The kinds.
const (
	Anonymous = who.Anonymous
	Person    = who.Person
	Machine   = who.Machine
)

// CanonicalEmail returns the one form in which addresses are compared. It is
// false for what is not an address.
func CanonicalEmail(s string) (string, bool) { return who.CanonicalEmail(s) }

// SameDomain says whether two domains are one, as addresses are compared.
func SameDomain(a, b string) bool { return who.SameDomain(a, b) }
