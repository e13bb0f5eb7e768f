// Package authn turns an API request's credential into a [controlplane.Caller]. It says who somebody is and how much they
// may do at most; what they may do to what is for the use cases. It must never tell why a credential is refused: unknown,
// wrong, expired and orphaned look the same, in bytes and in work.
package authn

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/token"
)

// BootstrapID is the platform's API token that makes the first operator; no other token can have this id there.
const BootstrapID = "bootstrap"

// Config is what [New] needs.
type Config struct {
	DB  *store.DB
	Now func() time.Time // time.Now, but in tests
	Log *slog.Logger
}

// Authenticator checks credentials. It is safe for concurrent use.
type Authenticator struct {
	db      *store.DB
	now     func() time.Time
	log     *slog.Logger
	limiter *limiter
}

// New makes an Authenticator.
func New(config Config) *Authenticator {
	return &Authenticator{db: config.DB, now: config.Now, log: config.Log, limiter: newLimiter(config.Now)}
}

// Authenticate returns who sends the given Authorization headers from an address.
func (a *Authenticator) Authenticate(ctx context.Context, authorization []string, ip netip.Addr) (*controlplane.Caller, error) {
	if len(authorization) == 0 {
		return nil, &controlplane.Error{
			Kind: controlplane.Unauthenticated, Reason: controlplane.ReasonTokenMissing,
			Message: "send an API token: `Authorization: Bearer spa_…`",
		}
	}
	presented, ok := read(authorization)
	if ok && a.limiter.refuses(ip, presented.Hash()) {
		return nil, &controlplane.Error{
			Kind: controlplane.Exhausted, Reason: controlplane.ReasonRate,
			Message:  "too many invalid credentials from this address",
			Metadata: map[string]string{"limit": limitText}, RetryAfter: time.Second,
		}
	}
	if !ok {
		return nil, a.refuse(ip)
	}
	found, err := a.db.System().APIToken(ctx, presented.ID, presented.Matches)
	if err != nil && controlplane.KindOf(err) != controlplane.NotFound {
		return nil, err
	}
	if err != nil || !a.usable(presented, found) {
		return nil, a.refuse(ip)
	}
	if a.limiter.succeeded(presented.Hash()) {
		if err := a.db.System().APITokenUsed(ctx, presented.ID); err != nil {
			a.log.WarnContext(ctx, "note use of API token", "token_id", presented.ID, "error", err)
		}
	}
	return caller(found), nil
}

// read accepts one header with one token of ours. Two headers are two answers to the question who asks.
func read(authorization []string) (token.Token, bool) {
	if len(authorization) != 1 {
		return token.Token{}, false
	}
	scheme, text, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return token.Token{}, false
	}
	if t, ok := token.Parse(token.API, text); ok {
		return t, true
	}
	return token.Parse(token.Bootstrap, text)
}

// usable reports whether a token whose secret was right is still good, and is what its prefix says.
func (a *Authenticator) usable(presented token.Token, found *store.APIToken) bool {
	return a.now().Before(found.ExpireTime) && (presented.Prefix == token.Bootstrap) == isBootstrap(found)
}

func isBootstrap(t *store.APIToken) bool {
	return t.TenantUID == controlplane.PlatformUID && t.Token.ID == BootstrapID
}

// refuse counts a failure. All that fail get the same error.
func (a *Authenticator) refuse(ip netip.Addr) error {
	a.limiter.failed(ip)
	return &controlplane.Error{Kind: controlplane.Unauthenticated, Reason: controlplane.ReasonTokenInvalid, Message: "the API token is not valid"}
}

// caller may do what both the token and its member may: a member who loses a role takes it from all tokens at once.
func caller(found *store.APIToken) *controlplane.Caller {
	of, spec := found.Member.Spec.(*controlplane.Member), found.Token.Spec.(*controlplane.APIToken)
	c := &controlplane.Caller{
		ActorKind: controlplane.APITokenActor,
		TenantUID: found.TenantUID,
		TenantID:  found.TenantID,
		Role:      controlplane.Lesser(of.Role, spec.Role),
		AppLabels: of.AppLabels,
	}
	if c.Operator() {
		c.ActorKind, c.TenantID = controlplane.OperatorActor, ""
	}
	if isBootstrap(found) {
		c.ActorKind = controlplane.BootstrapActor
	}
	c.Actor = controlplane.Name{Tenant: c.TenantID, Kind: controlplane.KindMember, ID: found.Member.ID}.String()
	return c
}
