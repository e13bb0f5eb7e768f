package login_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// idp is an OpenID provider of which a test can bend every answer.
type idp struct {
	t      *testing.T
	server *httptest.Server
	issuer string

	mu    sync.Mutex
	codes map[string]url.Values // code → the authorization request it answers
	hits  map[string]int        // by path
	asked []url.Values          // authorization requests, in order
	n     int

	// What it says, and how a test bends it. Guarded by mu.
	person    map[string]any
	keys      []jose.JSONWebKey // private; the first signs
	published []jose.JSONWebKey // nil: the public halves of keys
	algorithm jose.SignatureAlgorithm
	metadata  func(map[string]any)
	claims    func(map[string]any)
	header    func(jose.SignerOptions) jose.SignerOptions
	rawToken  func(string) string
	token     http.HandlerFunc // instead of the whole token endpoint
	response  func(map[string]any)
	userinfo  http.HandlerFunc
	callback  func(url.Values) // the parameters it sends the browser back with
	before    func(path string, w http.ResponseWriter, r *http.Request) (done bool)
	clock     func() time.Time
}

// Keys are made once: RSA takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func newIDP(t *testing.T, clock func() time.Time) *idp {
	p := &idp{
		t: t, codes: map[string]url.Values{}, hits: map[string]int{}, clock: clock, algorithm: jose.ES256,
		keys:   []jose.JSONWebKey{ecKey("k1")},
		person: map[string]any{"sub": "bob", "email": "bob@acme.test", "email_verified": true, "name": "Bob", "groups": []string{"engineering"}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", p.serveMetadata)
	mux.HandleFunc("/keys", p.serveKeys)
	mux.HandleFunc("/token", p.serveToken)
	mux.HandleFunc("/userinfo", p.serveUserinfo)
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.hits[r.URL.Path]++
		before := p.before
		p.mu.Unlock()
		if before != nil && before(r.URL.Path, w, r) {
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	p.issuer = p.server.URL
	return p
}

func ecKey(kid string) jose.JSONWebKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return jose.JSONWebKey{Key: k, KeyID: kid, Use: "sig", Algorithm: "ES256"}
}

func edKey(kid string) jose.JSONWebKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return jose.JSONWebKey{Key: k, KeyID: kid, Use: "sig", Algorithm: "EdDSA"}
}

// bend changes what the provider says.
func (p *idp) bend(change func(*idp)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *idp) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits[path]
}

func (p *idp) lastAsked() url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) == 0 {
		return nil
	}
	return p.asked[len(p.asked)-1]
}

func (p *idp) serveMetadata(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := map[string]any{
		"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + "/token",
		"jwks_uri": p.issuer + "/keys", "userinfo_endpoint": p.issuer + "/userinfo",
		"id_token_signing_alg_values_supported":          []string{"RS256", "ES256", "EdDSA", "HS256", "none"},
		"authorization_response_iss_parameter_supported": true,
	}
	if p.metadata != nil {
		p.metadata(m)
	}
	writeJSON(w, m)
}

func (p *idp) serveKeys(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set := jose.JSONWebKeySet{Keys: p.published}
	if p.published == nil {
		for _, k := range p.keys {
			set.Keys = append(set.Keys, k.Public())
		}
	}
	writeJSON(w, set)
}

// authorize is the person signing in: it answers the browser's visit with where the browser goes next.
func (p *idp) authorize(query url.Values) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	code := "code-" + base64.RawURLEncoding.EncodeToString(binaryOf(p.n))
	p.codes[code] = query
	p.asked = append(p.asked, query)
	back := url.Values{"code": {code}, "state": {query.Get("state")}, "iss": {p.issuer}}
	if p.callback != nil {
		p.callback(back)
	}
	return query.Get("redirect_uri") + "?" + back.Encode()
}

func binaryOf(n int) []byte {
	sum := sha256.Sum256([]byte{byte(n), byte(n >> 8)})
	return sum[:12]
}

func (p *idp) serveToken(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != nil {
		p.token(w, r)
		return
	}
	id, secret, basic := r.BasicAuth()
	asked, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case r.Method != http.MethodPost || r.PostFormValue("grant_type") != "authorization_code",
		basic && (id != "sallyport" || secret != "s3cr3t-of-the-client"), !basic && r.PostFormValue("client_id") != "sallyport",
		!ok, asked.Get("code_challenge_method") != "S256", asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(challenge[:]),
		asked.Get("redirect_uri") != r.PostFormValue("redirect_uri"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant"})
		return
	}
	answer := map[string]any{"access_token": "access-token-of-somebody", "token_type": "Bearer", "expires_in": 300, "id_token": p.sign(asked)}
	if p.response != nil {
		p.response(answer)
	}
	writeJSON(w, answer)
}

func (p *idp) sign(asked url.Values) string {
	now := p.clock()
	c := map[string]any{
		"iss": p.issuer, "aud": "sallyport", "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "nonce": asked.Get("nonce"),
		"auth_time": now.Unix(),
	}
	maps.Copy(c, p.person)
	if p.claims != nil {
		p.claims(c)
	}
	options := jose.SignerOptions{}
	if p.header != nil {
		options = p.header(options)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: p.algorithm, Key: p.keys[0]}, &options)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	payload, err := json.Marshal(c)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	if dup, ok := c["\x00raw"].(string); ok {
		payload = []byte(dup)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		p.t.Error(err)
	}
	if p.rawToken != nil {
		token = p.rawToken(token)
	}
	return token
}

func (p *idp) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.userinfo != nil {
		p.userinfo(w, r)
		return
	}
	if r.Header.Get("Authorization") != "Bearer access-token-of-somebody" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	writeJSON(w, p.person)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
