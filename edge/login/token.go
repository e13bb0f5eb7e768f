package login

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

const (
	// skew is how far a provider's clock may be off.
	skew = 60 * time.Second
	// maxSubject is OpenID Connect Core §2.
	maxSubject = 255
)

// badAnswer is an answer of the provider that is no proof of who somebody is.
type badAnswer struct {
	public string // for the person, who will show it to an administrator; in our words
	cause  error  // for the log; may be in the provider's words
}

func (b *badAnswer) Error() string {
	if b.cause == nil {
		return b.public
	}
	return b.public + ": " + b.cause.Error()
}

func notAcceptable(format string, args ...any) error {
	return &badAnswer{public: fmt.Sprintf(format, args...)}
}

// expected is what the answer to a code has to fit.
type expected struct {
	code, redirectURI, verifier, nonce string
	// maxAge is the administrator's for whoever signs in; 0: none. What a rule wants of a step-up is no matter of whether the
	// answer is to be believed, and is decided by the rule.
	maxAge time.Duration
}

// identify trades a code for who the person is.
func (p *provider) identify(ctx context.Context, m *metadata, idp *snapshot.IdentityProvider, want expected, now time.Time) (session.Person, error) {
	token, err := p.exchange(ctx, m, idp, want)
	if err != nil {
		return session.Person{}, err
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return session.Person{}, notAcceptable("there is no ID token")
	}
	claims, err := p.verify(ctx, m, idp, raw, token.AccessToken, want, now)
	if err != nil {
		return session.Person{}, err
	}
	if lacks(claims, idp) && m.userinfo != "" {
		if err := p.complete(ctx, m, token, claims); err != nil {
			return session.Person{}, err
		}
	}
	return person(idp, claims)
}

func (p *provider) exchange(ctx context.Context, m *metadata, idp *snapshot.IdentityProvider, want expected) (*oauth2.Token, error) {
	endpoint := m.endpoint
	secret := idp.ClientSecret.Reveal()
	if secret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams // a public client: an empty secret in a header is a wrong one
	}
	config := oauth2.Config{ClientID: idp.ClientID, ClientSecret: secret, Endpoint: endpoint, RedirectURL: want.redirectURI}
	token, err := config.Exchange(oidc.ClientContext(ctx, p.client), want.code, oauth2.VerifierOption(want.verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < 500:
		return nil, notAcceptable("the token endpoint answered %d %q", refused.Response.StatusCode, known(refused.ErrorCode))
	case errors.As(err, &refused) && refused.Response != nil:
		return nil, fmt.Errorf("%w: the token endpoint answered %d", errProvider, refused.Response.StatusCode)
	case err != nil:
		return nil, fmt.Errorf("%w: ask its token endpoint: %w", errProvider, shorten(err))
	}
	if !strings.EqualFold(token.Type(), "bearer") {
		return nil, notAcceptable("the access token is of another type than bearer")
	}
	return token, nil
}

// known are the error codes that may be repeated: everything else is text of somebody else's.
func known(code string) string {
	list := []string{
		"access_denied", "account_selection_required", "consent_required", "interaction_required", "invalid_client", "invalid_grant",
		"invalid_request", "invalid_scope", "login_required", "server_error", "temporarily_unavailable", "unauthorized_client",
		"unmet_authentication_requirements", "unsupported_grant_type", "unsupported_response_type",
	}
	if slices.Contains(list, code) {
		return code
	}
	return ""
}

// askedKeys remembers what went wrong with the keys: the library passes on its text only, and "the keys could not be
// read" is another answer than "the signature is wrong".
type askedKeys struct {
	*keySet
	err error
}

func (a *askedKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := a.keySet.VerifySignature(ctx, token)
	a.err = err
	return payload, err
}

