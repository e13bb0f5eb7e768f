package rpc_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// everything is a tenant with a resource of every kind and every field that users write set, so that a test which edits
// fields one by one leaves none out.
func everything() []object {
	common := func(kind, name string, spec object) object {
		return with(spec, object{
			"@type": "type.googleapis.com/sallyport.v1." + kind, "name": name, "display_name": "The " + kind,
			"labels": object{"team": "a"}, "annotations": object{"note": "n"}, "managed_by": "test",
		})
	}
	return []object{
		common("Tenant", "tenants/acme", object{
			"auth_host": "auth.acme.test", "disabled": false,
			"session": object{"absolute_lifetime": "43200s", "idle_timeout": "3600s"},
		}),
		common("IdentityProvider", "tenants/acme/identityProviders/demo", object{
			"issuer": "http://localhost:5556", "allow_http_loopback": true,
			"client_id": "sallyport", "client_secret": "s3cret", "scopes": []any{"openid", "profile", "email"},
			"claims": object{"email": "email", "name": "name", "groups": "groups"}, "email_domains": []any{"acme.test", "acme.example"},
			"authorize_parameters": object{"hd": "acme.test"}, "disabled": false,
		}),
		common("Group", "tenants/acme/groups/engineering", object{"members": []any{
			object{"idp_group": object{"idp": "demo", "name": "engineering"}}, object{"user": "ann@acme.test"}, object{"service_account": "ci"},
		}}),
		common("Group", "tenants/acme/groups/all", object{"members": []any{object{"group": "engineering"}}}),
		common("Role", "tenants/acme/roles/reader", object{"operations": []any{"status", "read"}, "access": []any{"ACCESS_CLASS_READ", "ACCESS_CLASS_ADMIN"}}),
		common("ServiceAccount", "tenants/acme/serviceAccounts/ci", object{"description": "robot", "disabled": false}),
		common("Member", "tenants/acme/members/ann", object{"email": "ann@acme.test", "role": "ADMIN_ROLE_APP_MANAGER", "app_labels": object{"team": "a"}}),
		common("App", "tenants/acme/apps/api", object{
			"hosts": []any{"api.acme.test", "api2.acme.test"},
			"routes": []any{
				object{"path": "/**", "upstreams": []any{object{"url": "http://127.0.0.1:9002"}, object{"url": "https://up.example"}}, "timeout": "30s", "websocket": true},
				object{"path": "/v2/**", "upstreams": []any{object{"url": "https://v2.example:8443"}}},
			},
			"operations": []any{
				object{"id": "status", "methods": []any{"GET"}, "paths": []any{"/v1/status"}, "hosts": []any{"api.acme.test"}},
				object{"id": "read", "methods": []any{"GET"}, "paths": []any{"/v1/**", "/v2/**"}},
				object{"id": "write", "methods": []any{"POST", "PUT", "DELETE"}, "paths": []any{"/v1/**"}, "access": "ACCESS_CLASS_ADMIN"},
			},
			"upstream_identity": object{"headers": []any{"user", "email"}, "groups": []any{"engineering", "all"}},
			"disabled":          false, "allow_encoded_slash": true, "allow_semicolon": true, "merge_slashes": true, "cors_preflight": true,
			"upstream_authorization": "UPSTREAM_AUTHORIZATION_STRIP", "allowed_headers": []any{"X_Trace", "X_Other"},
			"websocket_origins": []any{"https://partner.example", "https://other.example"},
			"session":           object{"absolute_lifetime": "7200s", "idle_timeout": "600s"}, "max_staleness": "3600s", "session_store_grace": "1800s",
		}),
		common("Policy", "tenants/acme/policies/api", object{"apps": []any{"api"}, "rules": []any{
			object{
				"id": "readers", "effect": "EFFECT_ALLOW", "principals": []any{"group:engineering", "serviceAccount:ci"}, "roles": []any{"reader", "viewer"},
				"description": "d", "remediation": "r", "conditions": object{
					"source_cidrs": []any{"10.0.0.0/8", "192.0.2.0/24"}, "idps": []any{"demo"},
					"members_of": []any{"engineering", "all"}, "not_before": "2026-01-01T00:00:00Z", "not_after": "2030-01-01T00:00:00Z",
					"countries": []any{"DE", "unknown"}, "max_auth_age": "3600s", "required_acr": []any{"high", "higher"}, "required_amr": []any{"hwk", "pin"},
					"time_windows": []any{
						object{"days": []any{"DAY_OF_WEEK_MONDAY", "DAY_OF_WEEK_FRIDAY"}, "start": "08:00", "end": "18:00", "zone": "Europe/Berlin"},
						object{"start": "22:00", "end": "24:00", "zone": "UTC"},
					},
				},
				"expression": `request.method == "GET" || "engineering" in principal.groups`,
			},
			object{"id": "status", "effect": "EFFECT_ALLOW", "principals": []any{"anyone"}, "operations": []any{"status"}},
		}}),
		with(common("App", "tenants/acme/apps/tested", object{
			"hosts": []any{"tested.acme.test"}, "routes": []any{object{"path": "/**", "upstreams": []any{object{"url": "https://up.example"}}}},
		}), object{"labels": object{"team": "b"}}),
		common("Policy", "tenants/acme/policies/rail", object{
			"mode": "POLICY_MODE_ENFORCED",
			"selector": []any{
				object{"key": "team", "values": []any{"a", "c"}, "unset": "UNSET_LABEL_NO_MATCH"},
				object{"key": "tier", "values": []any{"prod"}},
			},
			"rules": []any{object{"id": "office", "effect": "EFFECT_REQUIRE", "principals": []any{"people"}, "operations": []any{"*"}, "conditions": object{"source_cidrs": []any{"10.0.0.0/8"}}}},
			"exemptions": []any{
				object{"id": "break-glass", "principals": []any{"group:all", "user:root@acme.test"}, "apps": []any{"api", "tested"}, "not_after": "2030-01-01T00:00:00Z", "description": "d"},
				object{"id": "robots", "principals": []any{"serviceAccount:ci"}},
			},
		}),
		common("Grant", "tenants/acme/grants/ann", object{
			"app": "api", "principals": []any{"user:ann@acme.test", "group:all"}, "roles": []any{"reader", "viewer"},
			"not_before": "2026-01-01T00:00:00Z", "not_after": "2030-01-01T00:00:00Z", "reason": "r",
		}),
		common("IdentityProvider", "tenants/acme/identityProviders/other", object{"issuer": "https://idp.example", "client_id": "sallyport"}),
		// What it expects no edit of another resource changes.
		common("PolicyTest", "tenants/acme/policyTests/tested", object{
			"principal": object{"user": object{
				"email": "ann@acme.test", "idp": "other", "claim_groups": []any{"a", "b"}, "auth_age": "60s", "acr": "high", "amr": []any{"hwk", "pin"},
			}},
			"request": object{"app": "tested", "method": "GET", "path": "/x", "source_ip": "192.0.2.1", "country": "DE", "time": "2026-01-01T00:00:00Z"},
			"expect":  object{"outcome": "OUTCOME_DENY", "reason": "deny.no_policy"},
		}),
	}
}

