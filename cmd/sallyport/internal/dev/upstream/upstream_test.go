package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/upstream/assertion"
)

const issuer = "https://auth.acme.localhost:8443"

// setup runs an app behind an edge of which only the key set is there.
type setup struct {
	url string
	key *ecdsa.PrivateKey
	app string
}

func start(t *testing.T, app string, handler func(Config) http.Handler) *setup {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "dev-1", Use: "sig", Algorithm: "ES256", Key: &key.PublicKey}}})
	}))
	t.Cleanup(edge.Close)
	server := httptest.NewServer(handler(config(app, edge.URL)))
	t.Cleanup(server.Close)
	return &setup{url: server.URL, key: key, app: app}
}

func config(app, keys string) Config {
	return Config{
		Verifier: assertion.New(assertion.Config{
			Issuers: []string{issuer}, Audience: "tenants/acme/apps/" + app, Keys: assertion.NewKeys("", keys),
		}),
		PublicHost: app + ".acme.localhost",
		Log:        slog.New(slog.DiscardHandler),
	}
}

// as mints what an edge would send for alice.
func (s *setup) as(t *testing.T, audience string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, &jose.SignerOptions{
		ExtraHeaders: map[jose.HeaderKey]any{"kid": "dev-1", "typ": "sallyport-assertion+jwt"},
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	payload, err := json.Marshal(map[string]any{
		"iss": issuer, "aud": audience, "sub": "user:0f2c", "email": "alice@acme.test", "groups": []string{"admins", "engineering"}, "iat": now, "exp": now + 300,
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (s *setup) good(t *testing.T) string {
	t.Helper()
	return s.as(t, "tenants/acme/apps/"+s.app)
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (s *setup) ask(t *testing.T, method, target, token, body string, header http.Header) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	if token != "" {
		request.Header.Set(assertion.Header, token)
	}
	response, err := http.DefaultTransport.RoundTrip(request) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var decoded map[string]any
	if err := json.Unmarshal([]byte(a.body), &decoded); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return decoded
}

func TestOnlyStatusIsOpen(t *testing.T) {
	t.Parallel()
	s := start(t, "api", API)
	if got := s.ask(t, http.MethodGet, "/v1/status", "", "", nil); got.status != http.StatusOK {
		t.Errorf("status: %d %s", got.status, got.body)
	}
	wikis := s.as(t, "tenants/acme/apps/wiki")
	for _, target := range []string{"/", "/v1/whoami", "/v1/items", "/v1/items/1", "/v1/anything", "/v1//status", "/v1/status/x", "/v1/./whoami"} {
		for name, tc := range map[string]struct{ token, reason string }{"no": {"", "missing"}, "the wiki's": {wikis, "audience"}} {
			got := s.ask(t, http.MethodGet, target, tc.token, "", nil)
			if got.status != http.StatusUnauthorized || got.json(t)["reason"] != tc.reason || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s with %s assertion: %d %s", target, name, got.status, got.body)
			}
		}
	}
	if got := s.ask(t, http.MethodPost, "/v1/status", "", "", nil); got.status != http.StatusUnauthorized {
		t.Errorf("POST /v1/status: %d", got.status)
	}
}

func TestUnavailableIs503(t *testing.T) {
	t.Parallel()
	s := start(t, "api", API)
	server := httptest.NewServer(API(config("api", "http://127.0.0.1:1/none")))
	t.Cleanup(server.Close)
	token := s.good(t)
	s.url = server.URL
	if got := s.ask(t, http.MethodGet, "/v1/whoami", token, "", nil); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestWhoami(t *testing.T) {
	t.Parallel()
	s := start(t, "api", API)
	token := s.good(t)
	got := s.ask(t, http.MethodGet, "/v1/whoami?a=%41", token, "", http.Header{
		"X-Sallyport-User": {"user:0f2c"}, "X-Sallyport-Groups": {"admins,engineering"}, "x_sallyport.email": {"spoofed"}, "X-Other": {"1"},
	}).json(t)
	wantHeaders := map[string]any{"X-Sallyport-User": []any{"user:0f2c"}, "X-Sallyport-Groups": []any{"admins,engineering"}, "X_sallyport.email": []any{"spoofed"}}
	if diff := cmp.Diff(wantHeaders, got["identity_headers"]); diff != "" {
		t.Errorf("identity headers (-want +got):\n%s", diff)
	}
	claims := got["assertion"].(map[string]any)
	if claims["sub"] != "user:0f2c" || claims["aud"] != "tenants/acme/apps/api" || claims["email"] != "alice@acme.test" {
		t.Errorf("claims: %v", claims)
	}
	if request := got["request"].(map[string]any); request["target"] != "/v1/whoami?a=%41" {
		t.Errorf("request: %v", request)
	}
	if content, _ := json.Marshal(got); strings.Contains(string(content), token) {
		t.Error("the answer repeats the assertion, which is a credential")
	}
}

func TestItems(t *testing.T) {
	t.Parallel()
	s := start(t, "api", API)
	token := s.good(t)
	ask := func(method, target, body string, want int) answer {
		t.Helper()
		got := s.ask(t, method, target, token, body, nil)
		if got.status != want {
			t.Errorf("%s %s: %d %s, want %d", method, target, got.status, got.body, want)
		}
		return got
	}
	made := ask(http.MethodPost, "/v1/items", `{"name":"milk"}`, http.StatusCreated).json(t)
	if made["changed_by"] != "alice@acme.test" {
		t.Errorf("made %v", made)
	}
	at := "/v1/items/" + made["id"].(string)
	ask(http.MethodGet, at, "", http.StatusOK)
	ask(http.MethodPut, at, `{"name":"cheese"}`, http.StatusOK)
	if got := ask(http.MethodPatch, at, `{"name":"bread"}`, http.StatusOK).json(t); got["name"] != "bread" {
		t.Errorf("changed to %v", got)
	}
	ask(http.MethodDelete, at, "", http.StatusNoContent)
	ask(http.MethodGet, at, "", http.StatusNotFound)
	ask(http.MethodDelete, at, "", http.StatusNotFound)
	ask(http.MethodPut, at, `{"name":"x"}`, http.StatusNotFound)
	for _, bad := range []string{"", "[]", `{"nam":"x"}`, `{"name":`} {
		ask(http.MethodPost, "/v1/items", bad, http.StatusBadRequest)
	}
	for range maxItems - 2 {
		ask(http.MethodPost, "/v1/items", `{"name":"x"}`, http.StatusCreated)
	}
	ask(http.MethodPost, "/v1/items", `{"name":"x"}`, http.StatusInsufficientStorage)
	if items := ask(http.MethodGet, "/v1/items", "", http.StatusOK).json(t)["items"].([]any); len(items) != maxItems {
		t.Errorf("%d items", len(items))
	}
}

// The echo says what arrived, and redirects to no tidier path.
func TestEcho(t *testing.T) {
	t.Parallel()
	s := start(t, "api", API)
	token := s.good(t)
	for _, target := range []string{"/v1/a%2fb?x=1", "/v1//whoami", "/v1/%2e%2e/x", "/v1/x/", "//v1"} {
		got := s.ask(t, http.MethodPatch, target, token, "12345", nil)
		if got.status != http.StatusOK {
			t.Errorf("%s: %d %s", target, got.status, got.body)
			continue
		}
		request := got.json(t)["request"].(map[string]any)
		if request["target"] != target || request["method"] != http.MethodPatch || request["body_bytes"] != 5.0 {
			t.Errorf("%s: %v", target, request)
		}
	}
	if got := s.ask(t, http.MethodPost, "/v1/echo", token, strings.Repeat("x", maxBody+1), nil); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("large body: %d", got.status)
	}
}

func TestWikiPages(t *testing.T) {
	t.Parallel()
	s := start(t, "wiki", Wiki)
	token := s.good(t)
	for target, want := range map[string][]string{
		"/":                             {"<h1>Home</h1>", "Signed in as <strong>alice@acme.test</strong>", "user:0f2c"},
		"/reports?q=1&note=%3Cb%3E&q=2": {"<h1>Reports</h1>", "<code>q=1&amp;note=%3Cb%3E&amp;q=2</code>", "<td>&lt;b&gt;</td>", "<td>2</td>"},
		"/reports/2026?q=%22%3E%3Cx%3E": {"<h1>Reports</h1>", "<td>&#34;&gt;&lt;x&gt;</td>"},
		"/admin":                        {"<h1>Administration</h1>"},
		"/admin/users":                  {"<h1>Administration</h1>", "<code>/admin/users</code>"},
		"/live":                         {"<h1>Live</h1>", `src="/live.js"`},
		"/live.js":                      {"new WebSocket"},
	} {
		got := s.ask(t, http.MethodGet, target, token, "", nil)
		if got.status != http.StatusOK {
			t.Errorf("%s: %d", target, got.status)
		}
		for _, part := range want {
			if !strings.Contains(got.body, part) {
				t.Errorf("%s lacks %s", target, part)
			}
		}
		for name, token := range map[string]string{"no": "", "the API's": s.as(t, "tenants/acme/apps/api")} {
			if got := s.ask(t, http.MethodGet, target, token, "", nil); got.status != http.StatusUnauthorized || strings.Contains(got.body, "user:0f2c") {
				t.Errorf("%s with %s assertion: %d", target, name, got.status)
			}
		}
	}
	if got := s.ask(t, http.MethodGet, "/nothing/<b>", token, "", nil); got.status != http.StatusNotFound || strings.Contains(got.body, "<b>") {
		t.Errorf("missing page: %d %s", got.status, got.body)
	}
}

func TestWikiSocket(t *testing.T) {
	t.Parallel()
	s := start(t, "wiki", Wiki)
	dial := func(token, origin string) (*websocket.Conn, int) {
		header := http.Header{}
		if token != "" {
			header.Set(assertion.Header, token)
		}
		if origin != "" {
			header.Set("Origin", origin)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		conn, response, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.url, "http")+"/ws", &websocket.DialOptions{HTTPHeader: header})
		if err != nil && response == nil {
			t.Fatal(err)
		}
		return conn, response.StatusCode
	}
	if _, status := dial("", ""); status != http.StatusUnauthorized {
		t.Errorf("without an assertion: %d", status)
	}
	if _, status := dial(s.good(t), "https://evil.example"); status != http.StatusForbidden {
		t.Errorf("another site: %d", status)
	}
	conn, status := dial(s.good(t), "https://wiki.acme.localhost:8443")
	if status != http.StatusSwitchingProtocols {
		t.Fatalf("own site: %d", status)
	}
	defer conn.CloseNow()
	for _, message := range []string{"hello", "", strings.Repeat("x", maxMessage)} {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		conn.SetReadLimit(maxMessage + 1)
		if _, got, err := conn.Read(t.Context()); err != nil || string(got) != message {
			t.Errorf("echo of %d bytes: %d bytes, %v", len(message), len(got), err)
		}
	}
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("/request")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := conn.Read(t.Context()); err != nil || !strings.Contains(string(got), `"target":"/ws"`) || strings.Contains(strings.ToLower(string(got)), "x-sallyport-assertion") {
		t.Errorf("what the handshake brought: %s, %v", got, err)
	}
	if err := conn.Write(t.Context(), websocket.MessageBinary, make([]byte, maxMessage+1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("a message that is too long: %v", err)
	}
}
