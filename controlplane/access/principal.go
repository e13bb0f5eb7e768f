package access

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// Kind is what a principal is. They are listed in this order.
type Kind string

// The kinds.
const (
	Anyone           Kind = "ANYONE"            // without sign-in
	IdentityProvider Kind = "IDENTITY_PROVIDER" // who signs in there, and is nothing else
	Domain           Kind = "DOMAIN"            // who signs in with an address in it, and is nothing else
	ClaimGroup       Kind = "CLAIM_GROUP"       // who has a value of a provider's groups claim, and is nothing else
	ServiceAccount   Kind = "SERVICE_ACCOUNT"
	Person           Kind = "PERSON"
)

var kinds = []Kind{Anyone, IdentityProvider, Domain, ClaimGroup, ServiceAccount, Person}

// Principal is somebody, or all of a class.
type Principal struct {
	Kind     Kind
	ID       string // as a rule says it; a claim as `claim:{provider}:{value}`
	Provider string
	Subject  string // of a person who was seen
	Email    string // of a person, if the provider vouches for it
	Groups   []string
	Seen     time.Time

	identity engine.Identity
}

// Seen is a person who signed in or asked for something.
type Seen struct {
	Subject, Email, Provider string
	Time                     time.Time
	Claims                   []string // values of the groups claim that the person had then
	Absent                   []string // and had not
}

// key orders principals, and says where a page ended.
func (p *Principal) key() string {
	rank := string(rune('0' + slices.Index(kinds, p.Kind)))
	return strings.Join([]string{rank, p.ID, p.Provider, p.Subject}, "\x00")
}

func byKey(a, b *Principal) int {
	return cmp.Or(
		cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), strings.Compare(a.ID, b.ID),
		strings.Compare(a.Provider, b.Provider), strings.Compare(a.Subject, b.Subject),
	)
}

// nobody is an address that nobody has and no rule names: of whom it is, no address is known.
const nobody = "nobody@sallyport.invalid"

// newcomer is one of a provider's people of whom nothing else is so, but for claims, which are unknown.
func newcomer(provider string) engine.Identity {
	return engine.Identity{Kind: engine.Person, IDP: provider, Email: nobody}
}

// known is a tenant's principals.
type known struct {
	site   *policy.Site
	owners map[string][]string // by domain: providers that own it and are not disabled
	idle   []string            // providers that are disabled
	named  map[string]bool     // principals that rules, exemptions and grants name
	homes  int                 // addresses that are named and that no provider owns
}

func newKnown(site *policy.Site) *known {
	k := &known{site: site, owners: map[string][]string{}, named: map[string]bool{}}
	for r := range site.Resources(controlplane.KindIdentityProvider) {
		provider := r.Spec.(*controlplane.IdentityProvider)
		if provider.Disabled {
			k.idle = append(k.idle, r.ID)
			continue
		}
		for _, d := range provider.EmailDomains {
			d = strings.ToLower(d)
			k.owners[d] = append(k.owners[d], r.ID)
		}
	}
	name := func(list []string) {
		for _, p := range list {
			k.named[p] = true
		}
	}
	for _, p := range site.Source.Policies {
		for i := range p.Rules {
			name(p.Rules[i].Principals)
		}
		for i := range p.Exemptions {
			name(p.Exemptions[i].Principals)
		}
	}
	for _, g := range site.Source.Grants {
		name(g.Principals)
	}
	return k
}

func (k *known) active(provider string) bool {
	_, ok := k.site.Provider(provider)
	return ok && !slices.Contains(k.idle, provider)
}

