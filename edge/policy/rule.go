package policy

import (
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/clause"
)

// Policy is a set of rules for apps. The order of rules means nothing.
//
// It is attached by name or by labels, never both. One that selects by labels is
// a guard-rail: it refuses and requires, and never allows, because an app that
// has not the label may well be meant.
type Policy struct {
	ID         string
	Mode       Mode
	Apps       []string
	Selector   []LabelRequirement // all of them
	Exemptions []Exemption        // of a guard-rail
	Rules      []Rule
}

// Mode says whether a policy is enforced, or judged beside those that are and
// only reported.
type Mode string

// The modes.
const (
	Enforced Mode = "ENFORCED"
	Shadow   Mode = "SHADOW"
)

// LabelRequirement selects apps whose label has one of some values.
type LabelRequirement struct {
	Key    string
	Values []string
	Unset  Unset
}

// Unset says what an app is that has not the label at all.
type Unset string

// What an app without the label is. The default is the safe one for a guard-rail.
const (
	UnsetMatches    Unset = "MATCH"
	UnsetMatchesNot Unset = "NO_MATCH"
)

// Exemption takes some principals out of the scope of a guard-rail's rules:
// break-glass. It is named, so that whoever reads a decision sees it.
type Exemption struct {
	ID         string
	Principals []string
	Apps       []string  // nil: wherever the guard-rail reaches
	NotAfter   time.Time // zero: without end
}

// Rule has a scope (who does what) and a requirement (conditions and
// expression). In ALLOW and DENY both are one clause; in REQUIRE the scope says
// for whom the requirement must hold.
type Rule struct {
	ID         string
	Effect     Effect
	Principals []string // user: group: domain: serviceAccount: idp: people serviceAccounts authenticated anyone
	Roles      []string // exactly one of Roles
	Operations []string // and Operations: names, "invoices.*" or "*"
	Conditions Conditions
	Expression string // CEL, see package expression; "" is none
	// Description is for who reads the policy.
	Description string
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

// What a rule can require: see package clause.
type (
	// Conditions must all hold.
	Conditions = clause.Conditions
	// DeviceCondition is what a device must be.
	DeviceCondition = clause.DeviceCondition
)

// UnknownCountry in [Conditions] stands for addresses whose country is unknown.
const UnknownCountry = clause.UnknownCountry
