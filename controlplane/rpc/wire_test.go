package rpc_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

// object is a message in JSON.
type object = map[string]any

// answer is what came back for a request in JSON.
type answer struct {
	status int
	body   string
	fields object
}

// code is connect's, "" for success.
func (a answer) code() string {
	if a.status == http.StatusOK {
		return ""
	}
	code, _ := a.fields["code"].(string)
	return code
}

// detail returns a field of the first detail of the type that has it.
func (a answer) detail(typeName, field string) any {
	details, _ := a.fields["details"].([]any)
	for _, d := range details {
		detail := d.(object)
		if detail["type"] == "google.rpc."+typeName {
			debug, _ := detail["debug"].(object)
			return debug[field]
		}
	}
	return nil
}

func (a answer) reason() string {
	reason, _ := a.detail("ErrorInfo", "reason").(string)
	return reason
}

// violated are the fields of the violations.
func (a answer) violated() []string {
	var fields []string
	list, _ := a.detail("BadRequest", "fieldViolations").([]any)
	for _, v := range list {
		fields = append(fields, v.(object)["field"].(string))
	}
	return fields
}

func (a answer) text(field string) string {
	text, _ := a.fields[field].(string)
	return text
}

// send makes a request in JSON. All have one request id, so that two answers can be compared byte for byte.
func (c *client) send(t testing.TB, procedure string, request any) answer {
	t.Helper()
	data, ok := request.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(request); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/sallyport.v1."+procedure, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Request-Id", "test")
	response, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode, body: string(body)}
	if err := json.Unmarshal(body, &a.fields); err != nil {
		t.Fatalf("%s answers %d %q", procedure, a.status, a.body)
	}
	return a
}

// must wants success.
func (c *client) must(t testing.TB, procedure string, request any) answer {
	t.Helper()
	a := c.send(t, procedure, request)
	if a.status != http.StatusOK {
		t.Fatalf("%s: %s", procedure, a.body)
	}
	return a
}

// refuses wants a reason.
func (c *client) refuses(t testing.TB, procedure string, request any, code, reason string) answer {
	t.Helper()
	a := c.send(t, procedure, request)
	if a.code() != code || a.reason() != reason {
		t.Fatalf("%s: want %s %s, got %d %s", procedure, code, reason, a.status, a.body)
	}
	return a
}

// with returns a copy of an object with more fields.
func with(o object, more object) object {
	o = maps.Clone(o)
	maps.Copy(o, more)
	return o
}

// sample is what the generic tests know of a kind.
type sample struct {
	kind     string // as in names of messages
	plural   string
	field    string // as in names of fields
	parent   string
	name     string // parent of names: what stands before the id
	platform bool
	valid    object // with {id} for the id
	edit     object // another valid state: fields to change
	editMask string
}

func (s sample) service() string { return s.kind + "Service/" }

func (s sample) body(id string) object { return fill(s.valid, id) }

// fill puts an id in place of {id}.
func fill(o object, id string) object {
	data, _ := json.Marshal(o)
	var filled object
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), "{id}", id)), &filled); err != nil {
		panic(err)
	}
	return filled
}

