package controlplane

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy is rules for the apps it names. Field meanings: sallyport.v1.Policy.
type Policy struct {
	Apps  []string `json:"apps,omitempty"`
	Rules []Rule   `json:"rules,omitempty"`
}

// Rule is one rule of a policy.
type Rule struct {
	ID          string      `json:"id,omitempty"`
	Effect      string      `json:"effect,omitempty"`
	Principals  []string    `json:"principals,omitempty"`
	Roles       []string    `json:"roles,omitempty"`
	Operations  []string    `json:"operations,omitempty"`
	Conditions  *Conditions `json:"conditions,omitempty"`
	Description string      `json:"description,omitempty"`
	Remediation string      `json:"remediation,omitempty"`
}

// Conditions must all hold, each that is set.
type Conditions struct {
	SourceCIDRs []string   `json:"source_cidrs,omitempty"`
	IDPs        []string   `json:"idps,omitempty"`
	MembersOf   []string   `json:"members_of,omitempty"`
	NotBefore   *time.Time `json:"not_before,omitempty"`
	NotAfter    *time.Time `json:"not_after,omitempty"`
}

// PredefinedRoles exist in every tenant and cannot be written.
var PredefinedRoles = []string{"viewer", "user", "admin"}

// References names apps, roles, and the principals that are resources.
func (p *Policy) References() []Reference {
	var refs []Reference
	for i, id := range p.Apps {
		refs = append(refs, Reference{fmt.Sprintf("apps[%d]", i), KindApp, id})
	}
	for r, rule := range p.Rules {
		at := fmt.Sprintf("rules[%d].", r)
		for i, principal := range rule.Principals {
			if kind, id, ok := principalReference(principal); ok {
				refs = append(refs, Reference{fmt.Sprintf("%sprincipals[%d]", at, i), kind, id})
			}
		}
		for i, id := range rule.Roles {
			if !isPredefinedRole(id) {
				refs = append(refs, Reference{fmt.Sprintf("%sroles[%d]", at, i), KindRole, id})
			}
		}
		if c := rule.Conditions; c != nil {
			for i, id := range c.IDPs {
				refs = append(refs, Reference{fmt.Sprintf("%sconditions.idps[%d]", at, i), KindIdentityProvider, id})
			}
			for i, id := range c.MembersOf {
				refs = append(refs, Reference{fmt.Sprintf("%sconditions.members_of[%d]", at, i), KindGroup, id})
			}
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
