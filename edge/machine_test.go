package edge_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

const (
	api  = "https://api.acme.localhost"
	wiki = "https://wiki.acme.localhost"
)

func start(t *testing.T) (*edgetest.Edge, *edgetest.Upstream) {
	t.Helper()
	up := edgetest.NewUpstream(t)
	return edgetest.Start(t, edgetest.Demo(up.URL(), up.URL())), up
}

func problemOf(t *testing.T, res edgetest.Response) map[string]any {
	t.Helper()
	if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("content type %q of %d %s", got, res.StatusCode, res.Text)
	}
	var p map[string]any
	if err := json.Unmarshal([]byte(res.Text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	for _, http2 := range []bool{false, true} {
		res := edgetest.Send(t, e.Client(t, http2), "GET", api+"/v1/invoices?q=1&q=a%2fb", edgetest.CI.Bearer(), "")
		if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Text, "GET /v1/invoices?q=1&q=a%2fb HTTP/1.1\n") {
			t.Fatalf("got %d %s", res.StatusCode, res.Text)
		}
		if got := res.Header.Get("Cache-Control"); got != "private" {
			t.Errorf("an answer for one caller has Cache-Control %q", got)
		}
	}
	for _, r := range up.Received() {
		if len(r.Values("Authorization")) > 0 {
			t.Error("the upstream got our token")
		}
		if got := r.Get("X-Sallyport-User"); got != "serviceAccount:ci" {
			t.Errorf("X-Sallyport-User is %q", got)
		}
		token := e.Verify(t, "api.acme.localhost", r.Get("X-Sallyport-Assertion"))
		audience, _ := token.Audience()
		issuer, _ := token.Issuer()
		issued, _ := token.IssuedAt()
		expires, _ := token.Expiration()
		if !slices.Equal(audience, []string{"tenants/acme/apps/api"}) || issuer != "https://auth.acme.localhost" || expires.Sub(issued) > 5*time.Minute {
			t.Errorf("assertion for %q by %q, good for %s", audience, issuer, expires.Sub(issued))
		}
	}
	e.Oracles(t, up)
}

func TestDenied(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	res := e.Do(t, "POST", api+"/v1/invoices", edgetest.CI.Bearer(), "{}")
	p := problemOf(t, res)
	id, _ := p["decision_id"].(string)
	delete(p, "decision_id")
	want := map[string]any{
		"type": "urn:sallyport:reason:deny.no_rule", "title": "You may not do this here.", "status": 403.0, "reason": "deny.no_rule",
		"detail": `The service account ci may not use the operation "write" of the app "api".`,
		"app":    "api", "operation": "write", "principal": "serviceAccount:ci",
		"remediation": `Ask an administrator of acme for the permission "write" on the app "api".`,
	}
	if diff := cmp.Diff(want, p); diff != "" || res.StatusCode != http.StatusForbidden {
		t.Errorf("%d %s", res.StatusCode, diff)
	}
	record := e.Record(t, edgetest.Acme, id)
	if d := record.GetDecision(); d.GetOutcome() != "DENY" || d.GetReason() != "deny.no_rule" || d.GetConfig() == 0 || d.GetUrgent() == 0 || d.GetLineage() == "" {
		t.Errorf("the record says %v", d)
	}
	if record.GetResponse().GetStatus() != http.StatusForbidden || record.GetResponse().GetBy() != "edge" || record.GetCredential() != "service_token" {
		t.Errorf("the record says %v", record)
	}
	if n := len(up.Bytes()); n != 0 {
		t.Errorf("the upstream got %d bytes", n)
	}
	e.Oracles(t, up)
}

func TestStranger(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	res := e.Get(t, api+"/v1/invoices", http.Header{"Accept": {"application/json"}})
	p := problemOf(t, res)
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get("Location") != "" {
		t.Errorf("got %d %v", res.StatusCode, res.Header)
	}
	want := `Bearer realm="acme", resource_metadata="https://api.acme.localhost/.sallyport/oauth-protected-resource"`
	if got := res.Header.Get("WWW-Authenticate"); got != want {
		t.Errorf("WWW-Authenticate is %s", got)
	}
	for name := range p {
		if !slices.Contains([]string{"type", "title", "status", "reason", "decision_id"}, name) {
			t.Errorf("a stranger is told %s: %v", name, p[name])
		}
	}
	// No operation and no rule look the same to a stranger.
	if other := problemOf(t, e.Get(t, api+"/secret/path", nil)); other["reason"] != p["reason"] || other["title"] != p["title"] {
		t.Errorf("a stranger learns that there is no operation: %v", other)
	}
	if len(up.Bytes()) != 0 {
		t.Error("the upstream got something")
	}
	public := e.Get(t, api+"/v1/status", nil)
	if public.StatusCode != http.StatusOK || public.Header.Get("Cache-Control") != "" {
		t.Errorf("the public route answers %d %v", public.StatusCode, public.Header)
	}
	e.Oracles(t, up)
}

