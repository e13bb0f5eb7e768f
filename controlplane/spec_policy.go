package controlplane

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy is rules for the apps that it names, or, with a selector, a guard-rail. Field meanings: sallyport.v1.Policy.
type Policy struct {
	Apps       []string           `json:"apps,omitempty"`
	Rules      []Rule             `json:"rules,omitempty"`
	Mode       string             `json:"mode,omitempty"`
	Selector   []LabelRequirement `json:"selector,omitempty"`
	Exemptions []Exemption        `json:"exemptions,omitempty"`
}

// ShadowMode is the mode of a policy that decides nothing; any other decides.
const ShadowMode = "POLICY_MODE_SHADOW"

// GuardRail reports whether the policy reaches apps by their labels.
func (p *Policy) GuardRail() bool { return p != nil && len(p.Selector) > 0 }

// LabelRequirement is what a label of an app must be.
type LabelRequirement struct {
	Key    string   `json:"key,omitempty"`
	Values []string `json:"values,omitempty"`
	Unset  string   `json:"unset,omitempty"`
}

// Exemption is whom a guard-rail spares.
type Exemption struct {
	ID          string     `json:"id,omitempty"`
	Principals  []string   `json:"principals,omitempty"`
	Apps        []string   `json:"apps,omitempty"`
	NotAfter    *time.Time `json:"not_after,omitempty"`
	Description string     `json:"description,omitempty"`
}

// Rule is one rule of a policy.
type Rule struct {
	ID          string      `json:"id,omitempty"`
	Effect      string      `json:"effect,omitempty"`
	Principals  []string    `json:"principals,omitempty"`
	Roles       []string    `json:"roles,omitempty"`
	Operations  []string    `json:"operations,omitempty"`
	Conditions  *Conditions `json:"conditions,omitempty"`
	Expression  string      `json:"expression,omitempty"`
	Description string      `json:"description,omitempty"`
	Remediation string      `json:"remediation,omitempty"`
}

// Conditions must all hold, each that is set.
type Conditions struct {
	SourceCIDRs []string         `json:"source_cidrs,omitempty"`
	Countries   []string         `json:"countries,omitempty"`
	TimeWindows []TimeWindow     `json:"time_windows,omitempty"`
	NotBefore   *time.Time       `json:"not_before,omitempty"`
	NotAfter    *time.Time       `json:"not_after,omitempty"`
	Device      *DeviceCondition `json:"device,omitempty"`
	MaxAuthAge  *Duration        `json:"max_auth_age,omitempty"`
	RequiredACR []string         `json:"required_acr,omitempty"`
	RequiredAMR []string         `json:"required_amr,omitempty"`
	IDPs        []string         `json:"idps,omitempty"`
	MembersOf   []string         `json:"members_of,omitempty"`
}

// TimeWindow is hours of days of the week, by the clocks of a zone.
type TimeWindow struct {
	Days  []string `json:"days,omitempty"`
	Start string   `json:"start,omitempty"`
	End   string   `json:"end,omitempty"`
	Zone  string   `json:"zone,omitempty"`
}

// DeviceCondition is what a device must be.
type DeviceCondition struct {
	Managed      bool      `json:"managed,omitempty"`
	Compliant    bool      `json:"compliant,omitempty"`
	Posture      []string  `json:"posture,omitempty"`
	MaxReportAge *Duration `json:"max_report_age,omitempty"`
}

// Grant is access to one app for a while. Field meanings: sallyport.v1.Grant.
type Grant struct {
	App        string     `json:"app,omitempty"`
	Principals []string   `json:"principals,omitempty"`
	Roles      []string   `json:"roles,omitempty"`
	Operations []string   `json:"operations,omitempty"`
	NotBefore  *time.Time `json:"not_before,omitempty"`
	NotAfter   *time.Time `json:"not_after,omitempty"`
	Reason     string     `json:"reason,omitempty"`
}

// PredefinedRoles exist in every tenant and cannot be written.
var PredefinedRoles = []string{"viewer", "user", "admin"}

// References names apps, roles, and the principals that are resources. What an expression names, only compiling it tells.
func (p *Policy) References() []Reference {
	refs := references("apps", KindApp, p.Apps)
	for r, rule := range p.Rules {
		at := fmt.Sprintf("rules[%d].", r)
		refs = append(refs, principalReferences(at+"principals", rule.Principals)...)
		refs = append(refs, roleReferences(at+"roles", rule.Roles)...)
		if c := rule.Conditions; c != nil {
			refs = append(refs, references(at+"conditions.idps", KindIdentityProvider, c.IDPs)...)
			refs = append(refs, references(at+"conditions.members_of", KindGroup, c.MembersOf)...)
		}
	}
	for e, exemption := range p.Exemptions {
		at := fmt.Sprintf("exemptions[%d].", e)
		refs = append(refs, principalReferences(at+"principals", exemption.Principals)...)
		refs = append(refs, references(at+"apps", KindApp, exemption.Apps)...)
	}
	return refs
}

// References names the app, roles, and the principals that are resources.
func (g *Grant) References() []Reference {
	refs := []Reference{{"app", KindApp, g.App}}
	refs = append(refs, principalReferences("principals", g.Principals)...)
	return append(refs, roleReferences("roles", g.Roles)...)
}

func references(field string, kind Kind, ids []string) []Reference {
	var refs []Reference
	for i, id := range ids {
		refs = append(refs, Reference{fmt.Sprintf("%s[%d]", field, i), kind, id})
	}
	return refs
}

func principalReferences(field string, principals []string) []Reference {
	var refs []Reference
	for i, principal := range principals {
		if kind, id, ok := principalReference(principal); ok {
			refs = append(refs, Reference{fmt.Sprintf("%s[%d]", field, i), kind, id})
		}
	}
	return refs
}

func roleReferences(field string, roles []string) []Reference {
	var refs []Reference
	for i, id := range roles {
		if !isPredefinedRole(id) {
			refs = append(refs, Reference{fmt.Sprintf("%s[%d]", field, i), KindRole, id})
		}
	}
	return refs
}

func principalReference(principal string) (Kind, string, bool) {
	prefix, id, ok := strings.Cut(principal, ":")
	if !ok {
		return "", "", false
	}
	switch prefix {
	case "group":
		return KindGroup, id, true
	case "serviceAccount":
		return KindServiceAccount, id, true
	case "idp":
		return KindIdentityProvider, id, true
	default:
		return "", "", false
	}
}

func isPredefinedRole(id string) bool { return slices.Contains(PredefinedRoles, id) }

// Role is a set of operations. Field meanings: sallyport.v1.Role.
type Role struct {
	Operations []string `json:"operations,omitempty"`
	Access     []string `json:"access,omitempty"`
}

// References is empty: operations are matched by name in whatever app the role is used.
func (*Role) References() []Reference { return nil }
