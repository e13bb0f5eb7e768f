package identity

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// Authenticator finds the caller of a request.
type Authenticator struct {
	Sessions *session.Sessions
}

// Asked is what a request says about who asks, and where.
type Asked struct {
	Site     *snapshot.Site
	App      *snapshot.App // nil on the auth host
	Host     string
	Taken    header.Taken
	ClientIP netip.Addr
	Now      time.Time
}

// Answer is who asks.
type Answer struct {
	Caller *exchange.Caller // nil: a stranger
	// Reason tells why a caller is a stranger.
	Reason policy.Reason
	// Unknown is set if it cannot be told who asks. The request may still be one that a stranger may make.
	Unknown *exchange.Denial
	// OwnAuthorization: the Authorization header was for us, and must not reach the upstream.
	OwnAuthorization bool
	// SetCookie renews a session's cookie.
	SetCookie *http.Cookie
}

// Identify reads the one credential of ours that a request may have.
func (a *Authenticator) Identify(ctx context.Context, q Asked) (Answer, *exchange.Denial) {
	token, own, err := ourToken(q.Taken)
	if err != nil {
		return Answer{}, twoCredentials(err)
	}
	cookie, err := q.Taken.Session()
	if err != nil {
		return Answer{}, twoCredentials(err)
	}
	switch {
	case token != "" && cookie != "":
		return Answer{}, twoCredentials(errTokenAndSession)
	case token != "":
		caller, denial := serviceToken(q.Site, token, q.Now)
		return Answer{Caller: caller, OwnAuthorization: own}, denial
	case cookie != "":
		return a.session(ctx, q, cookie), nil
	default:
		return Answer{Reason: policy.IdentityNone}, nil
	}
}

// Alive reports whether a caller may still act, for requests that stay open. It does no I/O.
func (a *Authenticator) Alive(site *snapshot.Site, app *snapshot.App, c *exchange.Caller, now time.Time) (bool, policy.Reason) {
	switch {
	case c == nil:
		return true, ""
	case c.Credential == exchange.CredentialServiceToken:
		return tokenAlive(site, c, now)
	default:
		return a.Sessions.Alive(site, app, c, now)
	}
}

var errTokenAndSession = &header.Refusal{Reason: header.ReasonTwoCredentials, Detail: "there is a token and a session cookie"}

func twoCredentials(err error) *exchange.Denial {
	refusal := &header.Refusal{Reason: header.ReasonTwoCredentials}
	errors.As(err, &refusal)
	return exchange.Refuse(policy.Reason(refusal.Reason), refusal.Detail)
}
