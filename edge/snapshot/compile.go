package snapshot

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/edge/facts"
	"github.com/sallyport-iap/sallyport/edge/policy"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// config is a tenant's config lane, compiled. Secrets in it are still sealed: their keys come on their own.
type config struct {
	tenant      *edgev1.Tenant
	apps        []*App
	appByID     map[string]*App
	appByUID    map[string]*App
	hosts       map[string]*App
	providers   []provider
	tokens      map[string]*ServiceToken
	claimGroups map[string][]string
	program     *policy.Program
	closed      []string // ids of apps that are closed because something is not understood
}

func compileConfig(l *lane) (*config, *Refusal) {
	d, refusal := decode(l)
	if refusal != nil {
		return nil, refusal
	}
	if d.tenant == nil {
		return nil, refuse(notCompiling, "there is no Tenant among %d resources", len(l.resources))
	}
	c := &config{tenant: d.tenant, providers: d.providers, hosts: map[string]*App{}, appByID: map[string]*App{}, appByUID: map[string]*App{}}
	closed, all := d.closed()
	for _, m := range d.apps {
		a := newApp(m)
		a.Closed = a.Closed || all || closed[a.ID]
		c.apps = append(c.apps, a)
		c.appByID[a.ID], c.appByUID[a.UID] = a, a
	}
	c.program, _ = policy.Compile(d.source(func(id string) bool { return c.appByID[id].Closed }))
	for _, id := range c.program.ClosedApps() {
		c.appByID[id].Closed = true
	}
	for _, a := range c.apps {
		if a.Closed {
			c.closed = append(c.closed, a.ID)
		}
	}
	c.addTokens(d.accounts, l.lineage)
	c.addClaimGroups(d.groups)
	return c, c.addHosts()
}

func (c *config) addHosts() *Refusal {
	if h := c.tenant.GetAuthHost(); h != "" {
		c.hosts[h] = nil
	}
	for _, a := range c.apps {
		for _, h := range a.Hosts {
			if _, taken := c.hosts[h]; taken {
				return refuse(notCompiling, "host %q is there twice", h)
			}
			c.hosts[h] = a
		}
	}
	return nil
}

// addTokens indexes service tokens. An account that is not understood may be restricted in a way that is not known here:
// its tokens are refused.
func (c *config) addTokens(accounts []*edgev1.ServiceAccount, lineage string) {
	c.tokens = map[string]*ServiceToken{}
	for _, m := range accounts {
		account := &ServiceAccount{ID: m.GetId(), UID: m.GetUid(), Disabled: m.GetDisabled() || !understood(m.ProtoReflect())}
		for _, t := range m.GetTokens() {
			c.tokens[t.GetId()] = &ServiceToken{
				ID: t.GetId(), SHA256: t.GetSha256(), ExpireTime: instant(t.GetExpireTime()), Account: account,
				Urgent: t.GetUrgent(), Lineage: lineage,
			}
		}
	}
}

func (c *config) addClaimGroups(groups []*edgev1.Group) {
	c.claimGroups = map[string][]string{}
	for _, g := range groups {
		for _, m := range g.GetMembers() {
			if claim := m.GetIdpGroup(); claim != nil {
				c.claimGroups[claim.GetIdp()] = append(c.claimGroups[claim.GetIdp()], claim.GetName())
			}
		}
	}
	for idp := range c.claimGroups {
		slices.Sort(c.claimGroups[idp])
		c.claimGroups[idp] = slices.Compact(c.claimGroups[idp])
	}
}

// compilePool reads the platform's config lane.
func compilePool(l *lane) (*Pool, *Refusal) {
	d, refusal := decode(l)
	if refusal != nil {
		return nil, refusal
	}
	if d.pool == nil {
		return nil, refuse(notCompiling, "there is no Pool among %d resources", len(l.resources))
	}
	p := &Pool{ID: d.pool.GetId(), UID: d.pool.GetUid(), Login: d.pool.GetLogin(), tenants: map[string]string{}}
	if !understood(d.pool.ProtoReflect()) {
		return nil, refuse(notCompiling, "the pool has fields that are not understood here")
	}
	for _, t := range d.pool.GetTenants() {
		p.tenants[t.GetUid()] = t.GetId()
	}
	for _, text := range d.pool.GetAllowedUpstreamCidrs() {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, refuse(notCompiling, "allowed_upstream_cidrs: %q is not a network", text)
		}
		p.AllowedUpstream = append(p.AllowedUpstream, prefix.Masked())
	}
	trusted, err := facts.Trust(d.pool.GetTrustedProxyCidrs())
	if err != nil {
		return nil, refuse(notCompiling, "trusted_proxy_cidrs: %v", err)
	}
	p.TrustedProxies = trusted
	return p, nil
}

// urgent is a tenant's urgent lane, parsed. Keys in it are still sealed.
type urgent struct {
	revocations *Revocations
	keysets     []sealedKeyset
	assertion   []sealedAssertionKey
	foreign     bool // something is not understood: every app is closed
}

type sealedKeyset struct {
	resource *resource
	message  *edgev1.Keyset
}

type sealedAssertionKey struct {
	resource *resource
	message  *edgev1.AssertionKey
}

func compileUrgent(l *lane) (*urgent, *Refusal) {
	u := &urgent{revocations: &Revocations{lineage: l.lineage, marks: map[string]int64{}}}
	for _, k := range sortedKeys(l.resources) {
		r := l.resources[k]
		var m proto.Message
		switch k.kind {
		case "Revocation":
			m = &edgev1.Revocation{}
		case "Keyset":
			m = &edgev1.Keyset{}
		case "AssertionKey":
			m = &edgev1.AssertionKey{}
		default:
			u.foreign = true
			continue
		}
		if err := proto.Unmarshal(r.GetBytes(), m); err != nil {
			return nil, refuse(notCompiling, "%s %q cannot be parsed", k.kind, k.id)
		}
		switch m := m.(type) {
		case *edgev1.Revocation:
			u.revocations.add(m.GetSubject(), m.GetUrgent())
		case *edgev1.Keyset:
			u.keysets = append(u.keysets, sealedKeyset{r, m})
		case *edgev1.AssertionKey:
			u.assertion = append(u.assertion, sealedAssertionKey{r, m})
		}
		u.foreign = u.foreign || !understood(m.ProtoReflect())
	}
	slices.SortFunc(u.assertion, func(a, b sealedAssertionKey) int {
		if c := b.message.GetNotBefore().AsTime().Compare(a.message.GetNotBefore().AsTime()); c != 0 {
			return c
		}
		return strings.Compare(a.message.GetKid(), b.message.GetKid())
	})
	return u, nil
}

// newProvider translates a provider. One that is not understood signs nobody in.
func newProvider(m *edgev1.IdentityProvider) *IdentityProvider {
	return &IdentityProvider{
		ID: m.GetId(), UID: m.GetUid(), DisplayName: m.GetDisplayName(), Issuer: m.GetIssuer(), ClientID: m.GetClientId(),
		AllowHTTPLoopback: m.GetAllowHttpLoopback(), Disabled: m.GetDisabled() || !understood(m.ProtoReflect()),
		Scopes: m.GetScopes(), EmailClaim: m.GetEmailClaim(), NameClaim: m.GetNameClaim(), GroupsClaim: m.GetGroupsClaim(),
		EmailDomains: m.GetEmailDomains(), AuthorizeParameters: maps.Clone(m.GetAuthorizeParameters()),
	}
}
