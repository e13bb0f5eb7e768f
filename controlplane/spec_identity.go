package controlplane

import (
	"fmt"
	"time"
)

// IdentityProvider is an OpenID Connect provider. Field meanings: sallyport.v1.IdentityProvider.
type IdentityProvider struct {
	Issuer              string            `json:"issuer,omitempty"`
	AllowHTTPLoopback   bool              `json:"allow_http_loopback,omitempty"`
	ClientID            string            `json:"client_id,omitempty"`
	ClientSecret        Secret            `json:"client_secret,omitempty"` // write-only: in a request, never in the store's JSON
	Scopes              []string          `json:"scopes,omitempty"`
	Claims              *ClaimMapping     `json:"claims,omitempty"`
	EmailDomains        []string          `json:"email_domains,omitempty"`
	AuthorizeParameters map[string]string `json:"authorize_parameters,omitempty"`
	Disabled            bool              `json:"disabled,omitempty"`
}

// ClaimMapping says which claims carry what.
type ClaimMapping struct {
	Email  string `json:"email,omitempty"`
	Name   string `json:"name,omitempty"`
	Groups string `json:"groups,omitempty"`
}

// References is empty.
func (*IdentityProvider) References() []Reference { return nil }

// Secrets names the client secret.
func (p *IdentityProvider) Secrets() map[string]*Secret {
	return map[string]*Secret{"client_secret": &p.ClientSecret}
}

// Group is people and service accounts. Field meanings: sallyport.v1.Group.
type Group struct {
	Members []GroupMember `json:"members,omitempty"`
}

// GroupMember has exactly one field set.
type GroupMember struct {
	IDPGroup       *IDPGroup `json:"idp_group,omitempty"`
	Group          string    `json:"group,omitempty"`
	ServiceAccount string    `json:"service_account,omitempty"`
	User           string    `json:"user,omitempty"`
}

// IDPGroup is a value of a provider's groups claim.
type IDPGroup struct {
	IDP  string `json:"idp,omitempty"`
	Name string `json:"name,omitempty"`
}

// References names providers, nested groups and service accounts.
func (g *Group) References() []Reference {
	var refs []Reference
	for i, m := range g.Members {
		at := fmt.Sprintf("members[%d].", i)
		switch {
		case m.IDPGroup != nil:
			refs = append(refs, Reference{at + "idp_group.idp", KindIdentityProvider, m.IDPGroup.IDP})
		case m.Group != "":
			refs = append(refs, Reference{at + "group", KindGroup, m.Group})
		case m.ServiceAccount != "":
			refs = append(refs, Reference{at + "service_account", KindServiceAccount, m.ServiceAccount})
		}
	}
	return refs
}

// ServiceAccount is a program. Field meanings: sallyport.v1.ServiceAccount.
type ServiceAccount struct {
	Description string `json:"description,omitempty"`
	Disabled    bool   `json:"disabled,omitempty"`
}

// References is empty.
func (*ServiceAccount) References() []Reference { return nil }

// Member is an administrator. Field meanings: sallyport.v1.Member.
type Member struct {
	Email     string            `json:"email,omitempty"`
	Role      AdminRole         `json:"role,omitempty"`
	AppLabels map[string]string `json:"app_labels,omitempty"`
}

// References is empty.
func (*Member) References() []Reference { return nil }

// APIToken is a credential for the API; its hash is stored beside it. Field meanings: sallyport.v1.ApiToken.
type APIToken struct {
	Member     string     `json:"member,omitempty"` // a member's name
	Role       AdminRole  `json:"role,omitempty"`
	ExpireTime *time.Time `json:"expire_time,omitempty"`
}

// References names the member, so that a member with tokens is not deleted from under them.
func (t *APIToken) References() []Reference {
	name, err := ParseName(t.Member)
	if err != nil || name.Kind != KindMember {
		return nil
	}
	return []Reference{{"member", KindMember, name.ID}}
}
