package policytest

import "time"

// World is everything that decisions of one tenant depend on. Its fields, and
// those of what it holds, are named as in the engine. Nil lists are absent,
// empty ones are empty. What it points to is never changed once it is made.
type World struct {
	Apps            []*App
	Roles           []*Role
	Groups          []*Group
	Memberships     []*Membership
	Policies        []*Policy
	Grants          []*Grant
	Providers       []string
	ServiceAccounts []string
}

// App is what policies are attached to.
type App struct {
	ID         string
	Labels     map[string]string
	Disabled   bool
	Closed     bool
	Operations []Operation
}

// Operation has an access class: READ, WRITE or ADMIN.
type Operation struct {
	ID     string
	Access string
}

// Role is a set of operations, by name, wildcard or class.
type Role struct {
	ID         string
	Operations []string
	Access     []string
}

// Group is a set of people and machines.
type Group struct {
	ID      string
	Members []Member
}

// Member is exactly one of its fields.
type Member struct {
	User           string
	ServiceAccount string
	Group          string
	IDPGroup       IDPGroup
}

// IDPGroup is a value of a provider's groups claim.
type IDPGroup struct {
	IDP  string
	Name string
}

// Membership is one person's groups.
type Membership struct {
	User   string
	Groups []string
}

// Policy is attached by name or, as a guard-rail, by labels.
type Policy struct {
	ID         string
	Mode       string // ENFORCED or SHADOW
	Apps       []string
	Selector   []LabelRequirement
	Exemptions []Exemption
	Rules      []Rule
}

// LabelRequirement wants one of the values; Unset says what an app without the
// label is: MATCH or NO_MATCH.
type LabelRequirement struct {
	Key    string
	Values []string
	Unset  string
}

// Exemption takes principals out of a guard-rail's scope.
type Exemption struct {
	ID         string
	Principals []string
	Apps       []string // nil: all that the guard-rail reaches
	NotAfter   time.Time
}

// Rule is ALLOW, DENY or REQUIRE.
type Rule struct {
	ID          string
	Effect      string
	Principals  []string
	Roles       []string
	Operations  []string
	Conditions  Conditions
	Expression  string
	Description string
	Remediation string
}

// Grant is an ALLOW that ends.
type Grant struct {
	ID         string
	App        string
	Principals []string
	Roles      []string
	Operations []string
	NotBefore  time.Time
	NotAfter   time.Time
}

// Conditions must all hold.
type Conditions struct {
	SourceCIDRs []string
	Countries   []string
	TimeWindows []Window
	NotBefore   time.Time
	NotAfter    time.Time
	Device      *DeviceCondition
	MaxAuthAge  time.Duration
	RequiredACR []string
	RequiredAMR []string
	IDPs        []string
	MembersOf   []string
}

// Window is hours of days of the week, by the clocks of a zone.
type Window struct {
	Days  []string // MONDAY …; nil: every day
	Start string   // HH:MM
	End   string   // HH:MM up to 24:00; not after Start: on the next day
	Zone  string
}

// DeviceCondition wants all that it names of a device.
type DeviceCondition struct {
	Managed      bool
	Compliant    bool
	Posture      []string
	MaxReportAge time.Duration
}
