package assertion

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/ca"
)

const (
	issuer   = "https://auth.acme.localhost:8443"
	audience = "tenants/acme/apps/api"
)

// edge publishes keys as an edge does, and mints with the library that the edge uses.
type edge struct {
	key     *ecdsa.PrivateKey
	set     atomic.Pointer[jose.JSONWebKeySet]
	fetches atomic.Int64
	url     string
	caFile  string
}

func newKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func published(kid string, key any) jose.JSONWebKey {
	return jose.JSONWebKey{KeyID: kid, Use: "sig", Algorithm: "ES256", Key: key}
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{key: newKey(t, elliptic.P256())}
	e.publish(published("dev-1", &e.key.PublicKey))
	authority, err := ca.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Server("acme", "api.acme.localhost")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.fetches.Add(1)
		if r.URL.Path != "/.sallyport/jwks.json" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(e.set.Load())
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	e.url, e.caFile = "https://api.acme.localhost:"+port+"/.sallyport/jwks.json", authority.File()
	return e
}

func (e *edge) publish(keys ...jose.JSONWebKey) { e.set.Store(&jose.JSONWebKeySet{Keys: keys}) }

func (e *edge) verifier() *Verifier {
	return New(Config{Issuers: []string{issuer, "https://auth.acme.localhost:8444"}, Audience: audience, Keys: NewKeys(e.caFile, e.url)})
}

type claims map[string]any

func goodClaims() claims {
	now := time.Now().Unix()
	return claims{
		"iss": issuer, "aud": audience, "sub": "user:0f2c", "email": "bob@acme.test", "email_verified": true, "groups": []any{"engineering"},
		"sid": "s_1", "jti": "a_1", "iat": now, "exp": now + 300, "tenant": "acme",
	}
}

func (c claims) with(name string, value any) claims {
	if value == nil {
		delete(c, name)
		return c
	}
	c[name] = value
	return c
}