func apply(resources []object, more object) object {
	return with(object{"parent": "tenants/acme", "resources": resources}, more)
}

// deep copies an object by way of its JSON.
func deep[T any](v T) T {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var copied T
	if err := json.Unmarshal(data, &copied); err != nil {
		panic(err)
	}
	return copied
}

func (c *client) changes(t *testing.T) int {
	t.Helper()
	list, _ := c.must(t, "AuditService/ListChanges", object{"parent": "tenants/acme", "page_size": 500}).fields["changes"].([]any)
	return len(list)
}

func changedNames(a answer) []string {
	names := []string{}
	list, _ := a.fields["changes"].([]any)
	for _, c := range list {
		names = append(names, c.(object)["name"].(string))
	}
	return names
}

func TestApplyTwiceIsOneChange(t *testing.T) {
	t.Parallel()
	s := setup(t)
	first := s.acme.must(t, "ConfigService/Apply", apply(everything(), nil))
	if got := changedNames(first); len(got) != len(everything()) || !slices.IsSorted(got) {
		t.Errorf("changes: %v", got)
	}
	rows := s.acme.changes(t)
	for round := range 20 {
		again := deep(everything())
		shuffleLists(rand.New(rand.NewPCG(1, uint64(round))), again)
		rand.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		data, err := json.Marshal(apply(again, nil))
		if err != nil {
			t.Fatal(err)
		}
		respelled := strings.NewReplacer(`"3600s"`, `"3600.000s"`, `"30s"`, `"30.0s"`, `"2026-01-01T00:00:00Z"`, `"2026-01-01T01:00:00.000+01:00"`).Replace(string(data))
		a := s.acme.must(t, "ConfigService/Apply", []byte(respelled))
		if len(changedNames(a)) > 0 || a.text("revision") != first.text("revision") {
			t.Fatalf("round %d: %s", round, a.body)
		}
	}
	if got := s.acme.changes(t); got != rows {
		t.Errorf("%d change rows more", got-rows)
	}
	// Nor is there one if a secret is left out: it is kept.
	without := deep(everything())
	delete(without[1], "client_secret")
	if a := s.acme.must(t, "ConfigService/Apply", apply(without, nil)); a.text("revision") != first.text("revision") {
		t.Errorf("a secret that is not given is a change: %s", a.body)
	}
}

