package rpc_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"

	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// post sends bytes and returns the answer, whatever it is.
func (c *client) post(t *testing.T, procedure, contentType string, body io.Reader, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/sallyport.v1."+procedure, body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	r.Header.Set("Content-Type", contentType)
	response, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answered, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(answered)
}

func TestTheFormOfAnError(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.base(t)
	s.acme.must(t, "GroupService/CreateGroup", object{"parent": "tenants/acme", "group_id": "engineering", "group": object{"members": []any{object{"user": "a@b.test"}}}})
	a := s.acme.refuses(t, "PolicyService/CreatePolicy", object{"parent": "tenants/acme", "policy_id": "p", "policy": object{"apps": []any{"base"}, "rules": []any{
		object{"id": "r", "effect": "EFFECT_ALLOW", "principals": []any{"group:enginering"}, "operations": []any{"read"}},
	}}}, "invalid_argument", "REFERENCE_NOT_FOUND")
	var details []object
	for _, d := range a.fields["details"].([]any) {
		delete(d.(object), "value")
		details = append(details, d.(object))
	}
	got, err := json.Marshal(object{"code": a.fields["code"], "message": a.fields["message"], "details": details})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"code":"invalid_argument","details":[` +
		`{"debug":{"fieldViolations":[{"description":"group \"enginering\" does not exist","field":"policy.rules[0].principals[0]","reason":"REFERENCE_NOT_FOUND"}]},"type":"google.rpc.BadRequest"},` +
		`{"debug":{"domain":"sallyport.v1","metadata":{"suggestion":"engineering"},"reason":"REFERENCE_NOT_FOUND"},"type":"google.rpc.ErrorInfo"},` +
		`{"debug":{"requestId":"test"},"type":"google.rpc.RequestInfo"}],` +
		`"message":"policy.rules[0].principals[0]: group \"enginering\" does not exist; did you mean \"engineering\"?"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEveryProtocolSaysTheSame(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for name, options := range map[string][]connect.ClientOption{
		"connect": nil, "json": {connect.WithProtoJSON()}, "gRPC-Web": {connect.WithGRPCWeb()}, "gzip": {connect.WithSendGzip()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.as(s.acme.token, options...)
			f := refused(t, c.apps.GetApp, &v1.GetAppRequest{Name: "tenants/globex/apps/x"}, connect.CodeNotFound, "NOT_FOUND")
			if f.message != "not found" || f.requestID == "" {
				t.Errorf("got %+v", f)
			}
			refused(t, s.as("", options...).apps.GetApp, &v1.GetAppRequest{Name: "tenants/globex/apps/x"}, connect.CodeUnauthenticated, "TOKEN_MISSING")
			call(t, c.tenants.GetTenant, &v1.GetTenantRequest{Name: "tenants/acme"})
		})
	}
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	s := setup(t)
	c := s.overHTTP2(t, s.acme.token)
	call(t, c.tenants.GetTenant, &v1.GetTenantRequest{Name: "tenants/acme"})
	f := refused(t, c.apps.GetApp, &v1.GetAppRequest{Name: "tenants/globex/apps/x"}, connect.CodeNotFound, "NOT_FOUND")
	if f.message != "not found" || f.requestID == "" {
		t.Errorf("got %+v", f)
	}
	refused(t, s.overHTTP2(t, "").apps.GetApp, &v1.GetAppRequest{Name: "tenants/acme/apps/x"}, connect.CodeUnauthenticated, "TOKEN_MISSING")
	stream, err := s.overHTTP2(t, "").audit.TailChanges(t.Context(), &v1.TailChangesRequest{Parent: "tenants/acme"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if stream.Receive() {
		t.Error("a stranger's tail")
	}
	if f := read(t, stream.Err()); f.reason != "TOKEN_MISSING" {
		t.Errorf("a stranger's tail: %+v", f)
	}
	stream, err = c.audit.TailChanges(t.Context(), &v1.TailChangesRequest{Parent: "tenants/globex"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if stream.Receive() {
		t.Error("another's tail")
	}
	if f := read(t, stream.Err()); f.reason != "NOT_FOUND" {
		t.Errorf("another's tail: %+v", f)
	}
}

// One line for each call: who, what, how it ended; and never a secret.
func TestTheLog(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const canary = "canary-secret"
	provider := object{"issuer": "https://idp.example", "client_id": "us", "client_secret": canary}
	s.acme.must(t, "IdentityProviderService/CreateIdentityProvider", object{"parent": "tenants/acme", "identity_provider_id": "one", "identity_provider": provider})
	s.acme.send(t, "IdentityProviderService/CreateIdentityProvider", object{"parent": "tenants/acme", "identity_provider_id": "Two", "identity_provider": with(provider, object{"client_secret": strings.Repeat(canary, 100)})})
	s.acme.send(t, "IdentityProviderService/CreateIdentityProvider", object{"parent": "tenants/acme", "identity_provider_id": "two", "identity_provider": with(provider, object{"client_secrets": canary, "client_secret": 7})})
	for _, malformed := range []string{
		`{"identityProvider":{"clientSecret":canary-secret}}`, `{"identityProvider":{"clientSecret":["canary-secret"]}}`,
		`{"identityProvider":{"createTime":"canary-secret"}}`, `{"identityProvider":"canary-secret"}`, `{"validateOnly":"canary-secret"}`, `canary-secret`,
		`{"identityProvider":{"labels":["canary-secret"]}}`,
	} {
		if a := s.acme.send(t, "IdentityProviderService/CreateIdentityProvider", []byte(malformed)); a.code() != "invalid_argument" || strings.Contains(a.body, canary) {
			t.Errorf("%s: %s", malformed, a.body)
		}
	}
	s.acme.must(t, "ServiceAccountService/CreateServiceAccount", object{"parent": "tenants/acme", "service_account_id": "ci", "service_account": object{}})
	made := s.acme.must(t, "ServiceAccountService/CreateServiceAccountToken", object{"parent": "tenants/acme/serviceAccounts/ci"})
	s.ask(t, "Bearer "+forged(s.acme.token))
	log := s.log.String()
	for name, secret := range map[string]string{"a client secret": canary, "a service token": made.text("secret")[14:57], "an API token": s.acme.token[15:58]} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log", name)
		}
	}
	var last object
	for line := range strings.Lines(log) {
		var parsed object
		if err := json.Unmarshal([]byte(line), &parsed); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if parsed["procedure"] == "sallyport.v1.ServiceAccountService/CreateServiceAccountToken" {
			last = parsed
		}
	}
	wanted := object{
		"msg": "rpc", "actor": "tenants/acme/members/owner", "actor_kind": "apiToken", "request_id": "test", "ip": "127.0.0.1",
		"scope": "tenants/acme", "status": float64(200),
	}
	for key, want := range wanted {
		if last[key] != want {
			t.Errorf("%s: %v, want %v", key, last[key], want)
		}
	}
}

// A field that this server does not know may be a condition: to drop it would be to let people in.
func TestUnknownFieldsOfABinaryClient(t *testing.T) {
	t.Parallel()
	s := setup(t)
	unknown := protowire.AppendString(protowire.AppendTag(nil, 999, protowire.BytesType), "from the future")
	app := func() *v1.App {
		return &v1.App{Name: "tenants/acme/apps/one", Hosts: []string{"one.acme.test"}, Routes: []*v1.Route{{Path: "/**", Upstreams: []*v1.Upstream{{Url: "https://up.example"}}}}}
	}
	deepInside := app()
	deepInside.Routes[0].Upstreams[0].ProtoReflect().SetUnknown(unknown)
	f := refused(t, s.acme.apps.CreateApp, &v1.CreateAppRequest{Parent: "tenants/acme", AppId: "one", App: deepInside}, connect.CodeInvalidArgument, "FIELD_UNKNOWN")
	if !slices.Contains(f.fields, "app.routes[0].upstreams[0].999") {
		t.Errorf("violations of %v", f.fields)
	}
	packed := pack(t, deepInside)
	f = refused(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: packed}, connect.CodeInvalidArgument, "FIELD_UNKNOWN")
	if !slices.Contains(f.fields, "resources[0].routes[0].upstreams[0].999") {
		t.Errorf("violations of %v", f.fields)
	}
	call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: pack(t, app())})
}

