package login_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// part changes a part of a compact JWS: 0 header, 1 payload.
func part(token string, i int, change func(map[string]any)) string {
	parts := strings.Split(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil {
		panic(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(err)
	}
	change(m)
	if raw, err = json.Marshal(m); err != nil {
		panic(err)
	}
	parts[i] = base64.RawURLEncoding.EncodeToString(raw)
	return strings.Join(parts, ".")
}

func claim(name string, value any) func(*idp) {
	return func(p *idp) { p.claims = func(c map[string]any) { c[name] = value } }
}

func without(name string) func(*idp) {
	return func(p *idp) { p.claims = func(c map[string]any) { delete(c, name) } }
}

func seconds(d time.Duration) int64 { return start.Add(d).Unix() }

// TestWhatIsBelieved bends one thing a provider says at a time. The names in brackets are the OpenID conformance suite's
// tests of relying parties, and the rows OI-* of the threat list.
func TestWhatIsBelieved(t *testing.T) {
	t.Parallel()
	const (
		ok      = http.StatusOK
		page403 = http.StatusForbidden
		page503 = http.StatusServiceUnavailable
	)
	// A second RSA key, too short for anybody's good.
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		bend func(*idp)
		want int
		says string
	}{
		"as it should be": {func(p *idp) {}, ok, ""},
		"RS256":           {func(p *idp) { p.keys, p.algorithm = []jose.JSONWebKey{{Key: rsaKey(), KeyID: "r"}}, jose.RS256 }, ok, ""},
		"EdDSA":           {func(p *idp) { p.keys, p.algorithm = []jose.JSONWebKey{edKey("e")}, jose.EdDSA }, ok, ""},

		// OI-03
		"[NonceInvalid] missing": {without("nonce"), page403, "nonce"},
		"[NonceInvalid] wrong":   {claim("nonce", "x"), page403, "nonce"},
		"nonce of another type":  {claim("nonce", 7), page403, ""},
		"nonce empty":            {claim("nonce", ""), page403, "nonce"},
		// OI-09
		"[InvalidIssuer] other":        {claim("iss", "https://evil.test"), page403, ""},
		"[InvalidIssuer] with a slash": {func(p *idp) { i := p.issuer; p.claims = func(c map[string]any) { c["iss"] = i + "/" } }, page403, ""},
		"[InvalidIssuer] missing":      {without("iss"), page403, ""},
		"[InvalidAud]":                 {claim("aud", "somebody-else"), page403, ""},
		"[InvalidAud] prefix":          {claim("aud", "sallyport2"), page403, ""},
		"[InvalidAud] case":            {claim("aud", "Sallyport"), page403, ""},
		"[InvalidAud] missing":         {without("aud"), page403, ""},
		"aud of several without azp":   {claim("aud", []string{"sallyport", "other"}), page403, "several clients"},
		"aud of one in a list":         {claim("aud", []string{"sallyport"}), ok, ""},
		"azp of another":               {claim("azp", "other"), page403, "another client"},
		"azp of another type":          {claim("azp", []string{"sallyport"}), page403, "another client"},
		"azp is us":                    {claim("azp", "sallyport"), ok, ""},
		"aud of several and azp": {func(p *idp) {
			p.claims = func(c map[string]any) { c["aud"], c["azp"] = []string{"o", "sallyport"}, "sallyport" }
		}, ok, ""},
		"sub missing":     {without("sub"), page403, "subject"},
		"sub empty":       {claim("sub", ""), page403, "subject"},
		"sub too long":    {claim("sub", strings.Repeat("x", 256)), page403, "subject"},
		"sub is a number": {claim("sub", 7), page403, ""},
		"exp just passed": {claim("exp", seconds(-59*time.Second)), ok, ""},
		"exp passed":      {claim("exp", seconds(-60*time.Second)), page403, "expired"},
		"exp missing":     {without("exp"), page403, "expired"},
		"exp is a string": {claim("exp", "9999999999"), page403, ""},
		"exp negative":    {claim("exp", -1), page403, "expired"},
		"iat just ahead":  {claim("iat", seconds(60*time.Second)), ok, ""},
		"iat ahead":       {claim("iat", seconds(61*time.Second)), page403, "future"},
		"[IatMissing]":    {without("iat"), page403, "future"},
		"nbf ahead":       {claim("nbf", seconds(61*time.Second)), page403, "not good yet"},
		"nbf just ahead":  {claim("nbf", seconds(60*time.Second)), ok, ""},
		"nbf is a string": {claim("nbf", "1"), page403, ""},
		"a claim twice":   {func(p *idp) { p.claims = func(c map[string]any) { dup(c, `"sub":"alice"`) } }, page403, "twice"},
		"exp twice":       {func(p *idp) { p.claims = func(c map[string]any) { dup(c, `"exp":9999999999`) } }, page403, "twice"},
		"deeply nested": {func(p *idp) {
			p.claims = func(c map[string]any) { dup(c, `"x":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)) }
		}, page403, ""},
		"not UTF-8": {func(p *idp) { p.claims = func(c map[string]any) { dup(c, "\"x\":\"\xff\"") } }, page403, ""},
		"something after the document": {func(p *idp) {
			p.claims = func(c map[string]any) { dup(c, ""); c["\x00raw"] = c["\x00raw"].(string) + "{}" }
		}, page403, ""},
		"[InvalidAtHash]":                {claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), page403, "at_hash"},
		"at_hash of another type":        {claim("at_hash", 7), page403, ""},
		"at_hash empty":                  {claim("at_hash", ""), page403, "at_hash"},
		"an ID token of another flow":    {func(p *idp) { p.rawToken = func(string) string { return "x.y.z" } }, page403, ""},
		"no ID token":                    {func(p *idp) { p.response = func(m map[string]any) { delete(m, "id_token") } }, page403, "no ID token"},
		"ID token of another type":       {func(p *idp) { p.response = func(m map[string]any) { m["id_token"] = 7 } }, page403, "no ID token"},
		"token type mac":                 {func(p *idp) { p.response = func(m map[string]any) { m["token_type"] = "mac" } }, page403, "bearer"},
		"ID token of 3 MB":               {func(p *idp) { p.claims = func(c map[string]any) { c["x"] = strings.Repeat("x", 3<<20) } }, page503, ""},
		"a claim of 900 KB is ignorable": {func(p *idp) { p.claims = func(c map[string]any) { c["x"] = strings.Repeat("x", 600<<10) } }, ok, ""},
		// OI-11
		"[InvalidIdTokenSignature ES256]": {func(p *idp) { p.published = []jose.JSONWebKey{renamed(ecKey("k1"), "k1")} }, page403, "verified"},
		"[InvalidIdTokenSignature RS256]": {func(p *idp) {
			p.keys, p.algorithm = []jose.JSONWebKey{{Key: rsaKey(), KeyID: "r"}}, jose.RS256
			p.rawToken = func(s string) string { return s[:len(s)-8] + "AAAAAAAA" }
		}, page403, "verified"},
		"payload edited": {func(p *idp) {
			p.rawToken = func(s string) string { return part(s, 1, func(m map[string]any) { m["sub"] = "alice" }) }
		}, page403, "verified"},
		"[IdTokenSigAlgNone]": {func(p *idp) {
			p.rawToken = func(s string) string {
				s = part(s, 0, func(m map[string]any) { m["alg"] = "none" })
				return s[:strings.LastIndex(s, ".")+1]
			}
		}, page403, "verified"},
		"alg None": {func(p *idp) {
			p.rawToken = func(s string) string { return part(s, 0, func(m map[string]any) { m["alg"] = "None" }) }
		}, page403, "verified"},
		"[InvalidIdTokenSignature HS256] with the client secret": {func(p *idp) {
			p.keys, p.algorithm = []jose.JSONWebKey{{Key: []byte(strings.Repeat(secret, 2)), KeyID: "k1"}}, jose.HS256
			p.published = []jose.JSONWebKey{renamed(ecKey("k1"), "k1")}
		}, page403, "verified"},
		"HS256 with the public key": {func(p *idp) {
			der, err := x509.MarshalPKIXPublicKey(&rsaKey().PublicKey)
			if err != nil {
				panic(err)
			}
			p.keys, p.algorithm = []jose.JSONWebKey{{Key: der, KeyID: "k1"}}, jose.HS256
			p.published = []jose.JSONWebKey{{Key: &rsaKey().PublicKey, KeyID: "k1"}}
		}, page403, "verified"},
		"an algorithm that was not announced": {func(p *idp) {
			p.keys, p.algorithm = []jose.JSONWebKey{{Key: rsaKey(), KeyID: "r"}}, jose.RS512
		}, page403, "verified"},
		"only unsafe algorithms announced": {func(p *idp) {
			p.metadata = func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []string{"HS256", "none"} }
		}, page503, ""},
		"no algorithms announced means RS256": {func(p *idp) {
			p.metadata = func(m map[string]any) { delete(m, "id_token_signing_alg_values_supported") }
		}, page403, "verified"},
		"a key for encryption": {func(p *idp) {
			k := p.keys[0].Public()
			k.Use = "enc"
			p.published = []jose.JSONWebKey{k}
		}, page403, "verified"},
		"a key of another algorithm": {func(p *idp) {
			p.keys, p.algorithm = []jose.JSONWebKey{{Key: rsaKey(), KeyID: "r"}}, jose.RS256
			p.published = []jose.JSONWebKey{{Key: &rsaKey().PublicKey, KeyID: "r", Algorithm: "PS256"}}
		}, page403, "verified"},
		"a key of 1024 bits": {func(p *idp) {
			p.keys, p.algorithm = []jose.JSONWebKey{{Key: short, KeyID: "r"}}, jose.RS256
		}, page403, "verified"},
		"no kid and one key": {func(p *idp) { p.keys[0].KeyID = "" }, ok, ""},
		"no kid and several keys": {func(p *idp) {
			p.keys[0].KeyID = ""
			p.published = []jose.JSONWebKey{renamed(ecKey("a"), "a"), {Key: &rsaKey().PublicKey, KeyID: "b"}, p.keys[0].Public()}
		}, ok, ""},
		"no kid and too many keys": {func(p *idp) {
			p.keys[0].KeyID = ""
			for i := range 6 {
				p.published = append(p.published, renamed(ecKey(""), fmt.Sprint(i)))
			}
			p.published = append(p.published, p.keys[0].Public())
		}, page403, "verified"},
		"kid of nobody": {func(p *idp) { p.published = []jose.JSONWebKey{renamed(p.keys[0], "../../dev/null")} }, page403, "verified"},
		"a key set with a key that nobody understands": {func(p *idp) {
			p.before = func(path string, w http.ResponseWriter, r *http.Request) bool {
				if path != "/keys" {
					return false
				}
				good, _ := json.Marshal(p.keys[0].Public())
				fmt.Fprintf(w, `{"keys":[{"kty":"??"},7,{"kty":"oct","k":"AAAA","kid":"k1"},%s]}`, good)
				return true
			}
		}, ok, ""},
		"a key set of HTML": {func(p *idp) { p.before = serve("/keys", 200, "<html>") }, page503, ""},
		"a key set of null": {func(p *idp) { p.before = serve("/keys", 200, "null") }, page503, ""},
		"keys 500":          {func(p *idp) { p.before = serve("/keys", 500, "") }, page503, ""},
		"keys of 2 MB":      {func(p *idp) { p.before = serve("/keys", 200, `{"keys":[]`+strings.Repeat(" ", 2<<20)+"}") }, page503, ""},
		"keys elsewhere":    {func(p *idp) { p.before = redirectTo("/keys", "/elsewhere") }, page503, ""},

		// Metadata.
		"metadata of another issuer": {func(p *idp) { p.metadata = func(m map[string]any) { m["issuer"] = "https://evil.test" } }, page503, "Demo directory"},
		"metadata 500":               {func(p *idp) { p.before = serve("/.well-known/openid-configuration", 500, "") }, page503, "Demo directory"},
		"metadata of HTML":           {func(p *idp) { p.before = serve("/.well-known/openid-configuration", 200, "<html>") }, page503, "Demo directory"},
		"metadata elsewhere":         {func(p *idp) { p.before = redirectTo("/.well-known/openid-configuration", "/x") }, page503, ""},
		"a token endpoint in clear":  {func(p *idp) { p.metadata = func(m map[string]any) { m["token_endpoint"] = "http://idp.test/token" } }, page503, ""},
		"a token endpoint of a file": {func(p *idp) { p.metadata = func(m map[string]any) { m["token_endpoint"] = "file:///etc/passwd" } }, page503, ""},
		"an authorization endpoint of a script": {func(p *idp) {
			p.metadata = func(m map[string]any) { m["authorization_endpoint"] = "javascript:alert(1)" }
		}, page503, ""},
		"keys with credentials in the URL": {func(p *idp) {
			p.metadata = func(m map[string]any) {
				m["jwks_uri"] = strings.Replace(p.issuer, "http://", "http://a:b@", 1) + "/keys"
			}
		}, page503, ""},
		"keys at a private address": {func(p *idp) { p.metadata = func(m map[string]any) { m["jwks_uri"] = "https://169.254.169.254/keys" } }, page503, ""},

		// The token endpoint.
		"token 400":            {func(p *idp) { p.token = status(400, `{"error":"invalid_grant"}`) }, page403, "invalid_grant"},
		"token 400 of others":  {func(p *idp) { p.token = status(400, `{"error":"<script>x"}`) }, page403, ""},
		"token 500":            {func(p *idp) { p.token = status(500, "") }, page503, "Demo directory"},
		"token of HTML":        {func(p *idp) { p.token = status(200, "<html>") }, page503, ""},
		"token elsewhere":      {func(p *idp) { p.before = redirectTo("/token", "/x") }, page403, ""},
		"token without access": {func(p *idp) { p.response = func(m map[string]any) { delete(m, "access_token") } }, page503, ""},
		"secret in the body": {func(p *idp) {
			p.metadata = func(m map[string]any) { m["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"} }
		}, ok, ""},

		// OI-12
		"userinfo fills in":                  {func(p *idp) { delete2(p, "email", "email_verified", "groups") }, ok, ""},
		"[InvalidSubInUserinfoResponse]":     {userinfo(map[string]any{"sub": "alice", "email": "alice@acme.test"}), page403, "somebody else"},
		"userinfo without sub":               {userinfo(map[string]any{"email": "alice@acme.test"}), page403, "somebody else"},
		"userinfo 500":                       {func(p *idp) { delete2(p, "groups"); p.userinfo = status(500, "") }, page503, ""},
		"userinfo of HTML":                   {func(p *idp) { delete2(p, "groups"); p.userinfo = status(200, "<html>") }, page503, ""},
		"userinfo of a JWT":                  {func(p *idp) { delete2(p, "groups"); p.userinfo = status(200, "a.b.c") }, page503, ""},
		"userinfo is not asked without need": {func(p *idp) { p.userinfo = status(500, "") }, ok, ""},
		"userinfo does not outdo the ID token": {func(p *idp) {
			delete2(p, "groups")
			p.userinfo = infoOf(map[string]any{"sub": "bob", "email": "ceo@acme.test"})
		}, ok, ""},
		"a claim twice in the userinfo": {func(p *idp) { delete2(p, "groups"); p.userinfo = rawInfo(`{"sub":"bob","sub":"alice"}`) }, page403, "twice"},
		"groups nowhere are no groups":  {func(p *idp) { delete(p.person, "groups") }, ok, ""},
		"no userinfo endpoint, no groups either": {func(p *idp) {
			delete2(p, "groups")
			p.metadata = func(m map[string]any) { delete(m, "userinfo_endpoint") }
		}, ok, ""},

		// ID-07
		"groups of one string": {claim("groups", "engineering"), ok, ""},
		"groups null":          {claim("groups", nil), ok, ""},
		"groups of an object":  {claim("groups", map[string]any{"a": 1}), page403, "groups"},
		"groups of a number":   {claim("groups", 7), page403, "groups"},
		"groups of true":       {claim("groups", true), page403, "groups"},
		"groups of lists":      {claim("groups", []any{[]string{"a"}}), page403, "position 0"},
		"groups with a number": {claim("groups", []any{"a", 7}), page403, "position 1"},
		"email is an object":   {claim("email", map[string]any{"a": 1}), page403, "email"},
		"email is a list":      {claim("email", []string{"bob@acme.test"}), page403, "email"},
		"name is a number":     {claim("name", 7), page403, "name"},
		"name null":            {claim("name", nil), ok, ""},
		"acr is a number":      {claim("acr", 1), page403, "acr"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.idp.bend(c.bend)
			b := w.browser()
			a := b.open(wikiURL + "/a")
			if a.status != c.want {
				t.Fatalf("ended at %s with %d, want %d\n%s", a.url, a.status, c.want, a.body)
			}
			if c.says != "" && !strings.Contains(a.body, c.says) {
				t.Errorf("the page does not say %q:\n%s", c.says, a.body)
			}
			if c.want == ok {
				if a.body != "app: /a as bob@acme.test" {
					t.Errorf("%s", a.body)
				}
				return
			}
			if strings.Contains(a.body, "<script") {
				t.Errorf("markup got through:\n%s", a.body)
			}
			for host, list := range b.jar {
				if list[header.Session].value != "" {
					t.Errorf("there is a session on %s", host)
				}
			}
			for name := range b.jar[sessiontest.AuthHost] {
				if strings.HasPrefix(name, header.OIDCPrefix) && strings.Contains(a.url, "callback") {
					t.Errorf("the cookie %s was not deleted", name)
				}
			}
		})
	}
}

// dup writes the payload by hand, with something more in it.
func dup(c map[string]any, more string) {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	if more != "" {
		raw = append(append(bytes.TrimSuffix(raw, []byte("}")), ","+more...), '}')
	}
	c["\x00raw"] = string(raw)
}

func renamed(k jose.JSONWebKey, kid string) jose.JSONWebKey {
	k.KeyID = kid
	if !k.IsPublic() {
		return k.Public()
	}
	return k
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(body, "{") {
			w.Header().Set("Content-Type", "application/json")
		} else {
			w.Header().Set("Content-Type", "text/html")
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

func serve(path string, code int, body string) func(string, http.ResponseWriter, *http.Request) bool {
	return func(p string, w http.ResponseWriter, r *http.Request) bool {
		if p == path {
			status(code, body)(w, r)
		}
		return p == path
	}
}

func redirectTo(path, to string) func(string, http.ResponseWriter, *http.Request) bool {
	return func(p string, w http.ResponseWriter, r *http.Request) bool {
		if p == path {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
		return p == path
	}
}

// delete2 takes claims out of the ID token, and leaves them to the userinfo.
func delete2(p *idp, names ...string) {
	p.claims = func(c map[string]any) {
		for _, n := range names {
			delete(c, n)
		}
	}
}

func infoOf(m map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { writeJSON(w, m) }
}

func rawInfo(body string) http.HandlerFunc { return status(200, body) }

func userinfo(m map[string]any) func(*idp) {
	return func(p *idp) {
		delete2(p, "groups")
		p.userinfo = infoOf(m)
	}
}

func TestOnlyTrueIsVerified(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{`true`: true, `false`: false, `"true"`: false, `"false"`: false, `1`: false, `null`: false, `[true]`: false, ``: false} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.idp.bend(func(p *idp) {
				if text == "" {
					delete(p.person, "email_verified")
					return
				}
				var v any
				if err := json.Unmarshal([]byte(text), &v); err != nil {
					t.Fatal(err)
				}
				p.person["email_verified"] = v
			})
			b := w.browser()
			b.arrives(wikiURL+"/", "/", "bob@acme.test")
			if got := w.me(b, wikiURL).EmailVerified; got != want {
				t.Errorf("verified: %v", got)
			}
		})
	}
	t.Run("said of another address", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.idp.bend(func(p *idp) {
			delete2(p, "email")
			p.userinfo = infoOf(map[string]any{"sub": "bob", "email": "ceo@acme.test"})
		})
		b := w.browser()
		b.arrives(wikiURL+"/", "/", "ceo@acme.test")
		if w.me(b, wikiURL).EmailVerified {
			t.Error("the ID token verified an address that only the userinfo names")
		}
	})
	t.Run("said of another address, the other way round", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.idp.bend(func(p *idp) {
			delete2(p, "email_verified", "groups")
			p.userinfo = infoOf(map[string]any{"sub": "bob", "email": "other@acme.test", "email_verified": true})
		})
		b := w.browser()
		b.arrives(wikiURL+"/", "/", "bob@acme.test")
		if w.me(b, wikiURL).EmailVerified {
			t.Error("the userinfo verified an address that only the ID token names")
		}
	})
	t.Run("said of no standard claim", func(t *testing.T) {
		t.Parallel()
		w := setup(t)
		w.provider(acme, func(p *edgev1.IdentityProvider) { p.EmailClaim = "upn" })
		w.idp.bend(func(p *idp) { p.person["upn"] = "ceo@acme.test" })
		b := w.browser()
		b.arrives(wikiURL+"/", "/", "ceo@acme.test")
		if w.me(b, wikiURL).EmailVerified {
			t.Error("verified")
		}
	})
}

func TestEmailDomains(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		email    any
		verified any
		reason   string
	}{
		"of the domain":         {"bob@acme.test", true, ""},
		"in capitals":           {"Bob@ACME.test", true, ""},
		"of another":            {"bob@evil.test", true, "identity.domain_not_allowed"},
		"of a longer one":       {"bob@evilacme.test", true, "identity.domain_not_allowed"},
		"of a subdomain":        {"bob@a.acme.test", true, "identity.domain_not_allowed"},
		"with two at":           {"bob@acme.test@evil.test", true, "identity.domain_not_allowed"},
		"with two at, reversed": {"bob@evil.test@acme.test", true, "identity.domain_not_allowed"},
		"not verified":          {"bob@acme.test", false, "identity.email_unverified"},
		"verified by a string":  {"bob@acme.test", "true", "identity.email_unverified"},
		"none":                  {nil, true, "identity.email_unverified"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.provider(acme, func(p *edgev1.IdentityProvider) { p.EmailDomains = []string{"acme.test"} })
			w.idp.bend(func(p *idp) { p.person["email"], p.person["email_verified"] = c.email, c.verified })
			b := w.browser()
			a := b.open(wikiURL + "/a?b")
			if c.reason == "" {
				if a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
				return
			}
			if a.status != 403 || !strings.Contains(a.body, c.reason) || b.session(sessiontest.AuthHost) != "" {
				t.Fatalf("%d %s", a.status, a.body)
			}
			// The way out leads to another account, and to where they wanted to go.
			w.idp.bend(func(p *idp) {
				p.person = map[string]any{"sub": "alice", "email": "alice@acme.test", "email_verified": true}
			})
			b.arrives(authURL+link(t, a.body, "Use another account"), "/a?b", "alice@acme.test")
			if got := w.idp.lastAsked().Get("prompt"); got != "select_account" {
				t.Errorf("prompt %q", got)
			}
		})
	}
}

func TestGroupsBeyondTheLimitAreUnknown(t *testing.T) {
	t.Parallel()
	many := make([]string, 2500)
	for i := range many {
		many[i] = fmt.Sprint("g", i)
	}
	for name, bend := range map[string]func(*idp){
		"too many":     func(p *idp) { p.person["groups"] = append([]string{"engineering"}, many...) },
		"one too long": func(p *idp) { p.person["groups"] = []string{"engineering", strings.Repeat("x", 257)} },
		"said elsewhere": func(p *idp) {
			p.person["_claim_names"], p.person["_claim_sources"] = map[string]string{"groups": "s"}, map[string]any{"s": map[string]string{"endpoint": "https://graph.test"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			// Whoever is in "admins" is kept out; of these nobody can say that they are not.
			w.Put(acme, &edgev1.Policy{Id: "wiki", Uid: "p1", Apps: []string{"wiki"}, Rules: []*edgev1.Rule{
				{Id: "all", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"people"}, Roles: []string{"user"}},
				{Id: "not-admins", Effect: edgev1.Effect_EFFECT_DENY, Principals: []string{"group:admins"}, Roles: []string{"user"}},
			}})
			b := w.browser()
			b.arrives(wikiURL+"/", "/", "bob@acme.test")
			if a := b.open(authURL + "/"); !strings.Contains(a.body, "The wiki") {
				t.Fatal("bob may not open the wiki even with few groups")
			}
			w.idp.bend(bend)
			c := w.browser()
			c.arrives(wikiURL+"/", "/", "bob@acme.test")
			if a := c.open(authURL + "/"); strings.Contains(a.body, "The wiki") {
				t.Error("what is not known was taken for no")
			}
		})
	}
}

func TestIssuerParameter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		announced bool
		iss       []string // nil: not sent
		want      int
	}{
		"announced and right":       {true, []string{"right"}, 200},
		"announced and missing":     {true, nil, 400},
		"announced and empty":       {true, []string{""}, 400},
		"announced and wrong":       {true, []string{"https://evil.test"}, 400},
		"announced and twice":       {true, []string{"right", "right"}, 400},
		"not announced, missing":    {false, nil, 200},
		"not announced and wrong":   {false, []string{"https://evil.test"}, 400},
		"not announced, but right":  {false, []string{"right"}, 200},
		"not announced and empty":   {false, []string{""}, 400},
		"not announced and a slash": {false, []string{"right/"}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			w.idp.bend(func(p *idp) {
				p.metadata = func(m map[string]any) { m["authorization_response_iss_parameter_supported"] = c.announced }
				p.callback = func(q url.Values) {
					q.Del("iss")
					for _, v := range c.iss {
						q.Add("iss", strings.Replace(v, "right", p.issuer, 1))
					}
				}
			})
			if a := w.browser().open(wikiURL + "/a"); a.status != c.want {
				t.Errorf("%d\n%s", a.status, a.body)
			}
		})
	}
}

func TestErrorsOfTheProvider(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{
		"access_denied": 403, "login_required": 403, "server_error": 503, "temporarily_unavailable": 503, `"><script>alert(1)</script>`: 403, "": 403,
	} {
		w := setup(t)
		w.idp.bend(func(p *idp) {
			p.callback = func(q url.Values) {
				q.Del("code")
				q.Set("error", code)
				q.Set("error_description", "visit evil.test now")
			}
		})
		b := w.browser()
		a := b.open(wikiURL + "/a")
		if a.status != want || strings.Contains(a.body, "evil.test") || strings.Contains(a.body, "<script") || b.session(sessiontest.AuthHost) != "" {
			t.Errorf("%q: %d\n%s", code, a.status, a.body)
		}
		if n := w.idp.count("/token"); n != 0 {
			t.Errorf("%q: the token endpoint was asked", code)
		}
	}
}

func TestExtraParameters(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.provider(acme, func(p *edgev1.IdentityProvider) {
		p.AuthorizeParameters = map[string]string{
			"hd": "acme.test", "max_age": "60", "state": "evil", "redirect_uri": "https://evil.test", "response_type": "token", "nonce": "x",
			"code_challenge_method": "plain", "response_mode": "form_post", "request_uri": "https://evil.test", "client_id": "other", "scope": "all",
		}
	})
	w.browser().arrives(wikiURL+"/", "/", "bob@acme.test")
	q := w.idp.lastAsked()
	if q.Get("hd") != "acme.test" || q.Get("max_age") != "60" || q.Has("response_mode") || q.Has("request_uri") {
		t.Errorf("%v", q)
	}
	for name, want := range map[string]string{
		"redirect_uri": authURL + "/.sallyport/oidc/callback", "response_type": "code", "client_id": "sallyport", "code_challenge_method": "S256", "scope": "openid email",
	} {
		if !slices.Equal(q[name], []string{want}) {
			t.Errorf("%s = %q", name, q[name])
		}
	}
	// With max_age the provider has to say when, and that has to be recent.
	for _, bend := range []func(*idp){without("auth_time"), claim("auth_time", seconds(-121*time.Second)), claim("auth_time", "1")} {
		w.idp.bend(bend)
		if a := w.browser().open(wikiURL + "/"); a.status != 403 || !strings.Contains(a.body, "authenticated too long ago") {
			t.Errorf("%d\n%s", a.status, a.body)
		}
	}
	w.idp.bend(claim("auth_time", seconds(-119*time.Second)))
	w.browser().arrives(wikiURL+"/", "/", "bob@acme.test")
}

// SF-01, SF-02: a new key is found at once, an invented one costs the provider next to nothing.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.browser().arrives(wikiURL+"/", "/", "bob@acme.test")
	w.idp.bend(func(p *idp) { p.keys = []jose.JSONWebKey{ecKey("k2"), p.keys[0]} })
	w.browser().arrives(wikiURL+"/", "/", "bob@acme.test")
	if n := w.idp.count("/keys"); n != 2 {
		t.Errorf("the keys were read %d times", n)
	}
	old := w.idp.keys[1]
	w.idp.bend(func(p *idp) {
		p.published = []jose.JSONWebKey{old.Public(), p.keys[0].Public()}
		p.keys = []jose.JSONWebKey{ecKey("nobody")}
	})
	for range 50 {
		if a := w.browser().open(wikiURL + "/"); a.status != 403 {
			t.Fatalf("%d", a.status)
		}
	}
	if n := w.idp.count("/keys"); n > 3 {
		t.Errorf("the keys were read %d times", n)
	}
	w.idp.bend(func(p *idp) { p.keys = []jose.JSONWebKey{old} })
	w.browser().arrives(wikiURL+"/", "/", "bob@acme.test")
	// Minutes later an unknown key is worth another look.
	w.add(6 * time.Minute)
	w.idp.bend(func(p *idp) { p.keys, p.published = []jose.JSONWebKey{ecKey("k3")}, nil })
	w.browser().arrives(wikiURL+"/", "/", "bob@acme.test")
}

// F-32: a provider that was down is used again as soon as it is back; while it is down it is not asked for everybody.
func TestTheProviderComesBack(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/.well-known/openid-configuration", "/keys"} {
		w := setup(t)
		w.idp.bend(func(p *idp) { p.before = serve(path, 500, "") })
		for range 20 {
			a := w.browser().open(wikiURL + "/")
			if a.status != 503 || !strings.Contains(a.body, "Demo directory") || a.header.Get("Retry-After") == "" {
				t.Fatalf("%d %v\n%s", a.status, a.header, a.body)
			}
		}
		if n := w.idp.count(path); n != 1 {
			t.Errorf("%s was asked %d times", path, n)
		}
		w.idp.bend(func(p *idp) { p.before = nil })
		w.add(3 * time.Second)
		w.browser().arrives(wikiURL+"/", "/", "bob@acme.test")
	}
}

func TestAnIssuerAtAPrivateAddress(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{
		"https://169.254.169.254", "https://10.0.0.1", "https://[::ffff:169.254.169.254]", "https://0.0.0.0", "http://idp.test", "ftp://idp.test", "https://u:p@idp.test",
		"https://[fd00:ec2::254]", "https://100.64.0.1",
	} {
		w := setup(t)
		w.provider(acme, func(p *edgev1.IdentityProvider) { p.Issuer = issuer })
		if a := w.browser().open(wikiURL + "/"); a.status != 503 {
			t.Errorf("%s: %d\n%s", issuer, a.status, a.body)
		}
	}
	// http for a loopback address only if the provider is marked so.
	w := setup(t)
	w.provider(acme, func(p *edgev1.IdentityProvider) { p.AllowHttpLoopback = false })
	if a := w.browser().open(wikiURL + "/"); a.status != 503 {
		t.Errorf("%d", a.status)
	}
}
