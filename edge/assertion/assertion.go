package assertion

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/maypok86/otter/v2"
	"github.com/oklog/ulid/v2"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/identity"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

const (
	lifetime  = 5 * time.Minute
	renewal   = time.Minute // before the end
	cacheSize = 100_000     // assertions; about 100 MB at most
)

// ErrNoKey is returned while no key to sign with is here.
var ErrNoKey = errors.New("no assertion key is here")

// Minter makes assertions, and keeps them as long as they are good.
type Minter struct {
	publicPort int
	cache      *otter.Cache[name, minted]
}

// New returns a minter for edges that are reached at a public port.
func New(publicPort int) *Minter {
	return &Minter{publicPort: publicPort, cache: otter.Must(&otter.Options[name, minted]{MaximumSize: cacheSize})}
}

// name is everything that an assertion depends on, so that a change of any makes another.
type name struct {
	tenantUID, appUID, audience, issuer  string
	credential, id, version, groups, kid string
}

type minted struct {
	token   string
	expires time.Time
}

// claims are the JWT's, in the order of reference.
type claims struct {
	Issuer        string   `json:"iss"`
	Audience      string   `json:"aud"`
	Subject       string   `json:"sub"`
	Email         string   `json:"email,omitempty"`
	EmailVerified *bool    `json:"email_verified,omitempty"`
	Name          string   `json:"name,omitempty"`
	Groups        []string `json:"groups,omitempty"`
	SessionID     string   `json:"sid,omitempty"`
	ID            string   `json:"jti"`
	IssuedAt      int64    `json:"iat"`
	Expires       int64    `json:"exp"`
	Tenant        string   `json:"tenant"`
	AppUID        string   `json:"app_uid"`
}

// Assertion returns what the upstream of an app is told about a caller.
func (m *Minter) Assertion(site *snapshot.Site, app *snapshot.App, c *exchange.Caller, groups []string, now time.Time) (string, error) {
	key := site.Signer(now)
	if key == nil {
		return "", ErrNoKey
	}
	n := name{
		tenantUID: site.TenantUID, appUID: app.UID, audience: audience(site, app), issuer: m.issuer(site),
		credential: c.Credential, id: c.SessionID + c.Revocable.Token, version: c.Version, groups: strings.Join(groups, "\x00"), kid: key.KID,
	}
	if have, ok := m.cache.GetIfPresent(n); ok && now.Before(have.expires.Add(-renewal)) {
		return have.token, nil
	}
	expires := now.Add(lifetime)
	if !c.ExpireTime.IsZero() && c.ExpireTime.Before(expires) {
		expires = c.ExpireTime
	}
	token, err := sign(key, m.claims(site, app, c, groups, now, expires))
	if err != nil {
		return "", fmt.Errorf("sign an assertion with %q: %w", key.KID, err)
	}
	m.cache.Set(n, minted{token, expires})
	return token, nil
}

func (m *Minter) claims(site *snapshot.Site, app *snapshot.App, c *exchange.Caller, groups []string, now, expires time.Time) claims {
	made := claims{
		Issuer: m.issuer(site), Audience: audience(site, app), Subject: c.Subject, Email: c.Email, Groups: groups, SessionID: c.SessionID,
		ID:       "a_" + ulid.MustNew(ulid.Timestamp(now), rand.Reader).String(),
		IssuedAt: now.Unix(), Expires: expires.Unix(), Tenant: site.TenantID, AppUID: app.UID,
	}
	if c.SessionID != "" {
		made.EmailVerified, made.Name = &c.Identity.EmailVerified, c.Name
	}
	return made
}

func audience(site *snapshot.Site, app *snapshot.App) string {
	return "tenants/" + site.TenantID + "/apps/" + app.ID
}

// issuer is the auth host. A tenant that signs nobody in has none, and is named by its resource name.
func (m *Minter) issuer(site *snapshot.Site) string {
	if site.AuthHost == "" {
		return "tenants/" + site.TenantID
	}
	return exchange.Origin(site.AuthHost, m.publicPort)
}

func sign(key *snapshot.AssertionKey, c claims) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.Private, KeyID: key.KID}},
		(&jose.SignerOptions{}).WithType(identity.AssertionType))
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Groups are those that an app may know its caller to be in: those it names, or all if it asked for groups and named none.
func Groups(site *snapshot.Site, app *snapshot.App, c *exchange.Caller) []string {
	if len(app.IdentityGroups) == 0 && !slices.Contains(app.IdentityHeaders, "groups") {
		return nil
	}
	in := c.Groups(site)
	if len(app.IdentityGroups) == 0 {
		return in
	}
	var named []string
	for _, g := range in {
		if slices.Contains(app.IdentityGroups, g) {
			named = append(named, g)
		}
	}
	return named
}

// KeySet is the document at /.sallyport/jwks.json (RFC 7517): every key of the tenant at this pool, also those that do not
// sign yet or any more, so that a verifier never meets a key id that it could not have known.
func KeySet(site *snapshot.Site) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range site.AssertionKeys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public, KeyID: k.KID, Algorithm: string(jose.ES256), Use: "sig"})
	}
	return json.Marshal(set)
}
