package policy

import (
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
)

// Principal is who asks: a person, a service account, or a stranger.
type Principal struct {
	ServiceAccount string
	Person         *Person
}

// Person is somebody who has signed in.
type Person struct {
	Subject, Provider, Email string
	EmailVerified            bool
	Groups                   []string // values of the provider's claim
	GroupsComplete           bool
	GroupsAbsent             []string
	AuthTime                 time.Time
	ACR                      string
	AMR                      []string // nil is unknown
	Asked                    AskedFor
}

// AskedFor is what the provider was asked for by step-ups of the session that came back.
type AskedFor = policy.Asked

// identify says what an edge would know of somebody. Who is signed in at a provider that is disabled, or is a service
// account that is, has a credential that is no longer good.
func (s *Site) identify(who *Principal, a *Asked) (policy.Identity, error) {
	if id := who.ServiceAccount; id != "" {
		r := s.Resource(controlplane.KindServiceAccount, id)
		if r == nil {
			return policy.Identity{}, missing("service_account", id, s.Source.ServiceAccounts, "service account %q does not exist")
		}
		if r.Spec.(*controlplane.ServiceAccount).Disabled {
			a.disabled("The service account " + id + " is disabled.")
		}
		return Machine(id), nil
	}
	p := who.Person
	if p == nil {
		return policy.Identity{}, nil
	}
	id := policy.Identity{
		Kind: policy.Person, Subject: p.Subject, IDP: p.Provider, Email: p.Email, EmailVerified: p.EmailVerified,
		EmailDomainOwned: s.Owns(p.Provider, p.Email),
		Groups:           p.Groups, GroupsComplete: p.GroupsComplete, GroupsAbsent: p.GroupsAbsent,
		AuthTime: p.AuthTime, ACR: p.ACR, AMR: p.AMR, Asked: p.Asked,
	}
	if p.Provider == "" {
		a.note("Where the person signed in is not said, so it is unknown which groups of providers they are in.")
		return id, nil
	}
	provider, ok := s.Provider(p.Provider)
	switch {
	case !ok:
		return id, missing("person.identity_provider", p.Provider, s.Source.Providers, "identity provider %q does not exist")
	case provider.Disabled:
		a.disabled("The identity provider " + p.Provider + " is disabled: nobody is signed in by it.")
	case len(provider.EmailDomains) == 0 && p.Email != "":
		a.note("%s has no email_domains, so rules cannot name people by their address.", p.Provider)
	case len(provider.EmailDomains) > 0 && (!id.EmailVerified || !id.EmailDomainOwned):
		a.note("%s would not sign this person in: the address is not verified, or not within its email_domains.", p.Provider)
	}
	return id, nil
}

// Machine is a service account as an edge knows it.
func Machine(id string) policy.Identity {
	return policy.Identity{Kind: policy.Machine, Subject: "serviceAccount:" + id, ServiceAccount: id}
}

func (a *Asked) disabled(detail string) {
	a.Before, a.Detail = &policy.Decision{Outcome: policy.Authenticate, Reason: policy.IdentityDisabled}, detail
}
