package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

const redirectURI = "https://auth.acme.localhost:8443/.sallyport/oidc/callback"

// fixture is a provider on a real port, and the document by which clients find their way.
type fixture struct {
	*Provider
	issuer    string
	endpoints map[string]any
}

func setup(t *testing.T) *fixture {
	t.Helper()
	// The issuer is the server's address, which is known only once it listens.
	var provider *Provider
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.Handler().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	provider, err := New(Config{
		Issuer: server.URL, StateFile: filepath.Join(t.TempDir(), "idp.json"), ClientID: "sallyport",
		RedirectURIs:           []string{redirectURI, "https://auth.acme.localhost:8444/.sallyport/oidc/callback"},
		PostLogoutRedirectURIs: []string{"https://auth.acme.localhost:8443/.sallyport/signed-out"},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Provider: provider, issuer: server.URL}
	response, err := http.Get(server.URL + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&f.endpoints); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) endpoint(name string) string { return f.endpoints[name].(string) }

func (f *fixture) person(t *testing.T, username string) Person {
	t.Helper()
	for _, person := range f.People() {
		if person.Username == username {
			return person
		}
	}
	t.Fatalf("nobody is called %s", username)
	return Person{}
}

// user is a browser with a cookie jar, which stops at the client's address.
func user(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.Host, "auth.acme.localhost") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

type attempt struct {
	verifier string
	query    url.Values
}

func newAttempt(change map[string]string) attempt {
	verifier := rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	a := attempt{verifier, url.Values{
		"response_type": {"code"}, "client_id": {"sallyport"}, "redirect_uri": {redirectURI},
		"scope": {"openid profile email groups"}, "state": {"the-state"}, "nonce": {"the-nonce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}}
	for key, value := range change {
		if value == "" {
			a.query.Del(key)
			continue
		}
		a.query.Set(key, value)
	}
	return a
}

func do(t *testing.T, client *http.Client, request *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func get(t *testing.T, client *http.Client, target string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, client, request)
}

func post(t *testing.T, client *http.Client, target string, form url.Values, header ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return do(t, client, request)
}

func (f *fixture) begin(t *testing.T, browser *http.Client, a attempt) (*http.Response, string) {
	t.Helper()
	return get(t, browser, f.endpoint("authorization_endpoint")+"?"+a.query.Encode())
}

// signIn fills in the login page that the response shows.
func (f *fixture) signIn(t *testing.T, browser *http.Client, page *http.Response, person Person, password string) (*http.Response, string) {
	t.Helper()
	return post(t, browser, f.issuer+"/login", url.Values{
		"request": {page.Request.URL.Query().Get("request")}, "username": {person.Username}, "password": {password},
	})
}

// callback is where the browser was sent back to, as the client sees it.
func callback(t *testing.T, response *http.Response) url.Values {
	t.Helper()
	location, err := response.Location()
	if err != nil {
		t.Fatalf("status %d, no redirect", response.StatusCode)
	}
	if got := location.Scheme + "://" + location.Host + location.Path; got != redirectURI {
		t.Fatalf("sent back to %s", got)
	}
	return location.Query()
}

func (f *fixture) redeem(t *testing.T, a attempt, code string, change url.Values) (status int, answer map[string]any) {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {a.verifier}}
	secret := f.ClientSecret()
	maps.Copy(form, change)
	if form.Has("secret") {
		secret = form.Get("secret")
		form.Del("secret")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.endpoint("token_endpoint"), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("sallyport", secret)
	response, body := do(t, http.DefaultClient, request)
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("token endpoint says %s: %v", body, err)
	}
	return response.StatusCode, answer
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for username, groups := range map[string][]any{"alice": {"admins", "engineering"}, "bob": {"engineering"}, "carol": {}} {
		t.Run(username, func(t *testing.T) {
			t.Parallel()
			person, browser, a := f.person(t, username), user(t), newAttempt(nil)
			page, body := f.begin(t, browser, a)
			for _, want := range []string{`<label for="username">`, `name="username"`, `<label for="password">`, `name="password"`, `type="password"`, `<button type="submit">`} {
				if !strings.Contains(body, want) {
					t.Errorf("the login page lacks %s", want)
				}
			}
			response, _ := f.signIn(t, browser, page, person, person.Password)
			back := callback(t, response)
			if back.Get("state") != "the-state" || back.Get("iss") != f.issuer || len(back["iss"]) != 1 {
				t.Fatalf("sent back with %v", back)
			}
			status, tokens := f.redeem(t, a, back.Get("code"), nil)
			if status != http.StatusOK {
				t.Fatalf("token endpoint: %d, %v", status, tokens)
			}

			keys, err := jwk.Fetch(t.Context(), f.endpoint("jwks_uri"))
			if err != nil {
				t.Fatal(err)
			}
			token, err := jwt.Parse([]byte(tokens["id_token"].(string)), jwt.WithKeySet(keys), jwt.WithIssuer(f.issuer), jwt.WithAudience("sallyport"))
			if err != nil {
				t.Fatal(err)
			}
			claims := map[string]any{}
			for _, name := range []string{"sub", "nonce", "name", "email", "email_verified", "groups", "amr"} {
				var value any
				if err := token.Get(name, &value); err != nil {
					t.Errorf("claim %s: %v", name, err)
				}
				claims[name] = value
			}
			want := map[string]any{
				"sub": person.Subject, "nonce": "the-nonce", "name": person.Name, "email": username + "@acme.test",
				"email_verified": true, "groups": groups, "amr": []any{"pwd"},
			}
			if diff := cmp.Diff(want, claims); diff != "" {
				t.Errorf("ID token (-want +got):\n%s", diff)
			}

			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.endpoint("userinfo_endpoint"), nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+tokens["access_token"].(string))
			_, body = do(t, http.DefaultClient, request)
			var info map[string]any
			if err := json.Unmarshal([]byte(body), &info); err != nil {
				t.Fatal(err)
			}
			wantInfo := map[string]any{"sub": person.Subject, "name": person.Name, "preferred_username": username, "email": username + "@acme.test", "email_verified": true, "groups": groups}
			if diff := cmp.Diff(wantInfo, info); diff != "" {
				t.Errorf("userinfo (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	f := setup(t)
	browser, a := user(t), newAttempt(nil)
	page, _ := f.begin(t, browser, a)
	for name, password := range map[string]string{"guess": "guess", "empty": "", "somebody else's": f.person(t, "bob").Password} {
		response, body := f.signIn(t, browser, page, f.person(t, "alice"), password)
		if response.StatusCode != http.StatusUnauthorized || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%s: status %d, %s", name, response.StatusCode, body)
		}
	}
	if response, _ := get(t, browser, f.issuer+"/authorize/callback?id="+page.Request.URL.Query().Get("request")); response.Header.Get("Location") != "" && callback(t, response).Has("code") {
		t.Error("a code without a sign-in")
	}
}

func TestSilentSecondSignIn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	browser, alice := user(t), f.person(t, "alice")
	if back := callback(t, first(f.begin(t, browser, newAttempt(map[string]string{"prompt": "none"})))); back.Get("error") != "login_required" || back.Get("iss") != f.issuer {
		t.Errorf("prompt=none before a sign-in: %v", back)
	}
	page, _ := f.begin(t, browser, newAttempt(nil))
	f.signIn(t, browser, page, alice, alice.Password)

	for name, tc := range map[string]struct {
		change map[string]string
		silent bool
	}{
		"plain":                   {nil, true},
		"prompt=none":             {map[string]string{"prompt": "none"}, true},
		"max_age not reached":     {map[string]string{"max_age": "3600"}, true},
		"max_age=0":               {map[string]string{"max_age": "0"}, false},
		"prompt=login":            {map[string]string{"prompt": "login"}, false},
		"prompt=select_account":   {map[string]string{"prompt": "select_account"}, false},
		"another redirect target": {map[string]string{"redirect_uri": "https://auth.acme.localhost:8444/.sallyport/oidc/callback"}, true},
	} {
		response, body := f.begin(t, browser, newAttempt(tc.change))
		if silent := response.Header.Get("Location") != ""; silent != tc.silent {
			t.Errorf("%s: silent = %v, want %v", name, silent, tc.silent)
		} else if !silent && !strings.Contains(body, `name="password"`) {
			t.Errorf("%s: no login page", name)
		}
	}

	// A sign-in that had to be fresh is fresh.
	a := newAttempt(map[string]string{"prompt": "login"})
	page, _ = f.begin(t, browser, a)
	response, _ := f.signIn(t, browser, page, f.person(t, "bob"), f.person(t, "bob").Password)
	_, tokens := f.redeem(t, a, callback(t, response).Get("code"), nil)
	token, err := jwt.ParseInsecure([]byte(tokens["id_token"].(string)))
	if err != nil {
		t.Fatal(err)
	}
	if subject, _ := token.Subject(); subject != f.person(t, "bob").Subject {
		t.Errorf("signed in as %s", subject)
	}
	var authTime float64
	if err := token.Get("auth_time", &authTime); err != nil || time.Since(time.Unix(int64(authTime), 0)) > time.Minute {
		t.Errorf("auth_time = %v, %v", authTime, err)
	}
}

func first(response *http.Response, _ string) *http.Response { return response }

func TestSignOut(t *testing.T) {
	t.Parallel()
	for name, out := range map[string]func(*testing.T, *fixture, *http.Client){
		"page": func(t *testing.T, f *fixture, browser *http.Client) {
			if _, body := get(t, browser, f.issuer+"/"); !strings.Contains(body, "Alice Anders") {
				t.Errorf("home page says %s", body)
			}
			if response, _ := post(t, browser, f.issuer+"/sign-out", nil, "Sec-Fetch-Site", "cross-site"); response.StatusCode != http.StatusForbidden {
				t.Errorf("another site's form: %d", response.StatusCode)
			}
			post(t, browser, f.issuer+"/sign-out", nil, "Sec-Fetch-Site", "same-origin")
		},
		"by the client": func(t *testing.T, f *fixture, browser *http.Client) {
			target := "https://auth.acme.localhost:8443/.sallyport/signed-out"
			response, _ := get(t, browser, f.endpoint("end_session_endpoint")+"?client_id=sallyport&state=s&post_logout_redirect_uri="+url.QueryEscape(target))
			if got := response.Header.Get("Location"); got != target+"?state=s" {
				t.Errorf("sent to %s", got)
			}
		},
		"by the client, to a stranger": func(t *testing.T, f *fixture, browser *http.Client) {
			response, _ := get(t, browser, f.endpoint("end_session_endpoint")+"?client_id=sallyport&post_logout_redirect_uri=https://evil.example/")
			if response.StatusCode != http.StatusBadRequest {
				t.Errorf("status %d", response.StatusCode)
			}
			post(t, browser, f.issuer+"/sign-out", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			browser, alice := user(t), f.person(t, "alice")
			page, _ := f.begin(t, browser, newAttempt(nil))
			f.signIn(t, browser, page, alice, alice.Password)
			out(t, f, browser)
			if response, _ := f.begin(t, browser, newAttempt(nil)); response.Header.Get("Location") != "" {
				t.Error("still signed in")
			}
		})
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name, tc := range map[string]struct {
		change map[string]string
		fault  string // sent to the client; "" = shown, because the client's address is not known to be right
	}{
		"unknown client":              {map[string]string{"client_id": "other"}, ""},
		"no client":                   {map[string]string{"client_id": ""}, ""},
		"unregistered redirect":       {map[string]string{"redirect_uri": "https://evil.example/"}, ""},
		"registered as prefix":        {map[string]string{"redirect_uri": redirectURI + "/x"}, ""},
		"registered with query":       {map[string]string{"redirect_uri": redirectURI + "?x=1"}, ""},
		"no PKCE":                     {map[string]string{"code_challenge": "", "code_challenge_method": ""}, "invalid_request"},
		"plain PKCE":                  {map[string]string{"code_challenge_method": "plain"}, "invalid_request"},
		"implicit":                    {map[string]string{"response_type": "id_token token"}, "unauthorized_client"},
		"no scope":                    {map[string]string{"scope": ""}, "invalid_request"},
		"form_post, not offered here": {map[string]string{"response_mode": "form_post"}, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, body := f.begin(t, user(t), newAttempt(tc.change))
			location := response.Header.Get("Location")
			switch {
			case tc.fault == "" && (response.StatusCode != http.StatusBadRequest || location != ""):
				t.Errorf("status %d, Location %q", response.StatusCode, location)
			case tc.fault == "":
			case location == "":
				t.Errorf("status %d, %s", response.StatusCode, body)
			case !strings.Contains(location, "iss="+url.QueryEscape(f.issuer)) && !strings.Contains(location, "#"):
				t.Errorf("no issuer in %s", location)
			case strings.Contains(location, "code="):
				t.Errorf("a code: %s", location)
			case tc.fault != "-" && !strings.Contains(location, "error="+tc.fault):
				t.Errorf("sent to %s, want %s", location, tc.fault)
			}
		})
	}
}

func TestRefusedCodes(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]url.Values{
		"wrong verifier":  {"code_verifier": {"somebody-elses-verifier-of-43-characters-abcd"}},
		"no verifier":     {"code_verifier": {""}},
		"wrong redirect":  {"redirect_uri": {"https://auth.acme.localhost:8444/.sallyport/oidc/callback"}},
		"wrong secret":    {"secret": {"guess"}},
		"invented code":   {"code": {"invented"}},
		"refresh grant":   {"grant_type": {"refresh_token"}, "refresh_token": {"x"}},
		"password grant":  {"grant_type": {"password"}},
		"jwt-bearer":      {"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {"x"}},
		"client's tokens": {"grant_type": {"client_credentials"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			browser, alice, a := user(t), f.person(t, "alice"), newAttempt(nil)
			page, _ := f.begin(t, browser, a)
			response, _ := f.signIn(t, browser, page, alice, alice.Password)
			code := callback(t, response).Get("code")
			status, answer := f.redeem(t, a, code, change)
			if status/100 != 4 || answer["id_token"] != nil || answer["access_token"] != nil {
				t.Errorf("status %d, %v", status, answer)
			}
		})
	}
	t.Run("second time", func(t *testing.T) {
		t.Parallel()
		f := setup(t)
		browser, alice, a := user(t), f.person(t, "alice"), newAttempt(nil)
		page, _ := f.begin(t, browser, a)
		response, _ := f.signIn(t, browser, page, alice, alice.Password)
		code := callback(t, response).Get("code")
		if status, answer := f.redeem(t, a, code, nil); status != http.StatusOK {
			t.Fatalf("first time: %d, %v", status, answer)
		}
		if status, answer := f.redeem(t, a, code, nil); status != http.StatusBadRequest || answer["error"] != "invalid_grant" {
			t.Errorf("second time: %d, %v", status, answer)
		}
	})
}

// A half-done sign-in belongs to the browser that began it.
func TestAnotherBrowser(t *testing.T) {
	t.Parallel()
	f := setup(t)
	victim, attacker, alice := user(t), user(t), f.person(t, "alice")
	page, _ := f.begin(t, attacker, newAttempt(nil))
	request := page.Request.URL.Query().Get("request")
	get(t, victim, f.issuer+"/login?request="+request)
	if response, body := f.signIn(t, victim, page, alice, alice.Password); response.StatusCode != http.StatusBadRequest {
		t.Errorf("signed in to another browser's request: %d, %s", response.StatusCode, body)
	}
	f.signIn(t, attacker, page, f.person(t, "bob"), f.person(t, "bob").Password)
	if response, _ := get(t, victim, f.issuer+"/authorize/callback?id="+request); response.Header.Get("Location") != "" {
		t.Errorf("another browser was sent to %s", response.Header.Get("Location"))
	}
}

func TestDiscoverySaysWhatIsThere(t *testing.T) {
	t.Parallel()
	f := setup(t)
	want := map[string]any{
		"issuer": f.issuer, "authorization_endpoint": f.issuer + "/authorize", "token_endpoint": f.issuer + "/oauth/token",
		"userinfo_endpoint": f.issuer + "/userinfo", "end_session_endpoint": f.issuer + "/end_session", "jwks_uri": f.issuer + "/keys",
		"scopes_supported": []any{"openid", "profile", "email", "groups"}, "response_types_supported": []any{"code"}, "response_modes_supported": []any{"query"},
		"grant_types_supported": []any{"authorization_code"}, "subject_types_supported": []any{"public"}, "id_token_signing_alg_values_supported": []any{"RS256"},
		"token_endpoint_auth_methods_supported": []any{"client_secret_basic"}, "code_challenge_methods_supported": []any{"S256"},
		"authorization_response_iss_parameter_supported": true, "request_uri_parameter_supported": false,
	}
	got := map[string]any{}
	for key, value := range f.endpoints {
		if key != "claims_supported" {
			got[key] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("discovery (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/oauth/introspect", "/revoke", "/device_authorization", "/healthz", "/nothing"} {
		if response, _ := get(t, http.DefaultClient, f.issuer+path); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %d", path, response.StatusCode)
		}
	}
}

func TestStateSurvives(t *testing.T) {
	t.Parallel()
	config := Config{Issuer: "http://localhost:5556", StateFile: filepath.Join(t.TempDir(), "idp.json"), ClientID: "sallyport"}
	one, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	two, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(one.People(), two.People()); diff != "" || one.ClientSecret() != two.ClientSecret() || !one.state.key.Equal(two.state.key) {
		t.Errorf("the second start differs: %s", diff)
	}
	info, err := os.Stat(config.StateFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state file: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(config.StateFile, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(config); err == nil {
		t.Error("an empty state was accepted")
	}
	config.Issuer = "http://idp.example:5556"
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "this machine only") {
		t.Errorf("issuer elsewhere: %v", err)
	}
}

func TestExpiring(t *testing.T) {
	t.Parallel()
	kept := newExpiring[int](time.Hour)
	for i := range maxKept + 10 {
		kept.put(string(rune('a'+i)), i)
	}
	if len(kept.entries) != maxKept {
		t.Errorf("%d entries, want the limit %d", len(kept.entries), maxKept)
	}
	if _, ok := kept.get("a"); ok {
		t.Error("the oldest is still there")
	}
	brief := newExpiring[int](-time.Second)
	brief.put("k", 1)
	if _, ok := brief.get("k"); ok {
		t.Error("an expired entry is still there")
	}
}
