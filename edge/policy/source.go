package policy

import "time"

// Source is everything that policies of one tenant depend on.
type Source struct {
	Apps            []App
	Roles           []Role // beside the predefined viewer, user and admin
	Groups          []Group
	Policies        []Policy
	Providers       []string // ids of identity providers
	ServiceAccounts []string // ids
}

// App is what policies are attached to.
type App struct {
	ID         string
	Disabled   bool        // by its owner: deny.app_disabled
	Closed     bool        // something about it was not understood: deny.app_closed
	Operations []Operation // none: read and write
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

// Group is a named set of people and machines.
type Group struct {
	ID      string
	Members []Member
}

// Member is one of: a user by e-mail address, a service account, another group,
// a claim of an identity provider.
type Member struct {
	User           string
	ServiceAccount string
	Group          string
	IDPGroup       IDPGroup
}

// IDPGroup is a value of an identity provider's groups claim.
type IDPGroup struct {
	IDP  string
	Name string
}

// Policy is a set of rules for apps. The order of rules means nothing.
type Policy struct {
	ID    string
	Apps  []string
	Rules []Rule
}

// Rule has a scope (who does what) and conditions. In ALLOW and DENY both are
// one clause; in REQUIRE the scope says for whom the conditions must hold.
type Rule struct {
	ID         string
	Effect     Effect
	Principals []string // user: group: domain: serviceAccount: idp: people serviceAccounts authenticated anyone
	Roles      []string // exactly one of Roles
	Operations []string // and Operations: names, "invoices.*" or "*"
	Conditions Conditions
	// Remediation tells a person who was denied what to do.
	Remediation string
}

// Effect is what a rule does when it counts.
type Effect string

// The effects.
const (
	AllowEffect   Effect = "ALLOW"
	DenyEffect    Effect = "DENY"
	RequireEffect Effect = "REQUIRE"
)

// Conditions must all hold. Nil means that there is no such condition; empty
// and not nil is refused, because empty is never "everything".
type Conditions struct {
	SourceCIDRs []string  // the source address is in one of them
	IDPs        []string  // signed in at one of them
	MembersOf   []string  // in one of these groups
	NotBefore   time.Time // from this instant
	NotAfter    time.Time // until just before this instant
}