// verify checks an ID token (OpenID Connect Core §3.1.3.7). The library checks signature, issuer and audience; the rest,
// and again what it is lenient about, is here.
func (p *provider) verify(ctx context.Context, m *metadata, idp *snapshot.IdentityProvider, raw, accessToken string, want expected, now time.Time) (claims, error) {
	keys := &askedKeys{keySet: m.keys}
	verifier := oidc.NewVerifier(idp.Issuer, keys, &oidc.Config{ClientID: idp.ClientID, SupportedSigningAlgs: m.algorithms, SkipExpiryCheck: true})
	token, err := verifier.Verify(ctx, raw)
	switch {
	case errors.Is(keys.err, errProvider):
		return nil, keys.err
	case err != nil:
		return nil, &badAnswer{"the ID token cannot be verified", shorten(err)}
	case token.Issuer != idp.Issuer:
		return nil, notAcceptable("the ID token is of another issuer")
	case token.Subject == "" || len(token.Subject) > maxSubject:
		return nil, notAcceptable("the ID token has no subject of at most %d bytes", maxSubject)
	}
	var payload rawJSON
	if err := token.Claims(&payload); err != nil {
		return nil, notAcceptable("the ID token's claims are malformed")
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, notAcceptable("the ID token is malformed: %v", err)
	}
	if err := audience(token.Audience, c, idp.ClientID); err != nil {
		return nil, err
	}
	if err := times(c, want.maxAge, now); err != nil {
		return nil, err
	}
	nonce, _ := c.text("nonce")
	if nonce == "" || subtle.ConstantTimeCompare([]byte(nonce), []byte(want.nonce)) != 1 {
		return nil, notAcceptable("the ID token's nonce is not the one that was sent")
	}
	if _, there := c["at_hash"]; there {
		if err := token.VerifyAccessToken(accessToken); err != nil {
			return nil, notAcceptable("the ID token's at_hash does not fit the access token")
		}
	}
	return c, nil
}

func audience(audience []string, c claims, clientID string) error {
	if !slices.Contains(audience, clientID) {
		return notAcceptable("the ID token is for another client")
	}
	azp, there := c["azp"]
	if !there {
		if len(audience) > 1 {
			return notAcceptable("the ID token is for several clients and does not say which one asked")
		}
		return nil
	}
	if got, ok := azp.(string); !ok || got != clientID {
		return notAcceptable("another client asked for the ID token")
	}
	return nil
}

func times(c claims, maxAge time.Duration, now time.Time) error {
	expires, ok := c.instant("exp")
	if !ok || !now.Before(expires.Add(skew)) {
		return notAcceptable("the ID token has expired, or does not say when it does")
	}
	issued, ok := c.instant("iat")
	if !ok || issued.After(now.Add(skew)) {
		return notAcceptable("the ID token is from the future, or does not say when it was made")
	}
	if _, there := c["nbf"]; there {
		if from, ok := c.instant("nbf"); !ok || from.After(now.Add(skew)) {
			return notAcceptable("the ID token is not good yet")
		}
	}
	signedIn, ok := c.instant("auth_time")
	switch {
	case ok && signedIn.After(now.Add(skew)):
		return notAcceptable("the person authenticated in the future")
	case maxAge > 0 && (!ok || now.Sub(signedIn) > maxAge+skew):
		return notAcceptable("the person authenticated too long ago, or the provider does not say when")
	}
	return nil
}

// complete fills in claims that the ID token lacks. A userinfo endpoint that fails, fails the sign-in: "no groups" and
// "could not ask" are two things.
func (p *provider) complete(ctx context.Context, m *metadata, token *oauth2.Token, c claims) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.userinfo, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errProvider, err)
	}
	token.SetAuthHeader(req)
	req.Header.Set("Accept", "application/json")
	answer, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: ask its userinfo endpoint: %w", errProvider, shorten(err))
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("%w: read its userinfo: %w", errProvider, err)
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if answer.StatusCode != http.StatusOK || kind != "application/json" {
		return fmt.Errorf("%w: its userinfo endpoint answered %d", errProvider, answer.StatusCode)
	}
	more, err := parseClaims(body)
	if err != nil {
		return notAcceptable("the userinfo is malformed: %v", err)
	}
	// Core §5.3.4: without this an answer about somebody else would be believed.
	mine, _ := c.text("sub")
	if theirs, ok := more.text("sub"); !ok || theirs != mine {
		return notAcceptable("the userinfo is about somebody else")
	}
	// "Verified" is said of one address, in the document that names it.
	if _, there := c["email"]; !there {
		delete(c, "email_verified")
	} else if c["email"] != more["email"] {
		delete(more, "email_verified")
	}
	for name, value := range more {
		if _, there := c[name]; !there {
			c[name] = value
		}
	}
	return nil
}
