package rpc_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

func typed(kind, name string, spec object) object {
	return with(spec, object{"@type": "type.googleapis.com/sallyport.v1." + kind, "name": "tenants/acme/" + name})
}

func appWith(id string, labels object) object {
	return typed("App", "apps/"+id, object{
		"hosts": []any{id + ".acme.test"}, "routes": []any{object{"path": "/**", "upstreams": []any{object{"url": "https://up.example"}}}}, "labels": labels,
	})
}

// officeRail is a guard-rail: whoever is in reach of it comes from the office.
func officeRail(selector ...any) object {
	return typed("Policy", "policies/office", object{
		"selector": selector,
		"rules": []any{
			object{"id": "network", "effect": "EFFECT_REQUIRE", "principals": []any{"people"}, "operations": []any{"*"}, "conditions": object{"source_cidrs": []any{"10.0.0.0/8"}}},
			object{"id": "robots", "effect": "EFFECT_DENY", "principals": []any{"serviceAccounts"}, "operations": []any{"write"}},
		},
	})
}

func prod() object {
	return object{"key": "tier", "values": []any{"prod"}, "unset": "UNSET_LABEL_NO_MATCH"}
}

// Who may not write a guard-rail neither makes one, nor edits one, nor moves an app out of the reach of one.
func TestGuardRailsAreNotForAppManagers(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.acme.must(t, "ConfigService/Apply", apply([]object{
		appWith("mine", object{"team": "a", "tier": "prod", "colour": "red"}), appWith("base", nil), officeRail(prod()),
	}, nil))
	manager := s.member(t, s.acme, "tenants/acme", "manager", controlplane.AppManager, map[string]string{"team": "a"})
	s.member(t, s.acme, "tenants/acme", "other", controlplane.AppManager, map[string]string{"owner": "b"})
	own := object{"apps": []any{"mine"}, "rules": []any{object{"id": "r", "effect": "EFFECT_ALLOW", "principals": []any{"people"}, "operations": []any{"read"}}}}
	manager.must(t, "PolicyService/CreatePolicy", object{"parent": "tenants/acme", "policy_id": "mine", "policy": own})
	manager.must(t, "GrantService/CreateGrant", object{"parent": "tenants/acme", "grant_id": "mine", "grant": object{
		"app": "mine", "principals": []any{"people"}, "operations": []any{"read"}, "not_after": "2100-01-01T00:00:00Z",
	}})
	rail := officeRail(prod())
	denied := func(what, procedure string, request object) {
		t.Helper()
		a := manager.send(t, procedure, request)
		if a.code() != "permission_denied" || a.reason() != "ROLE_REQUIRED" {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	denied("a guard-rail is made", "PolicyService/CreatePolicy", object{"parent": "tenants/acme", "policy_id": "mine-too", "policy": object{"selector": rail["selector"], "rules": rail["rules"]}})
	denied("a policy becomes one", "PolicyService/UpdatePolicy", object{"policy": object{"name": "tenants/acme/policies/mine", "selector": rail["selector"], "rules": rail["rules"]}, "update_mask": "selector,rules,apps"})
	denied("one becomes a policy", "PolicyService/UpdatePolicy", object{"policy": object{"name": "tenants/acme/policies/office", "apps": []any{"mine"}}, "update_mask": "selector,apps"})
	denied("one is only reported", "PolicyService/UpdatePolicy", object{"policy": object{"name": "tenants/acme/policies/office", "mode": "POLICY_MODE_SHADOW"}})
	denied("one spares somebody", "PolicyService/UpdatePolicy", object{"policy": object{"name": "tenants/acme/policies/office", "exemptions": []any{object{"id": "me", "principals": []any{"people"}}}}})
	denied("one goes", "PolicyService/DeletePolicy", object{"name": "tenants/acme/policies/office"})
	denied("a policy test", "PolicyTestService/CreatePolicyTest", object{"parent": "tenants/acme", "policy_test_id": "x", "policy_test": object{
		"principal": object{"anonymous": true}, "request": object{"app": "mine"}, "expect": object{"outcome": "OUTCOME_AUTHENTICATE"},
	}})
	denied("a grant elsewhere", "GrantService/UpdateGrant", object{"grant": object{"name": "tenants/acme/grants/mine", "app": "base"}})
	denied("force", "ConfigService/Apply", apply([]object{appWith("mine", object{"team": "a", "tier": "prod", "colour": "blue"})}, object{"force_reason": "why not"}))

	labels := func(what string, to object, governed string) {
		t.Helper()
		a := manager.send(t, "AppService/UpdateApp", object{"app": object{"name": "tenants/acme/apps/mine", "labels": to}, "update_mask": "labels", "validate_only": true})
		metadata, _ := a.detail("ErrorInfo", "metadata").(object)
		switch {
		case governed == "" && a.code() != "":
			t.Errorf("%s: %s", what, a.body)
		case governed != "" && (a.reason() != "ROLE_REQUIRED" || metadata["label"] != governed || metadata["governed_by"] == nil):
			t.Errorf("%s: %s", what, a.body)
		}
	}
	labels("a label that nothing selects by", object{"team": "a", "tier": "prod", "colour": "blue", "size": "xl"}, "")
	labels("one changed that a guard-rail selects by", object{"team": "a", "tier": "test", "colour": "red"}, "tier")
	labels("one taken away", object{"team": "a", "colour": "red"}, "tier")
	labels("one that another manager's role selects by", object{"team": "a", "tier": "prod", "colour": "red", "owner": "b"}, "owner")

	create := func(what string, labels object, governed bool) {
		t.Helper()
		a := manager.send(t, "ConfigService/Apply", apply([]object{appWith("new", labels)}, object{"validate_only": true}))
		if governed != (a.reason() == "ROLE_REQUIRED") || !governed && a.code() != "" {
			t.Errorf("an app is made with %s: %s", what, a.body)
		}
	}
	create("the manager's own label", object{"team": "a"}, false)
	create("a label that nothing selects by", object{"team": "a", "colour": "blue"}, false)
	create("one that a guard-rail selects by", object{"team": "a", "tier": "test"}, true)
	create("one of another manager's", object{"team": "a", "owner": "b"}, true)
	// The manager may let the app go, labels and all; and who may write guard-rails may do all of it.
	s.acme.must(t, "AppService/UpdateApp", object{"app": object{"name": "tenants/acme/apps/mine", "labels": object{"team": "a", "tier": "test", "owner": "b"}}, "update_mask": "labels"})
	s.acme.must(t, "PolicyService/DeletePolicy", object{"name": "tenants/acme/policies/office"})
	labels("a label that no guard-rail selects by any more", object{"team": "a", "owner": "b"}, "")
}

// An app manager says what requests are which operations, but takes none out from under what others wrote by it.
func TestOperationsStayUnderGuardRails(t *testing.T) { //nolint:tparallel // all of one tenant
	t.Parallel()
	s := setup(t)
	app := func(id, host string, labels object, operations ...any) object {
		return with(appWith(id, labels), object{"hosts": []any{host}, "operations": append(operations, object{"id": "use", "methods": []any{"*"}, "paths": []any{"/**"}})})
	}
	admin := func(more object) object {
		return with(object{"id": "admin", "methods": []any{"*"}, "paths": []any{"/admin/**"}, "access": "ACCESS_CLASS_ADMIN"}, more)
	}
	deny := func(id string, attached, more object) object {
		return typed("Policy", "policies/"+id, with(attached, object{"rules": []any{with(object{"id": "no", "effect": "EFFECT_DENY", "principals": []any{"people"}}, more)}}))
	}
	mine, both := object{"team": "a", "tier": "prod"}, object{"apps": []any{"mine", "base"}}
	rail := object{"selector": []any{prod()}}
	manager := s.member(t, s.acme, "tenants/acme", "manager", controlplane.AppManager, map[string]string{"team": "a"})
	for name, c := range map[string]struct {
		rule    object
		changed []object
		refused bool
	}{
		"renamed":          {deny("p", rail, object{"operations": []any{"admin"}}), []object{app("mine", "mine.acme.test", mine, admin(object{"id": "administer"}))}, true},
		"of another class": {deny("p", rail, object{"roles": []any{"dangerous"}}), []object{app("mine", "mine.acme.test", mine, admin(object{"access": "ACCESS_CLASS_READ"}))}, true},
		"split":            {deny("p", rail, object{"operations": []any{"admin"}}), []object{app("mine", "mine.acme.test", mine, admin(nil), object{"id": "export", "methods": []any{"GET"}, "paths": []any{"/admin/export"}})}, true},
		"more elsewhere":   {deny("p", rail, object{"operations": []any{"admin"}}), []object{app("mine", "mine.acme.test", mine, admin(nil), object{"id": "export", "methods": []any{"GET"}, "paths": []any{"/export"}})}, false},
		"still denied":     {deny("p", rail, object{"operations": []any{"*"}}), []object{app("mine", "mine.acme.test", mine, admin(object{"id": "administer"}))}, false},
		"asked by name":    {deny("p", rail, object{"operations": []any{"*"}, "expression": `request . operation == "admin"`}), []object{app("mine", "mine.acme.test", mine, admin(object{"id": "administer"}))}, true},
		"of two apps":      {deny("p", both, object{"operations": []any{"admin"}}), []object{app("mine", "mine.acme.test", mine, admin(object{"id": "administer"}))}, true},
		"its own policy": {
			deny("p", object{"apps": []any{"mine"}}, object{"operations": []any{"admin"}}),
			[]object{app("mine", "mine.acme.test", mine, admin(object{"id": "administer"})), deny("p", object{"apps": []any{"mine"}}, object{"operations": []any{"administer"}})},
			false,
		},
		"its host moves": {
			deny("p", rail, object{"operations": []any{"*"}}),
			[]object{app("mine", "old.acme.test", mine, admin(nil)), app("new", "mine.acme.test", object{"team": "a"}, admin(nil))},
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.acme.must(t, "ConfigService/Apply", apply([]object{
				typed("Role", "roles/dangerous", object{"access": []any{"ACCESS_CLASS_ADMIN"}}),
				app("mine", "mine.acme.test", mine, admin(nil)), app("base", "base.acme.test", nil, admin(nil)), c.rule,
			}, nil))
			a := manager.send(t, "ConfigService/Apply", apply(c.changed, object{"validate_only": true}))
			metadata, _ := a.detail("ErrorInfo", "metadata").(object)
			if c.refused && (a.reason() != "ROLE_REQUIRED" || metadata["governed_by"] != "tenants/acme/policies/p") || !c.refused && a.code() != "" {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if told := s.acme.must(t, "ConfigService/Apply", apply(c.changed, object{"validate_only": true})); c.refused != (len(losses(told.fields)) > 0) {
				t.Errorf("whoever may is told %v", losses(told.fields))
			}
			s.acme.must(t, "PolicyService/DeletePolicy", object{"name": "tenants/acme/policies/p"})
		})
	}
}

// losses are what an answer says of reach that is lost: policy cause apps, exemptions and rules.
func losses(a object) []string {
	var told []string
	list, _ := a["lostReach"].([]any)
	for _, l := range list {
		loss := l.(object)
		text := strings.TrimPrefix(loss["policy"].(string), "tenants/acme/policies/") + " " + strings.TrimPrefix(loss["cause"].(string), "CAUSE_")
		for _, field := range []string{"apps", "exemptions", "rules"} {
			names, _ := loss[field].([]any)
			for _, name := range names {
				text += " " + strings.TrimPrefix(name.(string), "tenants/acme/apps/")
			}
		}
		if example, ok := loss["example"].(string); ok {
			text += " " + example
		}
		told = append(told, text)
	}
	return told
}

func TestLostReach(t *testing.T) {
	t.Parallel()
	exempting := func(exemptions ...any) object { return with(officeRail(prod()), object{"exemptions": exemptions}) }
	breakGlass := func(more object) object {
		return with(object{"id": "break-glass", "principals": []any{"user:root@acme.test"}, "apps": []any{"a"}, "not_after": "2050-01-01T00:00:00Z"}, more)
	}
	rails := officeRail(prod())
	rule := func(more object) object {
		rules := rails["rules"].([]any)
		return with(rails, object{"rules": []any{rules[0], with(rules[1].(object), more)}})
	}
	network := func(networks ...any) object {
		rules := rails["rules"].([]any)
		return with(rails, object{"rules": []any{with(rules[0].(object), object{"conditions": object{"source_cidrs": networks}}), rules[1]}})
	}
	operations := func(app string, ids ...string) object {
		list := []any{}
		for n, id := range ids {
			op := object{"id": id, "methods": []any{"*", "WEBSOCKET"}, "paths": []any{"/**"}}
			if n == 0 {
				op["methods"] = []any{"GET"}
			} else if n > 1 {
				op["paths"] = []any{"/" + id}
			}
			list = append(list, op)
		}
		return with(appWith(app, object{"tier": "prod", "colour": "red"}), object{"operations": list})
	}
	for name, c := range map[string]struct {
		before, after []object
		remove        string // a name, instead of after
		want          []string
	}{
		"nothing":            {nil, []object{appWith("a", object{"tier": "prod", "colour": "blue"})}, "", nil},
		"a label":            {nil, []object{appWith("a", object{"tier": "test"})}, "", []string{"office LABELS a"}},
		"labels":             {nil, []object{appWith("a", nil), appWith("b", object{"tier": "x"}), appWith("c", object{"tier": "prod"})}, "", []string{"office LABELS a b"}},
		"more reach":         {nil, []object{appWith("c", object{"tier": "prod"})}, "", nil},
		"a new app":          {nil, []object{appWith("d", object{"tier": "test"})}, "", nil},
		"an app that goes":   {nil, nil, "AppService/DeleteApp tenants/acme/apps/a", nil},
		"it goes":            {nil, nil, "PolicyService/DeletePolicy tenants/acme/policies/office", []string{"office DELETED a b"}},
		"shadow":             {nil, []object{with(rails, object{"mode": "POLICY_MODE_SHADOW"})}, "", []string{"office SHADOW a b"}},
		"from shadow":        {[]object{with(rails, object{"mode": "POLICY_MODE_SHADOW"})}, []object{rails}, "", nil},
		"gone from shadow":   {[]object{with(rails, object{"mode": "POLICY_MODE_SHADOW"})}, nil, "PolicyService/DeletePolicy tenants/acme/policies/office", nil},
		"another value":      {nil, []object{officeRail(object{"key": "tier", "values": []any{"test"}, "unset": "UNSET_LABEL_NO_MATCH"})}, "", []string{"office SELECTOR a b"}},
		"one value more":     {nil, []object{officeRail(object{"key": "tier", "values": []any{"prod", "test"}, "unset": "UNSET_LABEL_NO_MATCH"})}, "", nil},
		"one key more":       {nil, []object{officeRail(prod(), object{"key": "colour", "values": []any{"red"}})}, "", []string{"office SELECTOR b"}},
		"named instead":      {nil, []object{with(typed("Policy", "policies/office", object{"rules": rails["rules"]}), object{"apps": []any{"a"}})}, "", []string{"office SELECTOR b"}},
		"selector and label": {nil, []object{officeRail(prod(), object{"key": "colour", "values": []any{"red"}}), appWith("a", object{"tier": "test", "colour": "red"})}, "", []string{"office LABELS a", "office SELECTOR b"}},
		"a rule goes":        {nil, []object{with(rails, object{"rules": rails["rules"].([]any)[:1]})}, "", []string{"office RULES a b robots"}},
		"an exemption":       {nil, []object{exempting(breakGlass(nil))}, "", []string{"office EXEMPTION a break-glass"}},
		"one for everywhere": {nil, []object{exempting(breakGlass(object{"apps": nil}))}, "", []string{"office EXEMPTION a b break-glass"}},
		"one goes":           {[]object{exempting(breakGlass(nil))}, []object{rails}, "", nil},
		"one ends sooner":    {[]object{exempting(breakGlass(nil))}, []object{exempting(breakGlass(object{"not_after": "2040-01-01T00:00:00Z"}))}, "", nil},
		"one ends later":     {[]object{exempting(breakGlass(nil))}, []object{exempting(breakGlass(object{"not_after": "2060-01-01T00:00:00Z"}))}, "", []string{"office EXEMPTION a break-glass"}},
		"one ends never":     {[]object{exempting(breakGlass(nil))}, []object{exempting(breakGlass(object{"not_after": nil}))}, "", []string{"office EXEMPTION a break-glass"}},
		"principals fewer":   {nil, []object{rule(object{"principals": []any{"user:ann@acme.test"}})}, "", []string{"office RULES a b robots"}},
		"principals more":    {nil, []object{rule(object{"principals": []any{"authenticated"}})}, "", nil},
		"no such operation":  {nil, []object{rule(object{"operations": []any{"nonsense"}})}, "", []string{"office RULES a b robots"}},
		"more operations":    {nil, []object{rule(object{"operations": []any{"*"}})}, "", nil},
		"never":              {nil, []object{rule(object{"expression": "1 == 2"})}, "", []string{"office RULES a b robots"}},
		"it only requires":   {nil, []object{rule(object{"effect": "EFFECT_REQUIRE", "expression": "1 == 1"})}, "", []string{"office RULES a b robots"}},
		"more networks":      {nil, []object{network("10.0.0.0/8", "0.0.0.0/0")}, "", []string{"office RULES a b network"}},
		"fewer networks":     {[]object{network("10.0.0.0/8", "192.0.2.0/24")}, []object{rails}, "", nil},
		"operations renamed": {nil, []object{operations("a", "read", "change")}, "", []string{"office OPERATIONS a robots POST a.acme.test/"}},
		"operations split":   {nil, []object{operations("a", "read", "write", "other")}, "", []string{"office OPERATIONS a robots POST a.acme.test/other"}},
		"operations alike":   {nil, []object{operations("a", "read", "write")}, "", nil},
		"both renamed":       {nil, []object{operations("a", "read", "change"), rule(object{"operations": []any{"write", "change"}})}, "", nil},
		"a host":             {nil, []object{with(appWith("a", object{"tier": "prod"}), object{"hosts": []any{"a2.acme.test"}}), with(appWith("c", object{"tier": "test"}), object{"hosts": []any{"a.acme.test"}})}, "", []string{"office HOSTS c a.acme.test"}},
		"a host in reach":    {nil, []object{with(appWith("a", object{"tier": "prod"}), object{"hosts": []any{"a2.acme.test"}}), with(appWith("b", object{"tier": "prod"}), object{"hosts": []any{"a.acme.test"}})}, "", nil},
		"one for more":       {[]object{exempting(breakGlass(nil))}, []object{exempting(breakGlass(object{"principals": []any{"user:root@acme.test", "people"}}))}, "", []string{"office EXEMPTION a break-glass"}},
		"one for others":     {[]object{exempting(breakGlass(nil))}, []object{exempting(breakGlass(object{"description": "x"}))}, "", nil},
		"one in more apps":   {[]object{exempting(breakGlass(nil))}, []object{exempting(breakGlass(object{"apps": []any{"a", "b"}}))}, "", []string{"office EXEMPTION a b break-glass"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			s.acme.must(t, "ConfigService/Apply", apply([]object{
				appWith("a", object{"tier": "prod", "colour": "red"}), appWith("b", object{"tier": "prod", "colour": "blue"}), appWith("c", object{"tier": "test"}), rails,
			}, nil))
			s.acme.must(t, "ConfigService/Apply", apply(c.before, nil))
			if c.remove == "" {
				dry := s.acme.must(t, "ConfigService/Apply", apply(c.after, object{"validate_only": true}))
				applied := s.acme.must(t, "ConfigService/Apply", apply(c.after, nil))
				if diff := cmp.Diff(c.want, losses(dry.fields)); diff != "" {
					t.Errorf("dry run (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(c.want, losses(applied.fields)); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
			} else {
				procedure, name, _ := strings.Cut(c.remove, " ")
				s.acme.must(t, procedure, object{"name": name})
			}
			last := s.acme.must(t, "AuditService/ListChanges", object{"parent": "tenants/acme", "page_size": 1}).fields["changes"].([]any)[0].(object)
			if diff := cmp.Diff(c.want, losses(last)); diff != "" {
				t.Errorf("audit (-want +got):\n%s", diff)
			}
		})
	}
}

// A policy test stops whatever would have it decided otherwise, by whichever way it is written, and nothing else.
func TestPolicyTestsStopChanges(t *testing.T) { //nolint:tparallel // all of one tenant, which none may change
	t.Parallel()
	s := setup(t)
	test := func(id string, who, what, expect object) object {
		return typed("PolicyTest", "policyTests/"+id, object{"principal": who, "request": what, "expect": expect})
	}
	person := func(more object) object {
		return object{"user": with(object{"email": "ann@acme.test", "idp": "demo"}, more)}
	}
	s.acme.must(t, "ConfigService/Apply", apply([]object{
		typed("IdentityProvider", "identityProviders/demo", object{"issuer": "https://idp.example", "client_id": "us", "email_domains": []any{"acme.test"}}),
		typed("ServiceAccount", "serviceAccounts/ci", object{}),
		typed("Group", "groups/staff", object{"members": []any{object{"user": "ann@acme.test"}, object{"idp_group": object{"idp": "demo", "name": "eng"}}}}),
		typed("Role", "roles/reader", object{"access": []any{"ACCESS_CLASS_READ"}}),
		appWith("api", object{"tier": "prod"}), appWith("other", nil), officeRail(prod()),
		typed("Policy", "policies/api", object{"apps": []any{"api"}, "rules": []any{
			object{"id": "staff", "effect": "EFFECT_ALLOW", "principals": []any{"group:staff"}, "roles": []any{"reader"}},
			object{"id": "robots", "effect": "EFFECT_ALLOW", "principals": []any{"serviceAccount:ci"}, "operations": []any{"read"}},
		}}),
		typed("Grant", "grants/night", object{"app": "api", "principals": []any{"user:bob@acme.test"}, "operations": []any{"write"}, "not_after": "2030-01-01T00:00:00Z"}),
		test("staff", person(nil), object{"app": "api", "source_ip": "10.1.2.3"}, object{"outcome": "OUTCOME_ALLOW", "reason": "allow.rule", "policy": "api", "rule": "staff"}),
		test("eng", person(object{"email": "eve@acme.test", "claim_groups": []any{"eng"}}), object{"host": "api.acme.test", "method": "HEAD", "path": "/x", "source_ip": "10.1.2.3"}, object{"outcome": "OUTCOME_ALLOW"}),
		test("elsewhere", person(nil), object{"app": "api", "source_ip": "192.0.2.1"}, object{"outcome": "OUTCOME_DENY", "reason": "require.network", "policy": "office"}),
		test("robots", object{"service_account": "ci"}, object{"app": "api", "source_ip": "192.0.2.1"}, object{"outcome": "OUTCOME_ALLOW"}),
		test("strangers", object{"anonymous": true}, object{"app": "api"}, object{"outcome": "OUTCOME_AUTHENTICATE"}),
		test("night", person(object{"email": "bob@acme.test"}), object{"app": "api", "method": "POST", "source_ip": "10.1.2.3", "time": "2029-01-01T00:00:00Z"}, object{"outcome": "OUTCOME_ALLOW", "grant": "night"}),
		test("morning", person(object{"email": "bob@acme.test"}), object{"app": "api", "method": "POST", "source_ip": "10.1.2.3", "time": "2031-01-01T00:00:00Z"}, object{"outcome": "OUTCOME_DENY", "reason": "deny.no_rule"}),
		test("dots", object{"anonymous": true}, object{"app": "api", "path": "/a/../b"}, object{"outcome": "OUTCOME_DENY", "reason": "request.ambiguous_path"}),
	}, nil))
	revision := s.acme.must(t, "RevisionService/GetRevision", object{"parent": "tenants/acme"}).text("config")

	for name, c := range map[string]struct {
		procedure string
		request   object
		failing   []string
	}{
		"a rule is edited": {"PolicyService/UpdatePolicy", object{"policy": object{"name": "tenants/acme/policies/api", "rules": []any{
			object{"id": "staff", "effect": "EFFECT_ALLOW", "principals": []any{"people"}, "roles": []any{"reader"}},
		}}}, []string{"robots"}},
		"a guard-rail goes":    {"PolicyService/DeletePolicy", object{"name": "tenants/acme/policies/office"}, []string{"elsewhere"}},
		"a guard-rail shadows": {"PolicyService/UpdatePolicy", object{"policy": object{"name": "tenants/acme/policies/office", "mode": "POLICY_MODE_SHADOW"}}, []string{"elsewhere"}},
		"a policy is new": {"PolicyService/CreatePolicy", object{"parent": "tenants/acme", "policy_id": "no", "policy": object{"apps": []any{"api"}, "rules": []any{
			object{"id": "no", "effect": "EFFECT_DENY", "principals": []any{"serviceAccounts"}, "operations": []any{"*"}},
		}}}, []string{"robots"}},
		"a role":        {"RoleService/UpdateRole", object{"role": object{"name": "tenants/acme/roles/reader", "access": []any{"ACCESS_CLASS_ADMIN"}}}, []string{"eng", "staff"}},
		"a group":       {"GroupService/UpdateGroup", object{"group": object{"name": "tenants/acme/groups/staff", "members": []any{object{"user": "eve@acme.test"}}}}, []string{"staff"}},
		"an app":        {"AppService/UpdateApp", object{"app": object{"name": "tenants/acme/apps/api", "disabled": true}}, []string{"elsewhere", "eng", "morning", "night", "robots", "staff", "strangers"}},
		"its labels":    {"AppService/UpdateApp", object{"app": object{"name": "tenants/acme/apps/api"}, "update_mask": "labels"}, []string{"elsewhere"}},
		"its hosts":     {"AppService/UpdateApp", object{"app": object{"name": "tenants/acme/apps/api", "hosts": []any{"api2.acme.test"}}}, []string{"eng"}},
		"a grant":       {"GrantService/UpdateGrant", object{"grant": object{"name": "tenants/acme/grants/night", "not_after": "2028-01-01T00:00:00Z"}}, []string{"night"}},
		"it goes":       {"GrantService/DeleteGrant", object{"name": "tenants/acme/grants/night"}, []string{"night"}},
		"a provider":    {"IdentityProviderService/UpdateIdentityProvider", object{"identity_provider": object{"name": "tenants/acme/identityProviders/demo", "disabled": true}}, []string{"elsewhere", "eng", "morning", "night", "staff"}},
		"its domains":   {"IdentityProviderService/UpdateIdentityProvider", object{"identity_provider": object{"name": "tenants/acme/identityProviders/demo", "email_domains": []any{"acme.example"}}}, []string{"night", "staff"}},
		"an account":    {"ServiceAccountService/UpdateServiceAccount", object{"service_account": object{"name": "tenants/acme/serviceAccounts/ci", "disabled": true}}, []string{"robots"}},
		"a test":        {"PolicyTestService/UpdatePolicyTest", object{"policy_test": object{"name": "tenants/acme/policyTests/strangers", "expect": object{"outcome": "OUTCOME_DENY"}}}, []string{"strangers"}},
		"another test":  {"PolicyTestService/CreatePolicyTest", object{"parent": "tenants/acme", "policy_test_id": "new", "policy_test": object{"principal": object{"anonymous": true}, "request": object{"host": "nobody.acme.test"}, "expect": object{"outcome": "OUTCOME_DENY"}}}, []string{"new"}},
		"nothing of it": {"AppService/UpdateApp", object{"app": object{"name": "tenants/acme/apps/other", "disabled": true}, "validate_only": true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.acme.send(t, c.procedure, c.request)
			if c.failing == nil {
				if a.code() != "" {
					t.Errorf("it is stopped: %s", a.body)
				}
				return
			}
			if a.code() != "failed_precondition" || a.reason() != "POLICY_TEST_FAILED" || !strings.Contains(a.text("message"), "tenants/acme/policyTests/"+c.failing[0]+" fails: ") {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			var failing []string
			list, _ := a.detail("PreconditionFailure", "violations").([]any)
			for _, v := range list {
				violation := v.(object)
				failing = append(failing, strings.TrimPrefix(violation["subject"].(string), "tenants/acme/policyTests/"))
				if violation["type"] != "POLICY_TEST_FAILED" || violation["description"] == "" {
					t.Errorf("violation %v", violation)
				}
			}
			if diff := cmp.Diff(c.failing, failing); diff != "" {
				t.Errorf("failing (-want +got):\n%s", diff)
			}
		})
	}
	if now := s.acme.must(t, "RevisionService/GetRevision", object{"parent": "tenants/acme"}); now.text("config") != revision {
		t.Errorf("something that was stopped changed: %s, not %s", now.body, revision)
	}
}

func TestForcing(t *testing.T) {
	t.Parallel()
	s := setup(t)
	test := typed("PolicyTest", "policyTests/strangers", object{"principal": object{"anonymous": true}, "request": object{"app": "api"}, "expect": object{"outcome": "OUTCOME_AUTHENTICATE"}})
	rules := func(principal string) object {
		return typed("Policy", "policies/api", object{"apps": []any{"api"}, "rules": []any{object{"id": "r", "effect": "EFFECT_ALLOW", "principals": []any{principal}, "operations": []any{"read"}}}})
	}
	first := s.acme.must(t, "ConfigService/Apply", apply([]object{appWith("api", nil), rules("people"), test}, object{"validate_only": true}))
	results, _ := first.fields["policyTests"].([]any)
	if len(results) != 1 || results[0].(object)["passed"] != true || results[0].(object)["outcome"] != "OUTCOME_AUTHENTICATE" || results[0].(object)["name"] != "tenants/acme/policyTests/strangers" {
		t.Errorf("a dry run does not tell of the tests: %s", first.body)
	}
	s.acme.must(t, "ConfigService/Apply", apply([]object{appWith("api", nil), rules("people"), test}, nil))
	open := []object{rules("anyone")}
	for _, more := range []object{nil, {"validate_only": true}, {"force_reason": ""}} {
		s.acme.refuses(t, "ConfigService/Apply", apply(open, more), "failed_precondition", "POLICY_TEST_FAILED")
	}
	// Together with what it breaks it passes.
	s.acme.must(t, "ConfigService/Apply", apply(append(slices.Clone(open), with(test, object{"expect": object{"outcome": "OUTCOME_ALLOW"}})), object{"validate_only": true}))
	dry := s.acme.must(t, "ConfigService/Apply", apply(open, object{"force_reason": "the fair", "validate_only": true}))
	forced := s.acme.must(t, "ConfigService/Apply", apply(open, object{"force_reason": "the fair"}))
	for _, a := range []answer{dry, forced} {
		results, _ := a.fields["policyTests"].([]any)
		if len(results) != 1 || results[0].(object)["passed"] == true || !strings.Contains(results[0].(object)["explanation"].(string), "outcome ALLOW, expected AUTHENTICATE") {
			t.Errorf("a forced change does not tell of the tests: %s", a.body)
		}
	}
	last := s.acme.must(t, "AuditService/ListChanges", object{"parent": "tenants/acme", "page_size": 1}).fields["changes"].([]any)[0].(object)
	if diff := cmp.Diff(object{"reason": "the fair", "failedTests": []any{"tenants/acme/policyTests/strangers"}}, last["forced"]); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	// It stops nobody who has nothing to do with it, and whoever writes the test itself.
	again := s.acme.must(t, "ConfigService/Apply", apply([]object{appWith("api", object{"tier": "prod"})}, nil))
	if again.fields["policyTests"] != nil {
		t.Errorf("what failed before is told as forced: %s", again.body)
	}
	s.acme.refuses(t, "ConfigService/Apply", apply([]object{with(test, object{"display_name": "x"})}, nil), "failed_precondition", "POLICY_TEST_FAILED")
	dry = s.acme.must(t, "ConfigService/Apply", apply([]object{appWith("api", nil)}, object{"validate_only": true}))
	if results, _ := dry.fields["policyTests"].([]any); len(results) != 1 || results[0].(object)["failedBefore"] != true {
		t.Errorf("a dry run does not tell that it failed before: %s", dry.body)
	}
	s.acme.must(t, "ConfigService/Apply", apply([]object{rules("people")}, nil))
	s.acme.refuses(t, "ConfigService/Apply", apply(open, nil), "failed_precondition", "POLICY_TEST_FAILED")
	a := s.acme.refuses(t, "ConfigService/Apply", apply(open, object{"force_reason": " \n"}), "invalid_argument", "FIELD_INVALID")
	if !slices.Contains(a.violated(), "force_reason") {
		t.Errorf("a blank is a reason: %s", a.body)
	}
	last = s.acme.must(t, "AuditService/ListChanges", object{"parent": "tenants/acme", "page_size": 1}).fields["changes"].([]any)[0].(object)
	if last["forced"] != nil {
		t.Errorf("a change that needed no force was forced: %v", last)
	}
}

// Every write runs all policy tests, so there is an end to how many there are.
func TestTooManyPolicyTests(t *testing.T) {
	t.Parallel()
	s := setup(t)
	tests := []object{appWith("api", nil)}
	for n := range policy.MaxTests + 1 {
		tests = append(tests, typed("PolicyTest", fmt.Sprintf("policyTests/t%d", n), object{
			"principal": object{"anonymous": true}, "request": object{"app": "api"}, "expect": object{"outcome": "OUTCOME_DENY"},
		}))
	}
	a := s.acme.refuses(t, "ConfigService/Apply", apply(tests, nil), "invalid_argument", "FIELD_INVALID")
	if !strings.Contains(a.text("message"), "at most 2000 policy tests") {
		t.Errorf("the limit is not named: %s", a.body)
	}
}

// What is refused at write, and where the fault is said to be.
func TestPoliciesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.acme.must(t, "ConfigService/Apply", apply([]object{appWith("api", nil), typed("Group", "groups/staff", object{"members": []any{object{"user": "ann@acme.test"}}})}, nil))
	rule := func(more object) object {
		return object{"apps": []any{"api"}, "rules": []any{
			object{"id": "fine", "effect": "EFFECT_ALLOW", "principals": []any{"people"}, "operations": []any{"read"}},
			with(object{"id": "r", "effect": "EFFECT_ALLOW", "principals": []any{"people"}, "operations": []any{"read"}}, more),
		}}
	}
	conditions := func(c object) object { return rule(object{"conditions": c}) }
	window := func(more object) object {
		return conditions(object{"time_windows": []any{with(object{"start": "08:00", "end": "18:00", "zone": "UTC"}, more)}})
	}
	for name, c := range map[string]struct {
		policy object
		field  string
		says   string
	}{
		"a device":              {conditions(object{"device": object{"managed": true}}), "rules[1].conditions.device", "leave it out for now"},
		"a device's expression": {rule(object{"expression": "device.managed"}), "rules[1].expression", "line 1, column 1: nothing reports yet what a device is, so device.managed is always unknown: leave it out for now"},
		"a device in between":   {rule(object{"expression": "request.path != \"device.\" &&\n ([\"a\"].exists(a, a in device.posture) || device.managed)"}), "rules[1].expression", "line 2, column 24: nothing reports yet what a device is, so device.posture"},
		"syntax":                {rule(object{"expression": "request.method =="}), "rules[1].expression", "line 1"},
		"a type":                {rule(object{"expression": "true &&\n  request.method == 7"}), "rules[1].expression", "line 2, column "},
		"an unknown name":       {rule(object{"expression": "request.metod == 'GET'"}), "rules[1].expression", "request.method"},
		"an unknown group":      {rule(object{"expression": `"staf" in principal.groups`}), "rules[1].expression", `"staf" does not exist`},
		"too long":              {rule(object{"expression": strings.Repeat("true && ", 600) + "true"}), "rules[1].expression", "4096"},
		"a country":             {conditions(object{"countries": []any{"de"}}), "rules[1].conditions.countries[0]", ""},
		"a zone":                {window(object{"zone": "Europe/Berln"}), "rules[1].conditions.time_windows[0].zone", "Europe/Berlin"},
		"an hour":               {window(object{"start": "24:00"}), "rules[1].conditions.time_windows[0].start", ""},
		"no zone":               {window(object{"zone": ""}), "rules[1].conditions.time_windows[0].zone", ""},
		"a negative age":        {conditions(object{"max_auth_age": "-1s"}), "rules[1].conditions.max_auth_age", ""},
		"an age of nothing":     {conditions(object{"max_auth_age": "0s"}), "rules[1].conditions.max_auth_age", ""},
		"a guard-rail's allow":  {with(rule(nil), object{"apps": nil, "selector": []any{prod()}}), "rules[0].effect", "refuses and requires"},
		"both":                  {with(rule(nil), object{"selector": []any{prod()}}), "selector", "not both"},
		"neither":               {with(rule(nil), object{"apps": nil}), "apps", "selects them"},
		"a label":               {object{"selector": []any{object{"key": "Tier", "values": []any{"prod"}}}, "rules": officeRail()["rules"]}, "selector[0].key", ""},
		"no value":              {object{"selector": []any{object{"key": "tier"}}, "rules": officeRail()["rules"]}, "selector[0].values", ""},
		"an exemption by name":  {with(rule(nil), object{"exemptions": []any{object{"id": "e", "principals": []any{"people"}}}}), "exemptions", "select by labels"},
		"an exempt group":       {object{"selector": []any{prod()}, "rules": officeRail()["rules"], "exemptions": []any{object{"id": "e", "principals": []any{"group:staf"}}}}, "exemptions[0].principals[0]", `did you mean "staff"?`},
		"an exempt app":         {object{"selector": []any{prod()}, "rules": officeRail()["rules"], "exemptions": []any{object{"id": "e", "principals": []any{"people"}, "apps": []any{"ap"}}}}, "exemptions[0].apps[0]", `did you mean "api"?`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := s.acme.send(t, "PolicyService/CreatePolicy", object{"parent": "tenants/acme", "policy_id": "p", "policy": c.policy, "validate_only": true})
			if a.code() != "invalid_argument" || !slices.Contains(a.violated(), "policy."+c.field) || !strings.Contains(a.body, c.says) && !strings.Contains(a.text("message"), c.says) {
				t.Errorf("want a violation of %s that says %q, got %v %s", c.field, c.says, a.violated(), a.text("message"))
			}
		})
	}
	for name, c := range map[string]struct {
		kind  string
		body  object
		field string
	}{
		"a grant without end":      {"Grant", object{"app": "api", "principals": []any{"people"}, "operations": []any{"read"}}, "grant.not_after"},
		"a grant of nothing":       {"Grant", object{"app": "api", "principals": []any{"people"}, "not_after": "2030-01-01T00:00:00Z"}, "grant.operations"},
		"a grant for nobody":       {"Grant", object{"app": "api", "operations": []any{"read"}, "not_after": "2030-01-01T00:00:00Z"}, "grant.principals"},
		"a grant that never is":    {"Grant", object{"app": "api", "principals": []any{"people"}, "operations": []any{"read"}, "not_before": "2031-01-01T00:00:00Z", "not_after": "2030-01-01T00:00:00Z"}, "grant.not_after"},
		"a grant elsewhere":        {"Grant", object{"app": "ap", "principals": []any{"people"}, "operations": []any{"read"}, "not_after": "2030-01-01T00:00:00Z"}, "grant.app"},
		"a test of nobody":         {"PolicyTest", object{"principal": object{}, "request": object{"app": "api"}, "expect": object{"outcome": "OUTCOME_DENY"}}, "policy_test.principal.principal"},
		"a test of nothing":        {"PolicyTest", object{"principal": object{"anonymous": true}, "request": object{}, "expect": object{"outcome": "OUTCOME_DENY"}}, "policy_test.request.app"},
		"a test of a query":        {"PolicyTest", object{"principal": object{"anonymous": true}, "request": object{"app": "api", "path": "/a?b"}, "expect": object{"outcome": "OUTCOME_DENY"}}, "policy_test.request.path"},
		"a test without request":   {"PolicyTest", object{"principal": object{"anonymous": true}, "expect": object{"outcome": "OUTCOME_DENY"}}, "policy_test.request"},
		"a test that expects none": {"PolicyTest", object{"principal": object{"anonymous": true}, "request": object{"app": "api"}, "expect": object{}}, "policy_test.expect.outcome"},
		"a test of no reason":      {"PolicyTest", object{"principal": object{"anonymous": true}, "request": object{"app": "api"}, "expect": object{"outcome": "OUTCOME_DENY", "reason": "deny.norule"}}, "policy_test.expect.reason"},
		"a test of an address":     {"PolicyTest", object{"principal": object{"anonymous": true}, "request": object{"app": "api", "source_ip": "10.0.0.300"}, "expect": object{"outcome": "OUTCOME_DENY"}}, "policy_test.request.source_ip"},
		"a test of TRACE":          {"PolicyTest", object{"principal": object{"anonymous": true}, "request": object{"app": "api", "method": "TRACE"}, "expect": object{"outcome": "OUTCOME_DENY"}}, "policy_test.request.method"},
		"a test of an age":         {"PolicyTest", object{"principal": object{"user": object{"email": "ann@acme.test", "idp": "demo", "auth_age": "60s"}}, "request": object{"app": "api"}, "expect": object{"outcome": "OUTCOME_DENY"}}, "policy_test.principal.user.auth_age"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			field := map[string]string{"Grant": "grant", "PolicyTest": "policy_test"}[c.kind]
			a := s.acme.send(t, c.kind+"Service/Create"+c.kind, object{"parent": "tenants/acme", field + "_id": "x", field: c.body})
			if a.code() != "invalid_argument" || !slices.Contains(a.violated(), c.field) {
				t.Errorf("want a violation of %s, got %v %s", c.field, a.violated(), a.body)
			}
		})
	}
}