// samples has every kind with the generic five methods. Policies and grants name the app `base`, policy tests `alone`.
var samples = []sample{
	{
		kind: "IdentityProvider", plural: "IdentityProviders", field: "identity_provider", parent: "tenants/acme", name: "tenants/acme/identityProviders/",
		valid: object{"issuer": "https://idp.example", "client_id": "us"}, edit: object{"scopes": []any{"openid", "email"}}, editMask: "scopes",
	},
	{
		kind: "App", plural: "Apps", field: "app", parent: "tenants/acme", name: "tenants/acme/apps/",
		valid: object{"hosts": []any{"{id}.acme.test"}, "routes": []any{object{"path": "/**", "upstreams": []any{object{"url": "https://up.example"}}}}},
		edit:  object{"disabled": true}, editMask: "disabled",
	},
	{
		kind: "Role", plural: "Roles", field: "role", parent: "tenants/acme", name: "tenants/acme/roles/",
		valid: object{"access": []any{"ACCESS_CLASS_READ"}}, edit: object{"operations": []any{"invoices.*"}}, editMask: "operations",
	},
	{
		kind: "Group", plural: "Groups", field: "group", parent: "tenants/acme", name: "tenants/acme/groups/",
		valid: object{"members": []any{object{"user": "ann@acme.test"}}}, edit: object{"members": []any{object{"user": "bob@acme.test"}}}, editMask: "members",
	},
	{
		kind: "Policy", plural: "Policies", field: "policy", parent: "tenants/acme", name: "tenants/acme/policies/",
		valid: object{"apps": []any{"base"}, "rules": []any{object{"id": "r", "effect": "EFFECT_ALLOW", "principals": []any{"anyone"}, "operations": []any{"read"}}}},
		edit:  object{"rules": []any{object{"id": "r", "effect": "EFFECT_DENY", "principals": []any{"people"}, "operations": []any{"*"}}}}, editMask: "rules",
	},
	{
		kind: "ServiceAccount", plural: "ServiceAccounts", field: "service_account", parent: "tenants/acme", name: "tenants/acme/serviceAccounts/",
		valid: object{"description": "robot"}, edit: object{"disabled": true}, editMask: "disabled",
	},
	{
		kind: "Member", plural: "Members", field: "member", parent: "tenants/acme", name: "tenants/acme/members/",
		valid: object{"role": "ADMIN_ROLE_VIEWER"}, edit: object{"email": "ann@acme.test"}, editMask: "email",
	},
	{
		kind: "EdgePool", plural: "EdgePools", field: "edge_pool", parent: "", name: "edgePools/", platform: true,
		valid: object{"tenants": []any{"acme"}}, edit: object{"login": true}, editMask: "login",
	},
	{
		kind: "Tenant", plural: "Tenants", field: "tenant", parent: "", name: "tenants/", platform: true,
		valid: object{"auth_host": "auth.{id}.test"}, edit: object{"session": object{"idle_timeout": "600s"}}, editMask: "session",
	},
	{
		kind: "Grant", plural: "Grants", field: "grant", parent: "tenants/acme", name: "tenants/acme/grants/",
		valid: object{"app": "base", "principals": []any{"user:ann@acme.test"}, "operations": []any{"read"}, "not_after": "2030-01-01T00:00:00Z"},
		edit:  object{"not_before": "2026-01-01T00:00:00Z"}, editMask: "not_before",
	},
	{
		kind: "PolicyTest", plural: "PolicyTests", field: "policy_test", parent: "tenants/acme", name: "tenants/acme/policyTests/",
		valid: object{"principal": object{"anonymous": true}, "request": object{"app": "alone"}, "expect": object{"outcome": "OUTCOME_DENY"}},
		edit:  object{"expect": object{"outcome": "OUTCOME_DENY", "reason": "deny.no_policy"}}, editMask: "expect",
	},
}

// whom returns the client that may write the kind.
func (s *service) whom(k sample) *client {
	if k.platform {
		return s.operator
	}
	return s.acme
}

// base makes the app that policies and grants name, and one that only policy tests do.
func (s *service) base(t testing.TB) {
	for _, id := range []string{"base", "alone"} {
		s.acme.must(t, "AppService/CreateApp", object{
			"parent": "tenants/acme", "app_id": id,
			"app": object{"hosts": []any{id + ".acme.test"}, "routes": []any{object{"path": "/**", "upstreams": []any{object{"url": "https://up.example"}}}}},
		})
	}
}

// descriptor finds a message.
func descriptor(name string) (protoreflect.MessageDescriptor, error) {
	found, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return nil, err
	}
	return found.Descriptor(), nil
}

// pack makes what Apply takes.
func pack(t testing.TB, messages ...proto.Message) []*anypb.Any {
	t.Helper()
	var packed []*anypb.Any
	for _, m := range messages {
		p, err := anypb.New(m)
		if err != nil {
			t.Fatal(err)
		}
		packed = append(packed, p)
	}
	return packed
}
