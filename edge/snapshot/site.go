package snapshot

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport-iap/sallyport/edge/facts"
	"github.com/sallyport-iap/sallyport/edge/policy"
)

// Pool is the pool that this edge is of.
type Pool struct {
	ID, UID         string
	Login           bool           // its edges sign people in
	AllowedUpstream []netip.Prefix // beside public addresses
	TrustedProxies  facts.Trusted
	tenants         map[string]string // uid to id: whom it serves
}

// Version is the point in a tenant's history that a site was made of.
type Version struct {
	Lineage        string
	Config, Urgent int64
	// UrgentLineage is the history that Urgent counts in. It differs from Lineage only between the two lanes' updates after
	// a restore. What is made now records it with Urgent, so that a revocation can be ordered against it.
	UrgentLineage string
}

// Limits are lifetimes of sessions.
type Limits struct {
	Absolute, Idle time.Duration
}

// Site is one tenant as of one version: everything that a request of it is decided on. It is immutable but for its age.
type Site struct {
	TenantUID, TenantID, DisplayName string

	AuthHost      string // where people sign in; "" nowhere
	Disabled      bool   // answers 403 everywhere
	Closed        bool   // something in its urgent lane is not understood: every app answers 403 deny.app_closed
	Session       Limits
	Pool          *Pool
	Version       Version
	Program       *policy.Program
	Apps          []*App              // by id
	Providers     []*IdentityProvider // by id
	Keys          Keys
	AssertionKeys []*AssertionKey // newest first
	Revocations   *Revocations

	hosts       map[string]*App // nil value: the auth host
	appByID     map[string]*App
	appByUID    map[string]*App
	tokens      map[string]*ServiceToken
	claimGroups map[string][]string
	signInLists func() map[string]SignInList
	fresh       *freshness
}

// freshness is when the newest verified head that confirmed a lane was issued. It outlives sites of a tenant.
type freshness struct{ config, urgent atomic.Int64 }

func newer(at *atomic.Int64, t time.Time) {
	for {
		old := at.Load()
		if t.UnixNano() <= old || at.CompareAndSwap(old, t.UnixNano()) {
			return
		}
	}
}

// Age is how old the policy and revocations are that this site decides on: the older of the two.
func (s *Site) Age(now time.Time) time.Duration {
	config, urgent := s.Ages(now)
	return max(config, urgent)
}

// Ages are those of policy and of revocations.
func (s *Site) Ages(now time.Time) (config, urgent time.Duration) {
	return now.Sub(time.Unix(0, s.fresh.config.Load())), now.Sub(time.Unix(0, s.fresh.urgent.Load()))
}

// App returns an app by id, or nil.
func (s *Site) App(id string) *App { return s.appByID[id] }

// AppByUID returns an app by uid, or nil.
func (s *Site) AppByUID(uid string) *App { return s.appByUID[uid] }

// Provider returns an identity provider by uid, or nil.
func (s *Site) Provider(uid string) *IdentityProvider {
	return find(s.Providers, func(p *IdentityProvider) bool { return p.UID == uid })
}

// ProviderByID returns an identity provider by id, or nil.
func (s *Site) ProviderByID(id string) *IdentityProvider {
	return find(s.Providers, func(p *IdentityProvider) bool { return p.ID == id })
}

// ServiceToken returns a token by its public part, or nil.
func (s *Site) ServiceToken(id string) *ServiceToken { return s.tokens[id] }

// ClaimGroups returns, in order, every value of a provider's groups claim that some group mentions.
func (s *Site) ClaimGroups(idpID string) []string { return s.claimGroups[idpID] }

// Signer returns the key that signs assertions now: the newest that has begun. Nil: none is here.
func (s *Site) Signer(now time.Time) *AssertionKey {
	return find(s.AssertionKeys, func(k *AssertionKey) bool { return k.Private != nil && !k.NotBefore.After(now) })
}

func find[T any](list []*T, is func(*T) bool) *T {
	for _, v := range list {
		if is(v) {
			return v
		}
	}
	return nil
}

// IdentityProvider is where people of the tenant sign in.
type IdentityProvider struct {
	ID, UID, DisplayName, Issuer, ClientID string

	ClientSecret        Secret // empty where it cannot be opened, or is not for this pool
	AllowHTTPLoopback   bool
	Disabled            bool // signs nobody in, and its sessions are over
	Scopes              []string
	EmailClaim          string
	NameClaim           string
	GroupsClaim         string
	EmailDomains        []string
	AuthorizeParameters map[string]string
}

// OwnsEmail reports whether the address's domain belongs to this provider, so that rules may name the address.
func (p *IdentityProvider) OwnsEmail(email string) bool {
	_, domain, _ := strings.Cut(email, "@")
	return slices.ContainsFunc(p.EmailDomains, func(d string) bool { return policy.SameDomain(d, domain) })
}

// ServiceToken is a credential of a service account.
type ServiceToken struct {
	ID         string
	SHA256     []byte    // of the secret part
	ExpireTime time.Time // zero is never
	Account    *ServiceAccount
	// Urgent and Lineage are the tenant's when it was made. It was read from a config lane, so that is whose history counts.
	Urgent  int64
	Lineage string
	// Memo is what package identity makes of the token, kept as long as the token is here.
	Memo atomic.Value
}

// ServiceAccount is a machine.
type ServiceAccount struct {
	ID, UID  string
	Disabled bool
}