// shuffleLists shuffles every list in a value.
func shuffleLists(r *rand.Rand, value any) {
	switch v := value.(type) {
	case []object:
		for _, e := range v {
			shuffleLists(r, e)
		}
	case object:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			shuffleLists(r, v[k])
		}
	case []any:
		for _, e := range v {
			shuffleLists(r, e)
		}
		r.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
	}
}

func TestExportIsWhatApplyTakes(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.acme.must(t, "ConfigService/Apply", apply(everything(), nil))
	exported := s.acme.must(t, "ConfigService/Export", object{"parent": "tenants/acme"})
	for _, hidden := range []string{"s3cret", "clientSecret", `"uid"`, `"etag"`, "createTime"} {
		if strings.Contains(exported.body, hidden) {
			t.Errorf("the export has %s", hidden)
		}
	}
	list := exported.fields["resources"].([]any)
	again := s.acme.must(t, "ConfigService/Apply", object{"parent": "tenants/acme", "resources": list})
	if got := changedNames(again); len(got) > 0 {
		t.Errorf("applying the export changes %v", got)
	}
	// Byte for byte the same, as often as it is asked.
	binary := func() []byte {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(call(t, s.acme.configs.Export, &v1.ExportRequest{Parent: "tenants/acme"}))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	first := binary()
	for range 5 {
		if string(binary()) != string(first) {
			t.Fatal("two exports of one state differ")
		}
	}
	mine := s.acme.must(t, "ConfigService/Export", object{"parent": "tenants/acme", "managed_by": "test"})
	if n := len(mine.fields["resources"].([]any)); n != len(everything()) {
		t.Errorf("%d resources are managed by test, want %d", n, len(everything()))
	}
	// What is exported can be applied to nothing.
	s.acme.must(t, "ConfigService/Apply", object{"parent": "tenants/acme", "resources": []any{}, "prune": true, "managed_by": "test"})
	s.acme.must(t, "ConfigService/Apply", object{"parent": "tenants/acme", "resources": list})
	if diff := cmp.Diff(list, s.acme.must(t, "ConfigService/Export", object{"parent": "tenants/acme"}).fields["resources"]); diff != "" {
		t.Errorf("after losing and applying it again (-first +second):\n%s", diff)
	}
}

// edits is another value for each field of everything(), by resource and path. Paths into lists take the first element.
var edits = map[string]map[string]any{
	"tenants/acme": {"auth_host": "login.acme.test", "disabled": true, "session.absolute_lifetime": "43201s", "session.idle_timeout": "3601s"},
	"tenants/acme/identityProviders/demo": {
		"issuer": "http://127.0.0.1:5556", "allow_http_loopback": nil, "client_id": "other", "client_secret": "other",
		"scopes": []any{"openid"}, "claims.email": "mail", "claims.name": "nick", "claims.groups": "roles", "email_domains": []any{"acme.test"},
		"authorize_parameters": object{"hd": "x"}, "disabled": true,
	},
	"tenants/acme/groups/engineering": {"members": []any{object{"user": "bob@acme.test"}}},
	"tenants/acme/roles/reader":       {"operations": []any{"read"}, "access": []any{"ACCESS_CLASS_READ"}},
	"tenants/acme/serviceAccounts/ci": {"description": "other", "disabled": true},
	"tenants/acme/members/ann":        {"email": "bob@acme.test", "role": "ADMIN_ROLE_VIEWER", "app_labels": object{"team": "b"}},
	"tenants/acme/policies/api": {
		"apps": nil, "rules": nil, "rules.id": "renamed", "rules.effect": "EFFECT_DENY", "rules.principals": []any{"people"},
		"rules.roles": []any{"viewer"}, "rules.operations": nil, "rules.description": "other", "rules.remediation": "other",
		"rules.conditions.source_cidrs": []any{"10.0.0.0/8"}, "rules.conditions.idps": []any{"other"}, "rules.conditions.members_of": []any{"all"},
		"rules.conditions.not_before": "2026-01-01T00:00:01Z", "rules.conditions.not_after": "2030-01-01T00:00:01Z",
		"rules.conditions.countries": []any{"DE"}, "rules.conditions.max_auth_age": "3601s", "rules.conditions.required_acr": []any{"high"},
		"rules.conditions.required_amr": []any{"hwk"}, "rules.conditions.time_windows": nil, "rules.conditions.time_windows.days": []any{"DAY_OF_WEEK_MONDAY"},
		"rules.conditions.time_windows.start": "07:59", "rules.conditions.time_windows.end": "00:00", "rules.conditions.time_windows.zone": "Asia/Tokyo",
		"rules.conditions.device.managed": nil, "rules.conditions.device.compliant": nil, "rules.conditions.device.posture": nil, "rules.conditions.device.max_report_age": nil,
		"rules.expression": `request.method == "GET"`,
	},
	"tenants/acme/policies/rail": {
		"mode": "POLICY_MODE_SHADOW", "selector": nil, "selector.key": "region", "selector.values": []any{"a"}, "selector.unset": nil,
		"exemptions": nil, "exemptions.id": "renamed", "exemptions.principals": []any{"group:all"}, "exemptions.apps": []any{"api"},
		"exemptions.not_after": "2030-01-01T00:00:01Z", "exemptions.description": "other",
	},
	"tenants/acme/grants/ann": {
		"app": "tested", "principals": []any{"group:all"}, "roles": []any{"viewer"}, "operations": nil,
		"not_before": "2026-01-01T00:00:01Z", "not_after": "2030-01-01T00:00:01Z", "reason": "other",
	},
	"tenants/acme/policyTests/tested": {
		"principal.user.email": "bob@acme.test", "principal.user.idp": "demo", "principal.user.claim_groups": []any{"a"}, "principal.user.auth_age": "61s",
		"principal.user.acr": "low", "principal.user.amr": []any{"hwk"}, "principal.service_account": nil, "principal.anonymous": nil,
		"request.app": nil, "request.host": nil, "request.method": "HEAD", "request.path": "/y", "request.source_ip": "192.0.2.2", "request.country": "FR",
		"request.time": "2026-01-01T00:00:01Z", "expect.outcome": nil, "expect.reason": nil, "expect.policy": nil, "expect.rule": nil, "expect.grant": nil,
	},
	"tenants/acme/apps/api": {
		"hosts": []any{"api.acme.test"}, "routes": nil, "routes.path": "/v3/**", "routes.upstreams": []any{object{"url": "https://up.example"}},
		"routes.upstreams.url": "http://127.0.0.1:9003", "routes.websocket": nil, "routes.timeout": "31s",
		"operations": nil, "operations.id": nil, "operations.methods": []any{"HEAD"}, "operations.paths": []any{"/v1/health"}, "operations.hosts": []any{"api2.acme.test"},
		"operations.access": "ACCESS_CLASS_WRITE", "upstream_identity.headers": []any{"user"}, "upstream_identity.groups": []any{"all"},
		"disabled": true, "allow_encoded_slash": nil, "allow_semicolon": nil, "merge_slashes": nil, "cors_preflight": nil,
		"upstream_authorization": "UPSTREAM_AUTHORIZATION_PASS", "allowed_headers": []any{"X_Trace"}, "websocket_origins": []any{"https://other.example"},
		"session.absolute_lifetime": "7201s", "session.idle_timeout": "601s", "max_staleness": "3601s", "session_store_grace": "0s",
	},
}

// impossible are fields that cannot change alone: something else is then no longer sound, or nothing is left.
var impossible = map[string]string{
	"policies/api apps": "there is one app", "policies/api rules": "each of its fields is edited", "policies/api rules.operations": "the rule has roles",
	"policies/api rules.conditions.idps":           "there is one provider",
	"identityProviders/demo allow_http_loopback":   "its issuer is http",
	"policies/api rules.conditions.device.managed": "refused until devices are known", "policies/api rules.conditions.device.compliant": "the same",
	"policies/api rules.conditions.device.posture": "the same", "policies/api rules.conditions.device.max_report_age": "the same",
	"grants/ann operations": "the grant has roles", "grants/ann app": "the test is about the other app", "policies/rail selector": "nothing would be selected",
	"policyTests/tested principal.service_account": "it is a person", "policyTests/tested principal.anonymous": "it is a person",
	"policyTests/tested request.app": "another app decides otherwise", "policyTests/tested request.host": "the request has an app",
	"policyTests/tested expect.outcome": "it is decided otherwise", "policyTests/tested expect.policy": "no rule decides",
	"policyTests/tested expect.rule": "no rule decides", "policyTests/tested expect.grant": "no grant decides",
	"apps/api routes": "each of its fields is edited", "apps/api operations": "each of its fields is edited", "apps/api operations.id": "the policy names it",
}

// leaves returns the paths of all fields that users write of a message.
func leaves(d protoreflect.MessageDescriptor, at string) []string {
	var paths []string
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		name := string(f.Name())
		if at == "" && slices.Contains([]string{"name", "uid", "etag", "create_time", "update_time", "revision", "status"}, name) {
			continue
		}
		path := strings.TrimPrefix(at+"."+name, ".")
		if f.Message() != nil && !f.IsMap() && f.Message().ParentFile().Package() == "sallyport.v1" && f.Message().Name() != "GroupMember" {
			if f.IsList() {
				paths = append(paths, path)
			}
			paths = append(paths, leaves(f.Message(), path)...)
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

func TestEachFieldEditedChangesExactlyItsResource(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.acme.must(t, "ConfigService/Apply", apply(everything(), nil))
	for i, original := range everything() {
		name := original["name"].(string)
		byPath, ok := edits[name]
		if !ok {
			continue // the second group and app
		}
		kind := strings.TrimPrefix(original["@type"].(string), "type.googleapis.com/")
		file, err := descriptor(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range leaves(file, "") {
			edit, known := byPath[path]
			if at, ok := map[string]any{"labels": object{"team": "b"}, "annotations": object{"note": "m"}, "managed_by": "other", "display_name": "Other"}[path]; ok {
				edit, known = at, true
			}
			switch reason := impossible[strings.TrimPrefix(name, "tenants/acme/")+" "+path]; {
			case !known && editedElsewhere(name, path):
				continue
			case !known:
				t.Errorf("%s: nobody has said how to edit %s", name, path)
				continue
			case reason != "":
				continue
			}
			t.Run(fmt.Sprintf("%s %s", name, path), func(t *testing.T) {
				t.Parallel()
				edited := deep(everything())
				set(edited[i], strings.Split(path, "."), edit)
				a := s.acme.must(t, "ConfigService/Apply", apply(edited, object{"validate_only": true}))
				if diff := cmp.Diff([]string{name}, changedNames(a)); diff != "" {
					t.Fatalf("changed (-want +got):\n%s", diff)
				}
				fields := a.fields["changes"].([]any)[0].(object)["fields"].([]any)
				if len(fields) != 1 {
					t.Fatalf("fields that differ: %v", fields)
				}
				place := strings.NewReplacer("[0]", "", "[1]", "").Replace(fields[0].(string))
				if place != path && !strings.HasPrefix(path, place) && !strings.HasPrefix(place, path+".") {
					t.Errorf("says that %v differs", fields)
				}
			})
		}
	}
}

// editedElsewhere reports whether another resource of the kind edits a path: a policy has apps or a selector.
func editedElsewhere(name, path string) bool {
	collection := name[:strings.LastIndex(name, "/")+1]
	for other, byPath := range edits {
		if _, known := byPath[path]; known && strings.HasPrefix(other, collection) {
			return true
		}
	}
	return false
}

// set puts a value at a path; nil removes it. Lists are entered at their first element.
func set(value any, path []string, to any) {
	if list, ok := value.([]any); ok {
		set(list[0], path, to)
		return
	}
	o := value.(object)
	switch {
	case len(path) > 1:
		set(o[path[0]], path[1:], to)
	case to == nil:
		delete(o, path[0])
	default:
		o[path[0]] = to
	}
}

func TestASetIsAppliedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := setup(t)
	broken := deep(everything())
	set(broken[2], []string{"members", "idp_group", "idp"}, "dmo")
	broken[8]["rules"].([]any)[0].(object)["principals"] = []any{"group:enginering"}
	a := s.acme.refuses(t, "ConfigService/Apply", apply(broken, nil), "invalid_argument", "REFERENCE_NOT_FOUND")
	if diff := cmp.Diff([]string{"resources[2].members[0].idp_group.idp", "resources[8].rules[0].principals[0]"}, a.violated()); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
	if !strings.Contains(a.text("message"), `did you mean "demo"?`) {
		t.Errorf("no suggestion: %s", a.text("message"))
	}
	if list, _ := s.acme.must(t, "AppService/ListApps", object{"parent": "tenants/acme"}).fields["apps"].([]any); len(list) > 0 {
		t.Error("half of it was applied")
	}
	for name, c := range map[string]struct {
		spoil func([]object) []object
		field string
	}{
		"twice":            {func(all []object) []object { return append(all, all[3]) }, "resources[14].name"},
		"no name":          {func(all []object) []object { delete(all[4], "name"); return all }, "resources[4].name"},
		"another kind's":   {func(all []object) []object { all[4]["name"] = "tenants/acme/groups/x"; return all }, "resources[4].name"},
		"another tenant's": {func(all []object) []object { all[4]["name"] = "tenants/globex/roles/x"; return all }, "resources[4].name"},
		"id":               {func(all []object) []object { all[4]["name"] = "tenants/acme/roles/X"; return all }, "resources[4].name"},
		"no resource": {func(all []object) []object {
			return append(all, object{"@type": "type.googleapis.com/sallyport.v1.GetAppRequest", "name": "x"})
		}, "resources[14]"},
		"not for a tenant": {func(all []object) []object {
			return append(all, object{"@type": "type.googleapis.com/sallyport.v1.EdgePool", "name": "edgePools/x"})
		}, "resources[14]"},
		"a rule of the proto": {func(all []object) []object { all[1]["client_id"] = ""; return all }, "resources[1].client_id"},
		"a rule of the noun":  {func(all []object) []object { all[1]["scopes"] = []any{"email"}; return all }, "resources[1].scopes"},
		"an unknown field":    {func(all []object) []object { all[7]["host"] = []any{"x"}; return all }, "resources[7].host"},
		"an unknown effect": {func(all []object) []object {
			set(all[8], []string{"rules", "effect"}, "EFFECT_ALOW")
			return all
		}, "resources[8].rules[0].effect"},
		"operations that tie": {func(all []object) []object {
			all[7]["operations"] = append(all[7]["operations"].([]any), object{"id": "tie", "methods": []any{"GET"}, "paths": []any{"/v1/**"}})
			return all
		}, "resources[7].operations[3].paths[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := s.acme.send(t, "ConfigService/Apply", apply(c.spoil(deep(everything())), nil))
			if a.code() != "invalid_argument" || !slices.Contains(a.violated(), c.field) {
				t.Errorf("want a violation of %s, got %s", c.field, a.body)
			}
		})
	}
}

func TestPruneRemovesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.acme.must(t, "ConfigService/Apply", apply(everything(), object{"managed_by": "tool"}))
	s.acme.must(t, "RoleService/CreateRole", object{"parent": "tenants/acme", "role_id": "other", "role": object{"access": []any{"ACCESS_CLASS_READ"}, "managed_by": "other"}})
	s.acme.must(t, "RoleService/CreateRole", object{"parent": "tenants/acme", "role_id": "nobodys", "role": object{"access": []any{"ACCESS_CLASS_READ"}}})
	s.acme.refuses(t, "ConfigService/Apply", apply(nil, object{"prune": true}), "invalid_argument", "FIELD_REQUIRED")

	withoutPolicy := slices.Delete(deep(everything()), 8, 9)
	dry := s.acme.must(t, "ConfigService/Apply", apply(withoutPolicy, object{"managed_by": "tool", "prune": true, "validate_only": true}))
	a := s.acme.must(t, "ConfigService/Apply", apply(withoutPolicy, object{"managed_by": "tool", "prune": true}))
	if diff := cmp.Diff([]string{"tenants/acme/policies/api"}, changedNames(a)); diff != "" {
		t.Errorf("pruned (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(dry.fields["changes"], a.fields["changes"]); diff != "" {
		t.Errorf("the dry run said otherwise (-dry +real):\n%s", diff)
	}
	a = s.acme.must(t, "ConfigService/Apply", apply(nil, object{"managed_by": "tool", "prune": true}))
	for _, name := range changedNames(a) {
		if strings.HasPrefix(name, "tenants/acme/roles/") && name != "tenants/acme/roles/reader" || name == "tenants/acme" || name == "tenants/acme/members/owner" {
			t.Errorf("pruned %s, which is not its own", name)
		}
	}
	s.acme.must(t, "RoleService/GetRole", object{"name": "tenants/acme/roles/other"})
	s.acme.must(t, "RoleService/GetRole", object{"name": "tenants/acme/roles/nobodys"})
}

func TestApplyGuards(t *testing.T) {
	t.Parallel()
	s := setup(t)
	first := s.acme.must(t, "ConfigService/Apply", apply(everything(), object{"request_id": "a"}))
	again := s.acme.must(t, "ConfigService/Apply", apply(everything(), object{"request_id": "a"}))
	if diff := cmp.Diff(first.fields, again.fields); diff != "" {
		t.Errorf("a retry got another answer (-first +retry):\n%s", diff)
	}
	s.acme.refuses(t, "ConfigService/Apply", apply(nil, object{"request_id": "a"}), "invalid_argument", "REQUEST_ID_REUSED")

	role := "tenants/acme/roles/reader"
	etag := s.acme.must(t, "RoleService/GetRole", object{"name": role}).text("etag")
	edited := deep(everything())[4:5]
	edited[0]["display_name"] = "Other"
	s.acme.refuses(t, "ConfigService/Apply", apply(edited, object{"etags": object{role: "stale"}}), "aborted", "ETAG_STALE")
	s.acme.refuses(t, "ConfigService/Apply", apply(edited, object{"etags": object{"tenants/acme/roles/none": etag}}), "invalid_argument", "FIELD_INVALID")
	s.acme.must(t, "ConfigService/Apply", apply(edited, object{"etags": object{role: etag}}))
	s.acme.refuses(t, "ConfigService/Apply", apply(edited, object{"etags": object{role: etag}}), "aborted", "ETAG_STALE")
}

func TestApplyToThePlatform(t *testing.T) {
	t.Parallel()
	s := setup(t)
	pool := object{"@type": "type.googleapis.com/sallyport.v1.EdgePool", "name": "edgePools/eu", "tenants": []any{"acme", "globex"}}
	s.operator.must(t, "ConfigService/Apply", object{"parent": "platform", "resources": []any{pool}})
	pool["tenants"] = []any{"globex", "acme"}
	a := s.operator.must(t, "ConfigService/Apply", object{"parent": "platform", "resources": []any{pool}})
	if len(changedNames(a)) > 0 {
		t.Errorf("the order of tenants is a change: %s", a.body)
	}
	pool["tenants"] = []any{"acme", "globax"}
	a = s.operator.refuses(t, "ConfigService/Apply", object{"parent": "platform", "resources": []any{pool}}, "invalid_argument", "REFERENCE_NOT_FOUND")
	if diff := cmp.Diff([]string{"resources[0].tenants[1]"}, a.violated()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.acme.refuses(t, "ConfigService/Apply", object{"parent": "platform", "resources": []any{}}, "not_found", "NOT_FOUND")
	s.operator.must(t, "ConfigService/Export", object{"parent": "platform"})
	// An operator may write in any tenant, and that tenant's history says so.
	s.operator.must(t, "ConfigService/Apply", apply(everything()[4:5], nil))
	last := s.acme.must(t, "AuditService/ListChanges", object{"parent": "tenants/acme", "page_size": 1}).fields["changes"].([]any)[0].(object)
	if last["actorKind"] != "operator" || last["actor"] != "platform/members/op" || last["method"] != "sallyport.v1.ConfigService/Apply" {
		t.Errorf("an operator's change is told as %v", last)
	}
}
