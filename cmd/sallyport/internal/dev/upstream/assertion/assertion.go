// Package assertion verifies X-Sallyport-Assertion as an app behind Sallyport should, with another JWT library than the
// one that mints it: a fault that both ends share would otherwise go unseen.
//
// It must never accept an algorithm, a key or an address that the token itself names.
package assertion

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// Header is where the assertion is.
const Header = "X-Sallyport-Assertion"

const (
	tokenType = "sallyport-assertion+jwt"
	skew      = 5 * time.Second // one machine; several would have 60
	maxLife   = 5 * time.Minute
	maxBytes  = 8 << 10
)

// Config says whom to believe, and what about.
type Config struct {
	Issuers  []string // such as https://auth.acme.localhost:8443; one per public port
	Audience string   // such as tenants/acme/apps/api
	Keys     *Keys
}

// Verifier checks assertions for one app.
type Verifier struct{ config Config }

// New returns a verifier.
func New(config Config) *Verifier { return &Verifier{config} }

// Reason says, in one stable word, why an assertion was refused.
type Reason string

// The reasons.
const (
	Missing   Reason = "missing"
	Malformed Reason = "malformed"
	Type      Reason = "type"
	Algorithm Reason = "algorithm"
	Key       Reason = "key"
	Signature Reason = "signature"
	Expired   Reason = "expired"
	Lifetime  Reason = "lifetime"
	Issuer    Reason = "issuer"
	Audience  Reason = "audience"
	Claims    Reason = "claims"
)

// Refused is an assertion that is not to be believed.
type Refused struct {
	Reason Reason
	Detail string
}

func (r *Refused) Error() string { return "assertion refused: " + string(r.Reason) + ": " + r.Detail }

// Unavailable says that the keys cannot be had, so that nobody can tell.
type Unavailable struct{ Err error }

func (u *Unavailable) Error() string { return "the edge's keys cannot be fetched: " + u.Err.Error() }
func (u *Unavailable) Unwrap() error { return u.Err }

// compact is the compact serialisation (RFC 7515 section 3.1); the JSON ones are not accepted.
var compact = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)

// Verify returns the claims of the one assertion among the header's values. The error is a *Refused or an *Unavailable.
func (v *Verifier) Verify(ctx context.Context, values []string) (map[string]any, error) {
	switch {
	case len(values) == 0:
		return nil, &Refused{Missing, "the request carries no " + Header}
	case len(values) > 1:
		return nil, &Refused{Malformed, "the request carries more than one " + Header}
	case len(values[0]) > maxBytes || !compact.MatchString(values[0]):
		return nil, &Refused{Malformed, "not a compact JWS of at most 8 KiB"}
	}
	raw := []byte(values[0])
	message, err := jws.Parse(raw, jws.WithCompact())
	if err != nil || len(message.Signatures()) != 1 {
		return nil, &Refused{Malformed, "not a JWS with one signature"}
	}
	header := message.Signatures()[0].ProtectedHeaders()
	if kind, _ := header.Type(); kind != tokenType {
		return nil, &Refused{Type, fmt.Sprintf("typ is %q, want %q", kind, tokenType)}
	}
	if algorithm, _ := header.Algorithm(); algorithm != jwa.ES256() {
		return nil, &Refused{Algorithm, fmt.Sprintf("alg is %q, want ES256", algorithm)}
	}
	kid, _ := header.KeyID()
	key, err := v.config.Keys.find(ctx, kid)
	if err != nil {
		return nil, err
	}
	// Signature first; no claim is read before it is known whose it is.
	if _, err := jws.Verify(raw, jws.WithCompact(), jws.WithKey(jwa.ES256(), key)); err != nil {
		return nil, &Refused{Signature, "not signed by the edge's key " + kid}
	}
	return v.claims(raw)
}

func (v *Verifier) claims(raw []byte) (map[string]any, error) {
	token, err := jwt.ParseInsecure(raw) // verified above
	if err != nil {
		return nil, &Refused{Malformed, "the payload is not a set of claims"}
	}
	expiry, hasExpiry := token.Expiration()
	issued, hasIssued := token.IssuedAt()
	subject, _ := token.Subject()
	issuer, _ := token.Issuer()
	audience, _ := token.Audience()
	switch now := time.Now(); {
	case !hasExpiry || !hasIssued || subject == "":
		return nil, &Refused{Claims, "exp, iat and sub are required"}
	case now.After(expiry.Add(skew)):
		return nil, &Refused{Expired, "it ended at " + expiry.UTC().Format(time.RFC3339)}
	case issued.After(now.Add(skew)):
		return nil, &Refused{Claims, "it was issued in the future"}
	case expiry.Sub(issued) > maxLife:
		return nil, &Refused{Lifetime, "it claims to be good for more than 5 minutes"}
	case !slices.Contains(v.config.Issuers, issuer):
		return nil, &Refused{Issuer, fmt.Sprintf("iss is %q", issuer)}
	case !slices.Equal(audience, []string{v.config.Audience}):
		return nil, &Refused{Audience, fmt.Sprintf("aud is %q, want %q", audience, v.config.Audience)}
	}
	if err := jwt.Validate(token, jwt.WithAcceptableSkew(skew)); err != nil { // nbf, and what else the library knows
		return nil, &Refused{Claims, err.Error()}
	}
	claims := map[string]any{}
	for _, name := range token.Keys() {
		var value any
		if err := token.Get(name, &value); err != nil {
			return nil, &Refused{Claims, "claim " + name + " cannot be read"}
		}
		claims[name] = value
	}
	claims["iat"], claims["exp"] = issued.Unix(), expiry.Unix()
	claims["aud"] = v.config.Audience
	return claims, nil
}

// usable refuses a key that is published for something else. The library leaves this to its user.
func usable(key jwk.Key) (*ecdsa.PublicKey, error) {
	if use, ok := key.KeyUsage(); ok && use != "sig" {
		return nil, errors.New("it is not for signatures")
	}
	if algorithm, ok := key.Algorithm(); ok && algorithm.String() != jwa.ES256().String() {
		return nil, errors.New("it is for another algorithm")
	}
	var public ecdsa.PublicKey
	if err := jwk.Export(key, &public); err != nil {
		return nil, errors.New("it is not a public EC key")
	}
	if public.Curve != elliptic.P256() {
		return nil, errors.New("it is not on the curve P-256")
	}
	return &public, nil
}