// mint signs with any key and header.
func mint(t *testing.T, algorithm jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, c claims) *jose.JSONWebSignature {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func serialize(t *testing.T, signed *jose.JSONWebSignature) string {
	t.Helper()
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func header(kid, kind string) map[jose.HeaderKey]any {
	return map[jose.HeaderKey]any{"kid": kid, "typ": kind}
}

func (e *edge) mint(t *testing.T, c claims) string {
	t.Helper()
	return serialize(t, mint(t, jose.ES256, e.key, header("dev-1", tokenType), c))
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	want := goodClaims()
	got, err := e.verifier().Verify(t.Context(), []string{e.mint(t, want)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any(want), got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	// The other region's edge speaks under its own port.
	if _, err := e.verifier().Verify(t.Context(), []string{e.mint(t, goodClaims().with("iss", "https://auth.acme.localhost:8444"))}); err != nil {
		t.Errorf("the other edge's: %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	stranger := newKey(t, elliptic.P256())
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384 := newKey(t, elliptic.P384())
	encryption := published("enc-1", &e.key.PublicKey)
	encryption.Use = "enc"
	otherAlgorithm := published("alg-1", &e.key.PublicKey)
	otherAlgorithm.Algorithm = "ES384"
	e.publish(published("dev-1", &e.key.PublicKey), encryption, otherAlgorithm, published("p384-1", &p384.PublicKey), published("rsa-1", &rsaKey.PublicKey))
	publicPoint, err := e.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}

	good := e.mint(t, goodClaims())
	parts := strings.Split(good, ".")
	payload := func(c claims) string {
		encoded, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(encoded)
	}
	head := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }

	for name, tc := range map[string]struct {
		values []string
		want   Reason
	}{
		"none":                        {nil, Missing},
		"two":                         {[]string{good, good}, Malformed},
		"empty":                       {[]string{""}, Malformed},
		"two in one":                  {[]string{good + "," + good}, Malformed},
		"padded":                      {[]string{good + "="}, Malformed},
		"too long":                    {[]string{good + strings.Repeat("A", maxBytes)}, Malformed},
		"JSON serialisation":          {[]string{mint(t, jose.ES256, e.key, header("dev-1", tokenType), goodClaims()).FullSerialize()}, Malformed},
		"the wiki's":                  {[]string{e.mint(t, goodClaims().with("aud", "tenants/acme/apps/wiki"))}, Audience},
		"the wiki's and ours":         {[]string{e.mint(t, goodClaims().with("aud", []string{"tenants/acme/apps/wiki", audience}))}, Audience},
		"for nobody":                  {[]string{e.mint(t, goodClaims().with("aud", nil))}, Audience},
		"expired":                     {[]string{e.mint(t, goodClaims().with("iat", ago(400*time.Second)).with("exp", ago(100*time.Second)))}, Expired},
		"without expiry":              {[]string{e.mint(t, goodClaims().with("exp", nil))}, Claims},
		"without issue time":          {[]string{e.mint(t, goodClaims().with("iat", nil))}, Claims},
		"without subject":             {[]string{e.mint(t, goodClaims().with("sub", nil))}, Claims},
		"from the future":             {[]string{e.mint(t, goodClaims().with("iat", ago(-time.Hour)).with("exp", ago(-time.Hour-time.Minute)))}, Claims},
		"not yet":                     {[]string{e.mint(t, goodClaims().with("nbf", ago(-time.Minute)))}, Claims},
		"good for a day":              {[]string{e.mint(t, goodClaims().with("exp", ago(-24*time.Hour)))}, Lifetime},
		"another tenant's name":       {[]string{e.mint(t, goodClaims().with("iss", "https://auth.globex.localhost:8443"))}, Issuer},
		"another tenant's key":        {[]string{serialize(t, mint(t, jose.ES256, stranger, header("globex-1", tokenType), goodClaims()))}, Key},
		"another key under this name": {[]string{serialize(t, mint(t, jose.ES256, stranger, header("dev-1", tokenType), goodClaims()))}, Signature},
		"no key named":                {[]string{serialize(t, mint(t, jose.ES256, e.key, map[jose.HeaderKey]any{"typ": tokenType}, goodClaims()))}, Key},
		"key inside of the token":     {[]string{serialize(t, mint(t, jose.ES256, jose.JSONWebKey{Key: stranger, KeyID: "mine"}, map[jose.HeaderKey]any{"typ": tokenType, "jwk": published("mine", &stranger.PublicKey)}, goodClaims()))}, Key},
		"key for encryption":          {[]string{serialize(t, mint(t, jose.ES256, e.key, header("enc-1", tokenType), goodClaims()))}, Key},
		"key for another algorithm":   {[]string{serialize(t, mint(t, jose.ES256, e.key, header("alg-1", tokenType), goodClaims()))}, Key},
		"edited payload":              {[]string{parts[0] + "." + payload(goodClaims().with("sub", "user:admin")) + "." + parts[2]}, Signature},
		"edited header":               {[]string{head(`{"alg":"ES256","kid":"dev-1","typ":"sallyport-assertion+jwt","x":1}`) + "." + parts[1] + "." + parts[2]}, Signature},
		"ID token":                    {[]string{serialize(t, mint(t, jose.ES256, e.key, header("dev-1", "JWT"), goodClaims()))}, Type},
		"no type":                     {[]string{serialize(t, mint(t, jose.ES256, e.key, map[jose.HeaderKey]any{"kid": "dev-1"}, goodClaims()))}, Type},
		"unsigned":                    {[]string{head(`{"alg":"none","kid":"dev-1","typ":"sallyport-assertion+jwt"}`) + "." + parts[1] + "." + parts[2]}, Algorithm},
		"public key as a secret":      {[]string{serialize(t, mint(t, jose.HS256, publicPoint, header("dev-1", tokenType), goodClaims()))}, Algorithm},
		"RSA":                         {[]string{serialize(t, mint(t, jose.RS256, rsaKey, header("rsa-1", tokenType), goodClaims()))}, Algorithm},
		"ES384":                       {[]string{serialize(t, mint(t, jose.ES384, p384, header("p384-1", tokenType), goodClaims()))}, Algorithm},
		"no claims":                   {[]string{serialize(t, mint(t, jose.ES256, e.key, header("dev-1", tokenType), nil))}, Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := e.verifier().Verify(t.Context(), tc.values)
			if refused := (*Refused)(nil); !errors.As(err, &refused) || refused.Reason != tc.want {
				t.Errorf("error = %v, want reason %s", err, tc.want)
			}
		})
	}
}

func TestKeysAreFetchedWhenNeeded(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	v := e.verifier()
	for range 10 {
		if _, err := v.Verify(t.Context(), []string{e.mint(t, goodClaims())}); err != nil {
			t.Fatal(err)
		}
	}
	if n := e.fetches.Load(); n != 1 {
		t.Errorf("%d fetches for one key", n)
	}
	// Strangers cannot make us ask again and again.
	for range 10 {
		_, _ = v.Verify(t.Context(), []string{serialize(t, mint(t, jose.ES256, e.key, header("invented", tokenType), goodClaims()))})
	}
	if n := e.fetches.Load(); n > 2 {
		t.Errorf("%d fetches after invented key ids", n)
	}
	// A rotated key is found, and a withdrawn one stops working, as soon as the set is fetched again.
	next := newKey(t, elliptic.P256())
	e.publish(published("dev-2", &next.PublicKey))
	v.config.Keys.tried, v.config.Keys.fetched = time.Time{}, time.Now()
	if _, err := v.Verify(t.Context(), []string{serialize(t, mint(t, jose.ES256, next, header("dev-2", tokenType), goodClaims()))}); err != nil {
		t.Errorf("rotated key: %v", err)
	}
	_, err := v.Verify(t.Context(), []string{e.mint(t, goodClaims())})
	if refused := (*Refused)(nil); !errors.As(err, &refused) || refused.Reason != Key {
		t.Errorf("withdrawn key: %v", err)
	}
}

func TestUnavailableIsNotRefused(t *testing.T) {
	t.Parallel()
	e, other := newEdge(t), newEdge(t)
	closed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "https://api.acme.localhost:" + strings.TrimPrefix(closed.Addr().String(), "127.0.0.1:") + "/.sallyport/jwks.json"
	closed.Close()
	verify := func(keys *Keys) error {
		_, err := New(Config{Issuers: []string{issuer}, Audience: audience, Keys: keys}).Verify(t.Context(), []string{e.mint(t, goodClaims())})
		return err
	}
	unavailable := (*Unavailable)(nil)
	if err := verify(NewKeys(e.caFile, dead)); !errors.As(err, &unavailable) {
		t.Errorf("no edge there: %v", err)
	}
	if err := verify(NewKeys(e.caFile, dead, e.url)); err != nil {
		t.Errorf("the second edge answers: %v", err)
	}
	if err := verify(NewKeys(other.caFile, e.url)); !errors.As(err, &unavailable) {
		t.Errorf("a certificate of somebody else's CA: %v", err)
	}
	e.publish(published("dev-1", &e.key.PublicKey), published("dev-1", &other.key.PublicKey))
	if err := verify(NewKeys(e.caFile, e.url)); !errors.As(err, &unavailable) {
		t.Errorf("two keys of one name: %v", err)
	}
}

// What is accepted was signed by the key; nothing panics.
func FuzzVerify(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	keys := &Keys{keys: map[string]*ecdsa.PublicKey{"dev-1": &key.PublicKey}, fetched: time.Now(), tried: time.Now()}
	v := New(Config{Issuers: []string{issuer}, Audience: audience, Keys: keys})
	f.Add("")
	f.Add("a.b.c")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"dev-1","typ":"sallyport-assertion+jwt"}`)) + ".e30.AA")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"dev-1","typ":"sallyport-assertion+jwt"}`)) + ".e30." + strings.Repeat("A", 86))
	f.Fuzz(func(t *testing.T, token string) {
		if claims, err := v.Verify(t.Context(), []string{token}); err == nil {
			t.Errorf("accepted %q as %v, which nobody signed", token, claims)
		}
	})
}
