package snapshot

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Defaults that the API documents. They are filled in here, so that an edge never has one of its own and a change of a
// default is a change of bytes that every edge is sent.
const (
	DefaultAbsoluteLifetime  = 12 * time.Hour
	DefaultIdleTimeout       = time.Hour
	DefaultMaxStaleness      = 24 * time.Hour
	DefaultSessionStoreGrace = time.Hour
	DefaultRouteTimeout      = time.Minute
)

var defaultScopes = []string{"openid", "profile", "email"}

// configEntry builds what an edge needs of a row whose form is the same for every pool. ok is false for what edges are
// not sent, and for identity providers, which [providerEntry] builds by pool.
func configEntry(r *controlplane.Resource, tokens []*edgev1.ServiceToken) (entry *Entry, ok bool, err error) {
	var message proto.Message
	switch spec := r.Spec.(type) {
	case *controlplane.Tenant:
		message = tenantMessage(r, spec)
	case *controlplane.App:
		message = appMessage(r, spec)
	case *controlplane.Role:
		message = &edgev1.Role{Id: r.ID, Uid: string(r.UID), Operations: spec.Operations, Access: accesses(spec.Access)}
	case *controlplane.Group:
		message = groupMessage(r, spec)
	case *controlplane.Policy:
		message = policyMessage(r, spec)
	case *controlplane.Grant:
		message = &edgev1.Grant{
			Id: r.ID, Uid: string(r.UID), App: spec.App, Principals: spec.Principals, Roles: spec.Roles, Operations: spec.Operations,
			NotBefore: timestamp(spec.NotBefore), NotAfter: timestamp(spec.NotAfter),
		}
	case *controlplane.ServiceAccount:
		message = &edgev1.ServiceAccount{Id: r.ID, Uid: string(r.UID), Disabled: spec.Disabled, Tokens: tokens}
	default:
		return nil, false, nil
	}
	entry, err = newEntry(r.ID, string(r.UID), r.Revision, message)
	if app, isApp := message.(*edgev1.App); isApp && err == nil {
		entry.staleness = app.MaxStaleness.AsDuration()
	}
	return entry, err == nil, err
}

func tenantMessage(r *controlplane.Resource, t *controlplane.Tenant) *edgev1.Tenant {
	return &edgev1.Tenant{
		Id: r.ID, Uid: string(r.UID), DisplayName: r.DisplayName, AuthHost: t.AuthHost, Disabled: t.Disabled,
		Session: sessionLimits(t.Session, DefaultAbsoluteLifetime, DefaultIdleTimeout),
	}
}

func sessionLimits(l *controlplane.SessionLimits, absolute, idle time.Duration) *edgev1.SessionLimits {
	if l == nil {
		l = &controlplane.SessionLimits{}
	}
	return &edgev1.SessionLimits{
		AbsoluteLifetime: duration(l.AbsoluteLifetime, absolute),
		IdleTimeout:      duration(l.IdleTimeout, idle),
	}
}

func duration(d *controlplane.Duration, fallback time.Duration) *durationpb.Duration {
	if d == nil {
		return durationpb.New(fallback)
	}
	return durationpb.New(time.Duration(*d))
}

func timestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

func appMessage(r *controlplane.Resource, a *controlplane.App) *edgev1.App {
	app := &edgev1.App{
		Id: r.ID, Uid: string(r.UID), DisplayName: r.DisplayName,
		Hosts:              a.Hosts,
		Disabled:           a.Disabled,
		AllowEncodedSlash:  a.AllowEncodedSlash,
		AllowSemicolon:     a.AllowSemicolon,
		MergeSlashes:       a.MergeSlashes,
		CorsPreflight:      a.CORSPreflight,
		StripAuthorization: a.UpstreamAuthorization == "UPSTREAM_AUTHORIZATION_STRIP",
		AllowedHeaders:     a.AllowedHeaders,
		WebsocketOrigins:   a.WebsocketOrigins,
		Labels:             r.Labels,
		MaxStaleness:       duration(a.MaxStaleness, DefaultMaxStaleness),
		SessionStoreGrace:  duration(a.SessionStoreGrace, DefaultSessionStoreGrace),
	}
	for _, route := range a.Routes {
		m := &edgev1.Route{Path: route.Path, Websocket: route.Websocket, Timeout: duration(route.Timeout, DefaultRouteTimeout)}
		for _, upstream := range route.Upstreams {
			m.UpstreamUrls = append(m.UpstreamUrls, upstream.URL)
		}
		app.Routes = append(app.Routes, m)
	}
	for _, o := range policy.Operations(a) {
		app.Operations = append(app.Operations, &edgev1.Operation{
			Id: o.ID, Methods: o.Methods, Paths: o.Paths, Hosts: o.Hosts, Access: access(o.Access),
		})
	}
	if a.UpstreamIdentity != nil {
		app.IdentityHeaders, app.IdentityGroups = a.UpstreamIdentity.Headers, a.UpstreamIdentity.Groups
	}
	if s := a.Session; s != nil {
		// An unset limit stays unset: the tenant's applies, and it may change without touching the app.
		app.Session = &edgev1.SessionLimits{}
		if s.AbsoluteLifetime != nil {
			app.Session.AbsoluteLifetime = duration(s.AbsoluteLifetime, 0)
		}
		if s.IdleTimeout != nil {
			app.Session.IdleTimeout = duration(s.IdleTimeout, 0)
		}
	}
	return app
}

