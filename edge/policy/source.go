package policy

import (
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

// Source is everything that policies of one tenant depend on. It is immutable
// once it is given to [Compile]. A source that shares pointers with the one
// before costs [Program.Recompile] only what is not shared, and least if lists
// are in order of ids.
type Source struct {
	Apps            []*App
	Roles           []*Role // beside the predefined viewer, user and admin
	Groups          []*Group
	Memberships     []*Membership
	Policies        []*Policy
	Grants          []*Grant
	Providers       []string // ids of identity providers
	ServiceAccounts []string // ids
}

// App is what policies are attached to.
type App struct {
	ID         string
	Labels     map[string]string // what guard-rails select by
	Disabled   bool              // by its owner: deny.app_disabled
	Closed     bool              // something about it was not understood: deny.app_closed
	Operations []Operation       // none: read and write
}

// Operation is a thing that can be done in an app. Which request is which
// operation is decided before.
type Operation struct {
	ID     string
	Access Access
}

// Access says what kind of operation it is; roles may grant by it.
type Access string

// The access classes.
const (
	Read  Access = "READ"
	Write Access = "WRITE"
	Admin Access = "ADMIN"
)

func (a Access) valid() bool { return a == Read || a == Write || a == Admin }

// DefaultAccess is the class of an operation that declares none. It is never
// Admin, and Read only if no method changes anything. A WebSocket and a gRPC
// call say nothing about that by their method, so they are Write.
func DefaultAccess(methods []string) Access {
	for _, m := range methods {
		if m != "GET" && m != "HEAD" {
			return Write
		}
	}
	return Read
}

// Role is a named set of operations.
type Role struct {
	ID         string
	Operations []string // names, "invoices.*" or "*"
	Access     []Access
}

// Who is what: see package who.
type (
	// Group is a named set of people and machines.
	Group = who.Group
	// Member is a member of a group.
	Member = who.Member
	// IDPGroup is a value of an identity provider's groups claim.
	IDPGroup = who.IDPGroup
	// Membership is the groups of one person.
	Membership = who.Membership
)

// Grant is access for a while, such as an approved request: an ALLOW rule with
// an end. DENY and REQUIRE bind it as any other.
type Grant struct {
	ID         string
	App        string
	Principals []string
	Roles      []string // exactly one of Roles
	Operations []string // and Operations
	NotBefore  time.Time
	NotAfter   time.Time // required
}
