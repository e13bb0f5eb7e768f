package snapshot

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/edge/facts"
	"github.com/sallyport-iap/sallyport/edge/policy"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// config is a tenant's config lane, compiled. Secrets in it are still sealed: their keys come on their own.
type config struct {
	lane        *lane
	tenant      *edgev1.Tenant
	apps        []*App
	appByID     map[string]*App
	appByUID    map[string]*App
	hosts       map[string]*App
	providers   []*resource
	tokens      map[string]*ServiceToken
	claimGroups map[string][]string
	source      policy.Source
	signInLists func() map[string]SignInList // made when first asked for: few tenants have any
	program     *policy.Program
	closed      []string // ids of apps that are closed because something is not understood
}

// compileConfig compiles a lane. What it shares with the one before, of which prev was made, is not made again.
func compileConfig(prev *config, l *lane) (*config, *Refusal) {
	if refusal := read(l.resources); refusal != nil {
		return nil, refusal
	}
	tenants := l.of("Tenant")
	if len(tenants) == 0 {
		return nil, refuse(notCompiling, "there is no Tenant among %d resources", len(l.resources))
	}
	c := &config{lane: l, tenant: tenants[0].message.(*edgev1.Tenant), providers: l.of("IdentityProvider")}
	ids, all := closed(l)
	c.makeSource(prev, ids, all)
	if prev == nil {
		c.program, _ = policy.Compile(c.source)
	} else {
		c.program, _ = prev.program.Recompile(c.source)
	}
	c.signInLists = sync.OnceValue(func() map[string]SignInList { return signInLists(c.source.Policies) })
	c.addApps(ids, all)
	c.keep(prev)
	if c.tokens == nil {
		c.addTokens(messagesOf[*edgev1.ServiceAccount](l.of("ServiceAccount")), l.lineage)
	}
	if c.claimGroups == nil {
		c.addClaimGroups(messagesOf[*edgev1.Group](l.of("Group")))
	}
	return c, c.addHosts(prev)
}

// addApps closes apps that others close, and leaves those as they are that nobody does.
func (c *config) addApps(ids map[string]bool, all bool) {
	byPolicy := map[string]bool{}
	for _, id := range c.program.ClosedApps() {
		byPolicy[id] = true
	}
	resources := c.lane.of("App")
	c.apps = make([]*App, len(resources))
	for i, r := range resources {
		a := r.app
		if !a.Closed && (all || ids[a.ID] || byPolicy[a.ID]) {
			shut := *a
			shut.Closed = true
			a = &shut
		}
		c.apps[i] = a
		if a.Closed {
			c.closed = append(c.closed, a.ID)
		}
	}
}

// keep takes over what cannot be otherwise than it was.
func (c *config) keep(prev *config) {
	if prev == nil {
		return
	}
	if same(prev.lane, c.lane, "ServiceAccount") && prev.lane.lineage == c.lane.lineage {
		c.tokens = prev.tokens
	}
	if same(prev.lane, c.lane, "Group") {
		c.claimGroups = prev.claimGroups
	}
}

// addHosts finds apps by host, id and uid. Of apps that are as they were before, what was found is taken over.
func (c *config) addHosts(prev *config) *Refusal {
	var gone []*App
	come := c.apps
	if prev == nil {
		c.hosts, c.appByID, c.appByUID = make(map[string]*App, len(c.apps)+1), make(map[string]*App, len(c.apps)), make(map[string]*App, len(c.apps))
	} else {
		gone, come = exchanged(prev.apps, c.apps)
		c.hosts, c.appByID, c.appByUID = prev.hosts, prev.appByID, prev.appByUID
		if len(gone)+len(come) == 0 && prev.tenant.GetAuthHost() == c.tenant.GetAuthHost() {
			return nil
		}
		c.hosts, c.appByID, c.appByUID = maps.Clone(prev.hosts), maps.Clone(prev.appByID), maps.Clone(prev.appByUID)
		delete(c.hosts, prev.tenant.GetAuthHost())
	}
	for _, a := range gone {
		delete(c.appByID, a.ID)
		delete(c.appByUID, a.UID)
		for _, h := range a.Hosts {
			delete(c.hosts, h)
		}
	}
	if h := c.tenant.GetAuthHost(); h != "" {
		if _, taken := c.hosts[h]; taken {
			return refuse(notCompiling, "host %q is there twice", h)
		}
		c.hosts[h] = nil
	}
	for _, a := range come {
		c.appByID[a.ID], c.appByUID[a.UID] = a, a
		for _, h := range a.Hosts {
			if _, taken := c.hosts[h]; taken {
				return refuse(notCompiling, "host %q is there twice", h)
			}
			c.hosts[h] = a
		}
	}
	return nil
}

// exchanged compares two lists that are in order of ids.
func exchanged(before, after []*App) (gone, come []*App) {
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(before) > 0 && len(after) > 0 && before[0] == after[0]:
			before, after = before[1:], after[1:]
		case len(after) == 0 || len(before) > 0 && before[0].ID <= after[0].ID:
			gone, before = append(gone, before[0]), before[1:]
		default:
			come, after = append(come, after[0]), after[1:]
		}
	}
	return gone, come
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
	if refusal := read(l.resources); refusal != nil {
		return nil, refusal
	}
	pools := l.of("Pool")
	if len(pools) == 0 {
		return nil, refuse(notCompiling, "there is no Pool among %d resources", len(l.resources))
	}
	if !pools[0].understood {
		return nil, refuse(notCompiling, "the pool has fields that are not understood here")
	}
	m := pools[0].message.(*edgev1.Pool)
	p := &Pool{ID: m.GetId(), UID: m.GetUid(), Login: m.GetLogin(), tenants: map[string]string{}}
	for _, t := range m.GetTenants() {
		p.tenants[t.GetUid()] = t.GetId()
	}
	for _, text := range m.GetAllowedUpstreamCidrs() {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, refuse(notCompiling, "allowed_upstream_cidrs: %q is not a network", text)
		}
		p.AllowedUpstream = append(p.AllowedUpstream, prefix.Masked())
	}
	trusted, err := facts.Trust(m.GetTrustedProxyCidrs())
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
	for _, r := range l.resources {
		var m proto.Message
		switch r.GetKind() {
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
			return nil, refuse(notCompiling, "%s %q cannot be parsed", r.GetKind(), r.GetId())
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
