package edgetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// ClientSecret is the client's, which is called "sallyport".
const ClientSecret = "the-secret-of-the-client"

// Provider is an OpenID provider at which everybody is signed in already: it asks nothing, and says what a test wants.
type Provider struct {
	Issuer string

	t     testing.TB
	key   jose.SigningKey
	mu    sync.Mutex
	says  func(asked url.Values) map[string]any
	asked []url.Values          // authorization requests, in order
	codes map[string]url.Values // those that wait to be exchanged
}

// NewProvider starts one. says answers an authorization request: the claims about a person, auth_time among them if it is to
// be there. {"error": code} refuses.
func NewProvider(t testing.TB, says func(asked url.Values) map[string]any) *Provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	private := jose.JSONWebKey{Key: key, KeyID: "k1", Use: "sig", Algorithm: "ES256"}
	p := &Provider{t: t, says: says, codes: map[string]url.Values{}, key: jose.SigningKey{Algorithm: jose.ES256, Key: private}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, map[string]any{
			"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token", "jwks_uri": p.Issuer + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256"}, "authorization_response_iss_parameter_supported": true,
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.Issuer = server.URL
	return p
}

// Says changes what it says.
func (p *Provider) Says(says func(asked url.Values) map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.says = says
}

// Asked are the authorization requests so far.
func (p *Provider) Asked() []url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]url.Values(nil), p.asked...)
}

// Resource is acme's provider.
func (p *Provider) Resource(e *Edge) proto.Message {
	return &edgev1.IdentityProvider{
		Id: "demo", Uid: "idp-demo", DisplayName: "Demo directory", Issuer: p.Issuer, AllowHttpLoopback: true, ClientId: "sallyport",
		ClientSecret: e.ControlPlane.Seal(p.t, Acme, "IdentityProvider", "idp-demo", "client_secret", []byte(ClientSecret)),
		Scopes:       []string{"openid", "email"}, EmailClaim: "email", GroupsClaim: "groups",
	}
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	p.asked = append(p.asked, q)
	code := fmt.Sprint("code-", len(p.asked))
	p.codes[code] = q
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.Issuer}}
	if refusal, ok := p.says(q)["error"].(string); ok {
		back = url.Values{"error": {refusal}, "state": {q.Get("state")}, "iss": {p.Issuer}}
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusSeeOther) //nolint:gosec // a test's own client
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	if _, secret, _ := r.BasicAuth(); !ok || secret != ClientSecret {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	claims := map[string]any{
		"iss": p.Issuer, "aud": "sallyport", "exp": time.Now().Add(24 * time.Hour).Unix(), "iat": time.Now().Add(-24 * time.Hour).Unix(), "nonce": asked.Get("nonce"),
	}
	maps.Copy(claims, p.says(asked))
	signer, err := jose.NewSigner(p.key, nil)
	if err != nil {
		p.t.Error(err)
		return
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
		return
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		p.t.Error(err)
		return
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		p.t.Error(err)
	}
	answerJSON(w, map[string]any{"access_token": "access", "token_type": "Bearer", "id_token": token})
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
