package idp

import (
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// authRequest is one authorization request, from /authorize until its code is redeemed. Its fields do not change; what
// does change, the storage replaces by a copy.
type authRequest struct {
	*oidc.AuthRequest
	id      string
	browser string // who began it: nobody else may go on with it
	subject string // "" until somebody signed in
	at      time.Time
}

func (r *authRequest) GetID() string          { return r.id }
func (r *authRequest) GetACR() string         { return "" }
func (r *authRequest) GetAudience() []string  { return []string{r.ClientID} }
func (r *authRequest) GetAuthTime() time.Time { return r.at }
func (r *authRequest) GetClientID() string    { return r.ClientID }
func (r *authRequest) GetNonce() string       { return r.Nonce }
func (r *authRequest) GetScopes() []string    { return r.Scopes }
func (r *authRequest) GetSubject() string     { return r.subject }
func (r *authRequest) Done() bool             { return r.subject != "" }

func (r *authRequest) GetAMR() []string {
	if !r.Done() {
		return nil
	}
	return []string{"pwd"}
}

func (r *authRequest) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}

// satisfiedBy reports whether a sign-in of before is good enough for this request.
func satisfiedBy(request *oidc.AuthRequest, session *session, now time.Time) bool {
	switch {
	case session == nil:
		return false
	case slices.Contains(request.Prompt, oidc.PromptSelectAccount):
		return false
	case request.MaxAge != nil: // 0 for prompt=login
		return now.Sub(session.at) < time.Duration(*request.MaxAge)*time.Second
	}
	return true
}

// client is the provider's one client.
type client struct{ config Config }

const scopeGroups = "groups"

func (c client) GetID() string                       { return c.config.ClientID }
func (c client) RedirectURIs() []string              { return c.config.RedirectURIs }
func (c client) PostLogoutRedirectURIs() []string    { return c.config.PostLogoutRedirectURIs }
func (c client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c client) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodBasic }
func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (c client) GrantTypes() []oidc.GrantType         { return []oidc.GrantType{oidc.GrantTypeCode} }
func (c client) LoginURL(id string) string            { return loginPath + "?request=" + id }
func (c client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (c client) IDTokenLifetime() time.Duration       { return accessTokenLife }
func (c client) DevMode() bool                        { return false }
func (c client) IsScopeAllowed(scope string) bool     { return scope == scopeGroups }
func (c client) IDTokenUserinfoClaimsAssertion() bool { return true } // clients should not need /userinfo
func (c client) ClockSkew() time.Duration             { return 0 }

func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}

func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}