func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	s := setup(t)
	deepJSON := strings.Repeat(`{"app":`, 20000) + "1" + strings.Repeat("}", 20000)
	for name, c := range map[string]struct {
		body string
		code string
	}{
		"no JSON":      {"{", "invalid_argument"},
		"nothing":      {"", "invalid_argument"},
		"a list":       {"[]", "invalid_argument"},
		"wrong type":   {`{"parent": 1}`, "invalid_argument"},
		"twice":        {`{"parent": "a", "parent": "b"}`, "invalid_argument"},
		"too deep":     {deepJSON, "invalid_argument"},
		"not UTF-8":    {"{\"parent\": \"\xff\"}", "invalid_argument"},
		"NUL":          {`{"parent": "tenants/acme", "appId": "a", "app": {"displayName": "\u0000", "hosts": ["a.acme.test"], "routes": [{"path": "/**", "upstreams": [{"url": "https://up.example"}]}]}}`, "invalid_argument"},
		"unknown enum": {`{"parent": "tenants/acme", "app": {"upstreamAuthorization": "UPSTREAM_AUTHORIZATION_STRIPP"}}`, "invalid_argument"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, answered := s.acme.post(t, "AppService/CreateApp", "application/json", strings.NewReader(c.body), nil)
			if response.StatusCode != http.StatusBadRequest || !strings.Contains(answered, c.code) {
				t.Errorf("got %d %s", response.StatusCode, answered)
			}
		})
	}
	response, _ := s.acme.post(t, "AppService/CreateApp", "text/plain", strings.NewReader("{}"), nil)
	if response.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain, as a cross-site form sends it: %d", response.StatusCode)
	}
	response, _ = s.acme.post(t, "AppService/Nothing", "application/json", strings.NewReader("{}"), nil)
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("an RPC that there is not: %d", response.StatusCode)
	}
}