// classes are those who can only be told together, and service accounts.
func (k *known) classes() []*Principal {
	list := []*Principal{{Kind: Anyone, ID: "anyone"}}
	for _, id := range k.site.Source.Providers {
		if k.active(id) {
			list = append(list, &Principal{Kind: IdentityProvider, ID: "idp:" + id, Provider: id, identity: newcomer(id)})
		}
	}
	for name := range k.named {
		domain, ok := strings.CutPrefix(name, "domain:")
		if !ok {
			continue
		}
		for _, id := range k.owners[strings.ToLower(domain)] {
			who := newcomer(id)
			who.Email, who.Domain, who.EmailVerified, who.EmailDomainOwned = "", domain, true, true
			list = append(list, &Principal{Kind: Domain, ID: "domain:" + strings.ToLower(domain), Provider: id, identity: who})
		}
	}
	claims := map[engine.IDPGroup]bool{}
	for _, g := range k.site.Source.Groups {
		for _, m := range g.Members {
			if c := m.IDPGroup; c.Name != "" && !claims[c] && k.active(c.IDP) {
				claims[c] = true
				who := newcomer(c.IDP)
				who.Groups = []string{c.Name}
				list = append(list, &Principal{Kind: ClaimGroup, ID: "claim:" + c.IDP + ":" + c.Name, Provider: c.IDP, identity: who})
			}
		}
	}
	for r := range k.site.Resources(controlplane.KindServiceAccount) {
		if !r.Spec.(*controlplane.ServiceAccount).Disabled {
			list = append(list, &Principal{Kind: ServiceAccount, ID: "serviceAccount:" + r.ID, identity: policy.Machine(r.ID)})
		}
	}
	slices.SortFunc(list, byKey)
	return slices.CompactFunc(list, func(a, b *Principal) bool { return byKey(a, b) == 0 })
}

// people are those who are known one by one.
func (k *known) people(seen []Seen) []*Principal {
	list := make([]*Principal, 0, len(k.site.Source.Memberships)+len(seen))
	k.homes = 0
	add := func(email string) {
		_, domain, _ := strings.Cut(email, "@")
		providers := k.owners[domain]
		if len(providers) == 0 {
			k.homes++
		}
		for _, id := range providers {
			list = append(list, &Principal{Kind: Person, ID: "user:" + email, Provider: id, Email: email, identity: engine.Identity{
				Kind: engine.Person, IDP: id, Email: email, EmailVerified: true, EmailDomainOwned: true,
			}})
		}
	}
	for _, m := range k.site.Source.Memberships {
		add(m.User)
	}
	for name := range k.named {
		if address, ok := strings.CutPrefix(name, "user:"); ok {
			if email, ok := engine.CanonicalEmail(address); ok {
				add(email)
			}
		}
	}
	for i := range seen {
		if k.active(seen[i].Provider) {
			list = append(list, k.met(&seen[i]))
		}
	}
	// Of the same person the one of whom most is known comes first: what a request was decided on, and the last one.
	slices.SortFunc(list, func(a, b *Principal) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(a.Provider, b.Provider), cmp.Compare(b.claims(), a.claims()), b.Seen.Compare(a.Seen))
	})
	return slices.CompactFunc(list, func(a, b *Principal) bool { return a.ID == b.ID && a.Provider == b.Provider })
}

// claims is how many values of claims are known to be there or not.
func (p *Principal) claims() int { return len(p.identity.Groups) + len(p.identity.GroupsAbsent) }

// met is a person who was seen. A provider with domains signs nobody in whose address is not verified and in one of them.
func (k *known) met(s *Seen) *Principal {
	p := &Principal{Kind: Person, ID: s.Subject, Provider: s.Provider, Subject: s.Subject, Seen: s.Time, identity: engine.Identity{
		Kind: engine.Person, Subject: s.Subject, IDP: s.Provider, Email: s.Email, Groups: s.Claims, GroupsAbsent: s.Absent,
	}}
	if email, ok := engine.CanonicalEmail(s.Email); ok && k.site.Owns(s.Provider, email) {
		p.ID, p.Email, p.identity.EmailVerified, p.identity.EmailDomainOwned = "user:"+email, email, true, true
	}
	return p
}