// Every answer of ours has what protects whoever gets it, and none may be kept.
func TestAnswersOfOurs(t *testing.T) {
	t.Parallel()
	e, _ := start(t)
	browser := http.Header{"Accept": {"text/html"}}
	for name, res := range map[string]edgetest.Response{
		"401":       e.Get(t, api+"/v1/x", nil),
		"403":       e.Do(t, "PUT", api+"/v1/x", edgetest.CI.Bearer(), ""),
		"400":       e.Get(t, api+"/v1/%2e%2e/x", edgetest.CI.Bearer()),
		"redirect":  e.Get(t, wiki+"/", browser),
		"page":      e.Do(t, "POST", wiki+"/", browser, "x=1"),
		"me":        e.Get(t, wiki+"/.sallyport/me", browser),
		"not found": e.Get(t, wiki+"/.sallyport/nothing", browser),
		"auth host": e.Get(t, "https://auth.acme.localhost/", browser),
		"grpc":      e.Do(t, "POST", api+"/v1/x", http.Header{"Content-Type": {"application/grpc"}}, "\x00"),
	} {
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		for _, header := range []string{"Strict-Transport-Security", "Content-Security-Policy", "Referrer-Policy"} {
			if res.Header.Get(header) == "" {
				t.Errorf("%s: no %s", name, header)
			}
		}
		if !strings.Contains(res.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: may be framed", name)
		}
		if res.Header.Get("Access-Control-Allow-Origin") != "" || res.Header.Get("Server") != "" {
			t.Errorf("%s: %v", name, res.Header)
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	e, _ := start(t)
	for _, c := range []struct {
		name, method, url string
		header            http.Header
		status            int
		contentType       string
		want              http.Header
	}{
		{"navigation", "GET", wiki + "/a?b=c", http.Header{"Accept": {"text/html,*/*;q=0.8"}}, 303, "", nil},
		{"navigation by metadata", "GET", wiki + "/a", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"none"}}, 303, "", nil},
		{"fetch that takes HTML", "GET", wiki + "/a", http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}, 401, "application/problem+json", nil},
		{"form", "POST", wiki + "/a", http.Header{"Accept": {"text/html"}}, 401, "text/html; charset=utf-8", nil},
		{"program", "GET", wiki + "/a", http.Header{"Accept": {"*/*"}}, 401, "application/problem+json", nil},
		{"HTML refused", "GET", wiki + "/a", http.Header{"Accept": {"text/html;q=0, */*"}}, 401, "application/problem+json", nil},
		{"token in a browser", "GET", api + "/v1/x", http.Header{"Accept": {"text/html"}, "Authorization": {"Bearer theirs"}}, 401, "application/problem+json", nil},
		{"gRPC", "POST", api + "/v1/x", http.Header{"Content-Type": {"application/grpc+proto"}}, 200, "application/grpc", http.Header{"Grpc-Status": {"16"}}},
		{"gRPC denied", "POST", api + "/v1/x", http.Header{"Content-Type": {"application/grpc"}, "X-Sallyport-Token": {edgetest.CI.Text}}, 200, "application/grpc", http.Header{"Grpc-Status": {"7"}}},
	} {
		res := e.Do(t, c.method, c.url, c.header, "")
		if res.StatusCode != c.status || res.Header.Get("Content-Type") != c.contentType {
			t.Errorf("%s: got %d %q", c.name, res.StatusCode, res.Header.Get("Content-Type"))
		}
		for name, values := range c.want {
			if !slices.Equal(res.Header[name], values) {
				t.Errorf("%s: %s is %q", c.name, name, res.Header[name])
			}
		}
		if c.status == 303 && !strings.HasPrefix(res.Header.Get("Location"), "https://auth.acme.localhost/.sallyport/sign-in?start=") {
			t.Errorf("%s: sent to %s", c.name, res.Header.Get("Location"))
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	good := edgetest.CI.Text
	other := edgetest.NewToken(edgetest.CI.ID, 'x') // the right id and another secret
	for _, c := range []struct {
		name   string
		header http.Header
		path   string
		status int
		reason string
	}{
		{"Proxy-Authorization", http.Header{"Proxy-Authorization": {"Bearer " + good}}, "/v1/x", 200, ""},
		{"X-Sallyport-Token", http.Header{"X-Sallyport-Token": {good}}, "/v1/x", 200, ""},
		{"scheme in lower case", http.Header{"Authorization": {"bearer " + good}}, "/v1/x", 200, ""},
		{"somebody else's, on a public route", http.Header{"Authorization": {"Bearer theirs"}}, "/v1/status", 200, ""},
		{"wrong secret", http.Header{"Authorization": {"Bearer " + other.Text}}, "/v1/x", 401, "identity.bad_token"},
		{"wrong secret on a public route", http.Header{"Authorization": {"Bearer " + other.Text}}, "/v1/status", 401, "identity.bad_token"},
		{"bad checksum", http.Header{"Authorization": {"Bearer " + good[:len(good)-6] + strings.Repeat("_", 6)}}, "/v1/status", 401, "identity.bad_token"},
		{"another tenant's", edgetest.Robot.Bearer(), "/v1/status", 401, "identity.bad_token"},
		{"admin token", http.Header{"Authorization": {"Bearer spa_" + good[3:]}}, "/v1/status", 401, "identity.bad_token"},
		{"not Bearer in a header of ours", http.Header{"Proxy-Authorization": {"Basic x"}}, "/v1/status", 401, "identity.bad_token"},
		{"two tokens", http.Header{"Authorization": {"Bearer " + good}, "X-Sallyport-Token": {good}}, "/v1/x", 400, "request.two_credentials"},
		{"two lines", http.Header{"Authorization": {"Bearer " + good, "Bearer theirs"}}, "/v1/x", 400, "request.two_credentials"},
		{"token and cookie", http.Header{"Authorization": {"Bearer " + good}, "Cookie": {"__Host-sp=a.b"}}, "/v1/x", 400, "request.two_credentials"},
		{"two cookies", http.Header{"Cookie": {"__Host-sp=a.b; __Host-sp=c.d"}}, "/v1/status", 400, "request.two_credentials"},
		{"a cookie that is nobody's", http.Header{"Cookie": {"__Host-sp=a.b"}}, "/v1/status", 200, ""},
		{"in the query", nil, "/v1/x?access_token=" + good, 401, "identity.none"},
	} {
		res := e.Get(t, api+c.path, c.header)
		if res.StatusCode != c.status {
			t.Errorf("%s: got %d %s", c.name, res.StatusCode, res.Text)
			continue
		}
		if c.reason != "" {
			if got := problemOf(t, res)["reason"]; got != c.reason {
				t.Errorf("%s: reason %v", c.name, got)
			}
		}
	}
	all := string(up.Bytes())
	edgetest.NoCanary(t, strings.ReplaceAll(all, "access_token=", ""), other.Text, "__Host-sp")
	if strings.Contains(all, "Bearer "+good) || strings.Contains(all, "Token: sp_") {
		t.Error("the upstream got our token")
	}
	if !strings.Contains(all, "Authorization: Bearer theirs") {
		t.Error("the upstream did not get its own token")
	}
	e.Oracles(t, up)
}

// An upstream that got an assertion must not be able to act as its caller.
func TestOwnAssertionIsNoCredential(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	e.Get(t, api+"/v1/x", edgetest.CI.Bearer())
	assertion := up.Received()[0].Get("X-Sallyport-Assertion")
	for _, header := range []http.Header{{"Authorization": {"Bearer " + assertion}}, {"X-Sallyport-Token": {assertion}}} {
		if res := e.Get(t, api+"/v1/status", header); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%v: got %d", header, res.StatusCode)
		}
	}
	res := e.Get(t, api+"/v1/status", http.Header{"X-Sallyport-Assertion": {assertion}})
	if list := up.Received(); res.StatusCode != http.StatusOK || list[len(list)-1].Get("X-Sallyport-Assertion") != "" {
		t.Errorf("an assertion that came in went on")
	}
}

