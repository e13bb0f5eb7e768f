// Package idp is the demo's identity provider: a small, real OpenID Connect provider with a login page and three people.
// The protocol is the library's (zitadel/oidc); this package is its storage, its pages, and the strictness that the
// library leaves to its user: only the authorization code with PKCE, a login bound to the browser that began it, and
// the issuer in every authorization response (RFC 9207).
//
// It must never be reachable from another machine, and never hold an account that matters.
package idp

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Config says who the provider is and who may use it.
type Config struct {
	Issuer                 string   // such as http://localhost:5556; a loopback address
	StateFile              string   // keys, passwords and the client's secret; made at the first start, 0600
	ClientID               string   // the one client
	RedirectURIs           []string // of the client, compared exactly
	PostLogoutRedirectURIs []string // of the client, compared exactly
}

// Provider serves the protocol and the pages.
type Provider struct {
	config  Config
	state   *state
	storage *storage
	handler http.Handler
}

// New reads or makes the state and returns the provider, which keeps sign-ins in memory only.
func New(config Config) (*Provider, error) {
	issuer, err := url.Parse(config.Issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	if !loopback(issuer.Hostname()) {
		return nil, fmt.Errorf("issuer %s: the demo's provider is for this machine only", config.Issuer)
	}
	state, err := openState(config.StateFile)
	if err != nil {
		return nil, err
	}
	storage := newStorage(config, state)
	provider, err := op.NewProvider(
		&op.Config{
			CryptoKey:                state.cryptoKey(),
			CodeMethodS256:           true,
			DefaultLogoutRedirectURI: config.Issuer + signedOutPath,
			SupportedScopes:          []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, scopeGroups},
		},
		storage, op.StaticIssuer(config.Issuer), op.WithAllowInsecure(), op.WithCORSOptions(nil))
	if err != nil {
		return nil, fmt.Errorf("make the provider: %w", err)
	}
	p := &Provider{config: config, state: state, storage: storage}
	p.handler = p.routes(provider)
	return p, nil
}

// Handler is the whole provider.
func (p *Provider) Handler() http.Handler { return p.handler }

// ClientSecret is what the client proves itself with.
func (p *Provider) ClientSecret() string { return p.state.ClientSecret }

// People are those who can sign in.
func (p *Provider) People() []Person { return slices.Clone(p.state.People) }

const (
	loginPath     = "/login"
	signOutPath   = "/sign-out"
	signedOutPath = "/signed-out"
)

// routes lists every path that answers. The library would serve more (device flow, introspection, implicit tokens):
// what the demo does not use is not there.
func (p *Provider) routes(provider *op.Provider) http.Handler {
	mux := http.NewServeMux()
	for _, endpoint := range []*op.Endpoint{
		provider.AuthorizationEndpoint(), provider.TokenEndpoint(), provider.UserinfoEndpoint(),
		provider.EndSessionEndpoint(), provider.KeysEndpoint(),
	} {
		mux.Handle(endpoint.Relative(), provider)
	}
	mux.Handle(provider.AuthorizationEndpoint().Relative()+"/callback", provider)
	mux.HandleFunc("GET "+oidc.DiscoveryEndpoint, func(w http.ResponseWriter, r *http.Request) { p.discovery(w, r, provider) })
	mux.HandleFunc("GET "+loginPath, p.loginPage)
	mux.HandleFunc("POST "+loginPath, p.login)
	mux.HandleFunc("GET /{$}", p.homePage)
	mux.HandleFunc("POST "+signOutPath, p.signOut)
	mux.HandleFunc("GET "+signedOutPath, p.signedOutPage)

	var handler http.Handler = mux
	handler = p.stampIssuer(handler)
	handler = p.rememberBrowser(handler)
	handler = ownFormsOnly(handler)
	return securityHeaders(handler)
}

// ownFormsOnly refuses the forms of other sites, except to the endpoints that OpenID Connect wants open to them.
func ownFormsOnly(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == loginPath || r.URL.Path == signOutPath {
			sameOrigin.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		// No form-action: Chromium applies it to the redirects after the form too, and those lead to the client.
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// discovery says what is really there, which is less than the library assumes.
func (p *Provider) discovery(w http.ResponseWriter, r *http.Request, provider *op.Provider) {
	full := op.CreateDiscoveryConfig(op.ContextWithIssuer(r.Context(), p.config.Issuer), provider, p.storage)
	document := struct {
		*oidc.DiscoveryConfiguration
		IssuerInResponse bool `json:"authorization_response_iss_parameter_supported"` // RFC 9207 section 3
	}{&oidc.DiscoveryConfiguration{
		Issuer:                            full.Issuer,
		AuthorizationEndpoint:             full.AuthorizationEndpoint,
		TokenEndpoint:                     full.TokenEndpoint,
		UserinfoEndpoint:                  full.UserinfoEndpoint,
		EndSessionEndpoint:                full.EndSessionEndpoint,
		JwksURI:                           full.JwksURI,
		ScopesSupported:                   full.ScopesSupported,
		ResponseTypesSupported:            []string{string(oidc.ResponseTypeCode)},
		ResponseModesSupported:            []string{string(oidc.ResponseModeQuery)},
		GrantTypesSupported:               []oidc.GrantType{oidc.GrantTypeCode},
		SubjectTypesSupported:             full.SubjectTypesSupported,
		IDTokenSigningAlgValuesSupported:  full.IDTokenSigningAlgValuesSupported,
		TokenEndpointAuthMethodsSupported: []oidc.AuthMethod{oidc.AuthMethodBasic},
		ClaimsSupported:                   []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr", "at_hash", "name", "preferred_username", "email", "email_verified", "groups"},
		CodeChallengeMethodsSupported:     []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
	}, true}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "max-age=300")
	// A write that fails has nobody left to tell.
	_ = json.NewEncoder(w).Encode(document)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