// Nothing is changed by GET, and a browser on another site changes nothing at all.
func TestBrowsersOfOtherSites(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, procedure := range []string{"AppService/CreateApp", "TenantService/UpdateTenant", "ConfigService/Apply"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/sallyport.v1."+procedure+"?encoding=json&message={}", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := s.acme.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", procedure, response.StatusCode)
		}
	}
	for name, header := range map[string]http.Header{
		"cross-site": {"Sec-Fetch-Site": {"cross-site"}}, "same-site": {"Sec-Fetch-Site": {"same-site"}},
		"another origin": {"Origin": {"https://evil.example"}}, "origin null": {"Origin": {"null"}},
	} {
		response, answered := s.acme.post(t, "TenantService/UpdateTenant", "application/json", strings.NewReader(`{"tenant":{"name":"tenants/acme","displayName":"x"}}`), header)
		if response.StatusCode != http.StatusForbidden || !strings.Contains(answered, "CROSS_ORIGIN") {
			t.Errorf("%s: %d %s", name, response.StatusCode, answered)
		}
	}
}

func TestOversizedRequests(t *testing.T) {
	t.Parallel()
	s := setup(t)
	big := []byte(`{"parent": "` + strings.Repeat("a", 4<<20) + `"}`)
	for name, body := range map[string]io.Reader{"with a length": bytes.NewReader(big), "without": io.MultiReader(bytes.NewReader(big))} {
		response, answered := s.acme.post(t, "AppService/ListApps", "application/json", body, nil)
		if response.StatusCode != http.StatusTooManyRequests || !strings.Contains(answered, "resource_exhausted") || !strings.Contains(answered, "larger than") {
			t.Errorf("%s: %d %.300s", name, response.StatusCode, answered)
		}
	}
	a := s.acme.refuses(t, "AppService/ListApps", big, "resource_exhausted", "QUOTA")
	if metadata, _ := a.detail("ErrorInfo", "metadata").(object); metadata["limit"] != "4194304" || metadata["quota"] != "request-bytes" {
		t.Errorf("which limit: %s", a.body)
	}
	// Apply may be larger, up to its own limit.
	s.acme.refuses(t, "ConfigService/Apply", big, "invalid_argument", "FIELD_INVALID")
	s.acme.refuses(t, "ConfigService/Apply", bytes.Repeat([]byte(" "), 16<<20+1), "resource_exhausted", "QUOTA")

	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	for range 64 {
		_, _ = zip.Write(make([]byte, 1<<20))
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	response, answered := s.acme.post(t, "AppService/ListApps", "application/proto", &bomb, http.Header{"Content-Encoding": {"gzip"}})
	if response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("64 MiB of zeroes in %d bytes: %d %s", bomb.Len(), response.StatusCode, answered)
	}
	// A stranger's body is not even read.
	stranger := s.as("")
	response, _ = stranger.post(t, "ConfigService/Apply", "application/json", bytes.NewReader(big), nil)
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger's large request: %d", response.StatusCode)
	}
}

func TestRequestIDsOfTransport(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for sent, kept := range map[string]bool{"abc-1.2_X": true, "": false, strings.Repeat("a", 65): false, "a b": false, "a\tb": false, "ä": false} {
		header := http.Header{}
		if sent != "" {
			header.Set("X-Request-Id", sent)
		}
		response, _ := s.acme.post(t, "TenantService/GetTenant", "application/json", strings.NewReader(`{"name":"tenants/acme"}`), header)
		got := response.Header.Get("X-Request-Id")
		if got == "" || kept != (got == sent) {
			t.Errorf("sent %q, got %q", sent, got)
		}
		if response.Header.Get("Cache-Control") != "no-store" {
			t.Error("answers may be cached")
		}
	}
}

// What goes wrong inside says nothing but that it did, and the id to ask for.
func TestInternalErrorsAreNotTold(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.db.Close()
	_, err := s.acme.apps.ListApps(t.Context(), &v1.ListAppsRequest{Parent: "tenants/acme"})
	var e *connect.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	for _, told := range []string{"pool", "closed", "pgx", "postgres", "SQL"} {
		if strings.Contains(strings.ToLower(e.Error()), told) {
			t.Errorf("the error tells of %q: %v", told, e)
		}
	}
	if f := read(t, err); f.requestID == "" {
		t.Error("no request id to ask for")
	}
	stream, err := s.acme.audit.TailChanges(t.Context(), &v1.TailChangesRequest{Parent: "tenants/acme"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for stream.Receive() {
	}
	if err := stream.Err(); err == nil || strings.Contains(err.Error(), "pool") {
		t.Errorf("a stream ends with %v", err)
	}
}

func TestACallerThatLeaves(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.acme.apps.ListApps(ctx, &v1.ListAppsRequest{Parent: "tenants/acme"})
	if connect.CodeOf(err) != connect.CodeCanceled {
		t.Errorf("got %v", err)
	}
}