func TestTokenEnds(t *testing.T) {
	t.Parallel()
	e, _ := start(t)
	want := func(status int, reason string) {
		t.Helper()
		res := e.Get(t, api+"/v1/x", edgetest.CI.Bearer())
		if res.StatusCode != status || status != 200 && problemOf(t, res)["reason"] != reason {
			t.Errorf("got %d %s", res.StatusCode, res.Text)
		}
	}
	account := func(change func(*edgev1.ServiceAccount)) {
		for _, m := range edgetest.AcmeConfig("http://127.0.0.1:1", "http://127.0.0.1:1") {
			if a, ok := m.(*edgev1.ServiceAccount); ok {
				change(a)
				e.Put(t, edgetest.Acme, a)
			}
		}
	}
	want(200, "")
	account(func(a *edgev1.ServiceAccount) { a.Disabled = true })
	want(401, "identity.disabled")
	p := problemOf(t, e.Get(t, api+"/v1/x", edgetest.CI.Bearer()))
	if p["principal"] != nil || p["operation"] != nil || e.Record(t, edgetest.Acme, p["decision_id"].(string)).GetPrincipal().GetSubject() != "serviceAccount:ci" {
		t.Errorf("whoever holds a token that is over is told %v", p)
	}
	account(func(a *edgev1.ServiceAccount) { a.Tokens[0].ExpireTime.Seconds = time.Now().Unix() - 1 })
	want(401, "identity.expired")
	account(func(*edgev1.ServiceAccount) {})
	want(200, "")
	e.Revoke(t, edgetest.Acme, "serviceAccount:sa-ci")
	want(401, "identity.revoked")
	revoked := e.ControlPlane.Urgent(t, edgetest.Acme)
	account(func(a *edgev1.ServiceAccount) { a.Tokens[0].Urgent = revoked - 1 })
	want(401, "identity.revoked")
	account(func(a *edgev1.ServiceAccount) { a.Tokens[0].Urgent = revoked }) // made anew
	want(200, "")
	e.Revoke(t, edgetest.Acme, "token:"+edgetest.CI.ID)
	want(401, "identity.revoked")
	account(func(a *edgev1.ServiceAccount) { a.Tokens = nil })
	want(401, "identity.bad_token")
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	keys := e.Get(t, api+"/.sallyport/jwks.json", nil)
	if keys.StatusCode != 200 || keys.Header.Get("Cache-Control") != "max-age=300" || strings.Contains(keys.Text, `"d"`) || !strings.Contains(keys.Text, `"kid":"dev-1"`) {
		t.Errorf("%d %v %s", keys.StatusCode, keys.Header, keys.Text)
	}
	metadata := e.Get(t, api+"/.sallyport/oauth-protected-resource", nil)
	var m map[string]any
	if err := json.Unmarshal([]byte(metadata.Text), &m); err != nil || m["resource"] != "https://api.acme.localhost" {
		t.Errorf("%s %v", metadata.Text, err)
	}
	if res := e.Do(t, "POST", api+"/.sallyport/jwks.json", nil, ""); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") == "" {
		t.Errorf("POST: %d", res.StatusCode)
	}
	if len(up.Bytes()) != 0 {
		t.Error("a reserved path reached the upstream")
	}
}

// When it cannot be told whose a cookie is, nobody is a stranger for that: what is for anyone is answered, and everything
// else waits.
func TestSessionThatCannotBeRead(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	e.Apply(t, edgetest.Acme, edgev1.Lane_LANE_URGENT, edgetest.Change{Remove: []string{"Keyset/ticket"}})
	cookie := http.Header{"Cookie": {"theirs=1; __Host-sp=a.b"}, "Accept": {"text/html"}}
	if res := e.Get(t, api+"/v1/status", cookie); res.StatusCode != 200 {
		t.Errorf("a page for anyone: %d", res.StatusCode)
	}
	res := e.Get(t, wiki+"/", cookie)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || res.Header.Get("Location") != "" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("got %d %v", res.StatusCode, res.Header)
	}
	if res := e.Get(t, wiki+"/", http.Header{"Cookie": cookie["Cookie"]}); problemOf(t, res)["reason"] != "unavailable.key" {
		t.Errorf("got %s", res.Text)
	}
	if got := up.Received()[0].Get("Cookie"); got != "theirs=1" {
		t.Errorf("the upstream got the cookies %q", got)
	}
	e.Oracles(t, up)
}