// access leaves a class that is not known unspecified, which closes the app at the edge.
func access(class string) edgev1.Access {
	return edgev1.Access(edgev1.Access_value["ACCESS_"+strings.TrimPrefix(class, "ACCESS_CLASS_")])
}

func accesses(classes []string) []edgev1.Access {
	var all []edgev1.Access
	for _, class := range classes {
		all = append(all, access(class))
	}
	return all
}

// groupMessage leaves people's addresses out: see people.
func groupMessage(r *controlplane.Resource, g *controlplane.Group) *edgev1.Group {
	group := &edgev1.Group{Id: r.ID, Uid: string(r.UID)}
	for _, m := range g.Members {
		member := &edgev1.GroupMember{}
		switch {
		case m.User != "":
			continue
		case m.IDPGroup != nil:
			member.Member = &edgev1.GroupMember_IdpGroup{IdpGroup: &edgev1.IdpGroup{Idp: m.IDPGroup.IDP, Name: m.IDPGroup.Name}}
		case m.Group != "":
			member.Member = &edgev1.GroupMember_Group{Group: m.Group}
		case m.ServiceAccount != "":
			member.Member = &edgev1.GroupMember_ServiceAccount{ServiceAccount: m.ServiceAccount}
		}
		group.Members = append(group.Members, member)
	}
	return group
}

// providerEntry builds an identity provider for one pool. The secret goes only to pools that sign people in.
func providerEntry(r *controlplane.Resource, p *controlplane.IdentityProvider, secret []byte, keys *poolKeys) (*Entry, error) {
	claims := controlplane.ClaimMapping{}
	if p.Claims != nil {
		claims = *p.Claims
	}
	message := &edgev1.IdentityProvider{
		Id: r.ID, Uid: string(r.UID), DisplayName: r.DisplayName,
		Issuer: p.Issuer, AllowHttpLoopback: p.AllowHTTPLoopback, ClientId: p.ClientID,
		Scopes:              p.Scopes,
		EmailClaim:          orDefault(claims.Email, "email"),
		NameClaim:           orDefault(claims.Name, "name"),
		GroupsClaim:         orDefault(claims.Groups, "groups"),
		EmailDomains:        p.EmailDomains,
		AuthorizeParameters: p.AuthorizeParameters,
		Disabled:            p.Disabled,
	}
	if len(p.Scopes) == 0 {
		message.Scopes = defaultScopes
	}
	if keys.login() && len(secret) > 0 {
		sealed, err := keys.seal("IdentityProvider", string(r.UID), "client_secret", secret)
		if err != nil {
			return nil, err
		}
		message.ClientSecret = sealed
	}
	return newEntry(r.ID, string(r.UID), r.Revision, message)
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// poolEntry builds the platform's one resource for a pool's edges: the pool itself.
func poolEntry(r *controlplane.Resource, p *controlplane.EdgePool, tenants []*edgev1.PoolTenant) (*Entry, error) {
	return newEntry(r.ID, string(r.UID), r.Revision, &edgev1.Pool{
		Id: r.ID, Uid: string(r.UID), Tenants: tenants, Login: p.Login,
		AllowedUpstreamCidrs: p.AllowedUpstreamCIDRs, TrustedProxyCidrs: p.TrustedProxyCIDRs,
	})
}

// tokensByAccount is the edge's form of service tokens, in a fixed order.
func tokensByAccount(rows []store.ServiceToken) map[controlplane.UID][]*edgev1.ServiceToken {
	byAccount := make(map[controlplane.UID][]*edgev1.ServiceToken)
	for _, t := range rows {
		byAccount[t.ServiceAccountUID] = append(byAccount[t.ServiceAccountUID],
			&edgev1.ServiceToken{Id: t.ID, Sha256: t.Hash, ExpireTime: timestamppb.New(t.ExpireTime), Urgent: t.Urgent})
	}
	for _, tokens := range byAccount {
		slices.SortFunc(tokens, func(a, b *edgev1.ServiceToken) int { return strings.Compare(a.Id, b.Id) })
	}
	return byAccount
}
