package rpc_test

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/rpc"
)

// probes is a request for every RPC. {t} is a tenant, {id} a resource in it, {uid} something that has no id of its own.
var probes = withKinds(map[string]object{
	"TenantService/GetTenant":    {"name": "tenants/{t}"},
	"TenantService/ListTenants":  {},
	"TenantService/CreateTenant": {"tenant_id": "{id}", "tenant": object{"auth_host": "auth.{id}.test"}},
	"TenantService/UpdateTenant": {"tenant": object{"name": "tenants/{t}", "display_name": "x"}},
	"TenantService/DeleteTenant": {"name": "tenants/{t}"},

	"AppService/ImportOperations": {"name": "tenants/{t}/apps/{id}", "document": []byte("openapi: 3.1.0\npaths: {/a: {get: {}}}\n")},

	"ServiceAccountService/CreateServiceAccountToken": {"parent": "tenants/{t}/serviceAccounts/{id}"},
	"ServiceAccountService/ListServiceAccountTokens":  {"parent": "tenants/{t}/serviceAccounts/{id}"},
	"ServiceAccountService/RevokeServiceAccountToken": {"name": "tenants/{t}/serviceAccounts/{id}/tokens/{uid}"},

	"ApiTokenService/GetApiToken":    {"name": "tenants/{t}/apiTokens/{id}"},
	"ApiTokenService/ListApiTokens":  {"parent": "tenants/{t}"},
	"ApiTokenService/DeleteApiToken": {"name": "tenants/{t}/apiTokens/{id}"},
	"ApiTokenService/CreateApiToken": {"parent": "tenants/{t}", "api_token_id": "new", "api_token": object{"member": "tenants/{t}/members/{id}", "role": "ADMIN_ROLE_VIEWER"}},

	"SessionService/GetSession":          {"name": "tenants/{t}/sessions/{uid}"},
	"SessionService/ListSessions":        {"parent": "tenants/{t}"},
	"SessionService/RevokeSession":       {"name": "tenants/{t}/sessions/{uid}"},
	"RevocationService/GetRevocation":    {"name": "tenants/{t}/revocations/{uid}"},
	"RevocationService/ListRevocations":  {"parent": "tenants/{t}"},
	"RevocationService/CreateRevocation": {"parent": "tenants/{t}", "revocation": object{"subject": "app:{id}"}},
	"RevisionService/GetRevision":        {"parent": "tenants/{t}"},
	"RevisionService/Wait":               {"parent": "tenants/{t}", "revision": "c1", "timeout": "0s"},
	"ConfigService/Apply":                {"parent": "tenants/{t}", "resources": []any{object{"@type": "type.googleapis.com/sallyport.v1.Role", "name": "tenants/{t}/roles/{id}", "access": []any{"ACCESS_CLASS_READ"}}}},
	"ConfigService/Export":               {"parent": "tenants/{t}"},
	"DecisionService/Lint":               {"parent": "tenants/{t}"},
	"DecisionService/Explain":            {"parent": "tenants/{t}", "question": object{"app": "{id}", "operation": "read"}},
	"DecisionService/Simulate":           {"parent": "tenants/{t}"},
	"DecisionService/SummarizeShadow":    {"parent": "tenants/{t}", "policy": "{id}"},
	"DecisionService/WhoCanAccess":       {"parent": "tenants/{t}", "app": "{id}", "operation": "read"},
	"DecisionService/WhatCanAccess":      {"parent": "tenants/{t}", "service_account": "{id}"},
	"PolicyTestService/RunPolicyTests":   {"parent": "tenants/{t}"},
	"AuditService/ListAccessEvents":      {"parent": "tenants/{t}"},
	"AuditService/TailAccessEvents":      {"parent": "tenants/{t}"},
	"AuditService/ListChanges":           {"parent": "tenants/{t}"},
	"AuditService/TailChanges":           {"parent": "tenants/{t}"},

	"EdgeService/GetEdge":         {"name": "edgePools/{id}/edges/{id}"},
	"EdgeService/ListEdges":       {"parent": "edgePools/{id}"},
	"EdgeService/UpdateEdge":      {"edge": object{"name": "edgePools/{id}/edges/{id}", "disabled": true}},
	"EdgeService/DeleteEdge":      {"name": "edgePools/{id}/edges/{id}"},
	"EdgeService/CreateJoinToken": {"parent": "edgePools/{id}", "edge_id": "eu-1"},
})

// withKinds adds the five methods of every kind.
func withKinds(probes map[string]object) map[string]object {
	for _, k := range samples {
		if k.kind == "Tenant" {
			continue
		}
		parent, name := strings.Replace(k.parent, "acme", "{t}", 1), strings.Replace(k.name, "acme", "{t}", 1)+"{id}"
		probes[k.service()+"Get"+k.kind] = object{"name": name}
		probes[k.service()+"List"+k.plural] = object{"parent": parent}
		probes[k.service()+"Create"+k.kind] = object{"parent": parent, k.field + "_id": "{id}", k.field: fill(k.valid, "new")}
		probes[k.service()+"Update"+k.kind] = object{k.field: object{"name": name, "display_name": "x"}}
		probes[k.service()+"Delete"+k.kind] = object{"name": name}
	}
	return probes
}

func TestProbesAreComplete(t *testing.T) {
	t.Parallel()
	for _, p := range rpc.Procedures() {
		if probes[strings.TrimPrefix(p, "/sallyport.v1.")] == nil {
			t.Errorf("no probe of %s", p)
		}
	}
	if len(probes) != len(rpc.Procedures()) {
		t.Errorf("%d probes for %d RPCs", len(probes), len(rpc.Procedures()))
	}
}

// probe makes the request of a probe and returns status and body, streams' too.
func (c *client) probe(t *testing.T, procedure string, replace *strings.Replacer) (int, string) {
	t.Helper()
	data, err := json.Marshal(probes[procedure])
	if err != nil {
		t.Fatal(err)
	}
	body, contentType := replace.Replace(string(data)), "application/json"
	if streams(procedure) {
		contentType = "application/connect+json"
		body = string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body)))) + body
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/sallyport.v1."+procedure, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Request-Id", "test")
	response, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answered, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answered)
}

// A tenant that is somebody else's and one that does not exist: the same bytes, for every RPC, whoever asks; and so for
// the ids of resources that are somebody else's.
func TestTheWallBetweenTenants(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const theirs, nobodys = "secret-project", "random-project"
	const uid, noUID = "01a20889-6fdb-7df8-8489-965a23142e96", "01a20889-6fdb-7df8-8489-965a23142e97"
	// What names an app names theirs.
	about := map[string]object{
		"Policy": {"apps": []any{theirs}}, "Grant": {"app": theirs},
		"PolicyTest": {"request": object{"app": theirs}, "expect": object{"outcome": "OUTCOME_ALLOW"}},
	}
	for _, k := range samples {
		if !k.platform {
			s.globex.must(t, k.service()+"Create"+k.kind, object{"parent": "tenants/globex", k.field + "_id": theirs, k.field: with(fill(k.valid, "theirs"), about[k.kind])})
		}
	}
	s.globex.must(t, "RevocationService/CreateRevocation", object{"parent": "tenants/globex", "revocation": object{"subject": "session:" + uid}})

	for procedure := range probes {
		if _, operator, _ := rpc.Rule("/sallyport.v1." + procedure); operator {
			continue // says nothing but that: see the roles
		}
		data, _ := json.Marshal(probes[procedure])
		if !strings.Contains(string(data), "{t}") {
			continue
		}
		t.Run(procedure, func(t *testing.T) {
			t.Parallel()
			status, foreign := s.acme.probe(t, procedure, strings.NewReplacer("{t}", "globex", "{id}", theirs, "{uid}", uid))
			_, random := s.acme.probe(t, procedure, strings.NewReplacer("{t}", "nobody", "{id}", theirs, "{uid}", uid))
			if foreign != random {
				t.Errorf("another's tenant: %s\nno tenant:        %s", foreign, random)
			}
			if !strings.Contains(foreign, `"not_found"`) {
				t.Errorf("another's tenant: %d %s", status, foreign)
			}
			if !strings.Contains(string(data), "{id}") && !strings.Contains(string(data), "{uid}") {
				return
			}
			if strings.Contains(procedure, "/Create") && !strings.Contains(procedure, "Token") && !strings.Contains(procedure, "Revocation") || procedure == "ConfigService/Apply" {
				return // both are free to make
			}
			_, foreign = s.acme.probe(t, procedure, strings.NewReplacer("{t}", "acme", "{id}", theirs, "{uid}", uid))
			_, random = s.acme.probe(t, procedure, strings.NewReplacer("{t}", "acme", "{id}", nobodys, "{uid}", noUID))
			if mask(foreign, theirs) != mask(random, nobodys) {
				t.Errorf("another's resource: %s\nno resource:        %s", foreign, random)
			}
			if !strings.Contains(foreign, `"not_found"`) && !strings.Contains(foreign, "REFERENCE_NOT_FOUND") {
				t.Errorf("another's resource: %s", foreign)
			}
		})
	}
}

// mask takes out what is only the request's own words, said back, and their encoded form.
func mask(answer, id string) string {
	var parsed object
	if json.Unmarshal([]byte(answer), &parsed) != nil {
		return answer
	}
	details, _ := parsed["details"].([]any)
	for _, d := range details {
		delete(d.(object), "value")
	}
	data, _ := json.Marshal(parsed)
	return strings.ReplaceAll(string(data), id, "ID")
}

// Every role meets every RPC. Who may not call it gets ROLE_REQUIRED, before anything is looked at; who may gets as far as
// finding that there is no such tenant or edge pool.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := setup(t)
	roles := []controlplane.AdminRole{controlplane.Viewer, controlplane.Auditor, controlplane.AppManager, controlplane.Admin, controlplane.Owner}
	names := map[controlplane.AdminRole]string{controlplane.Viewer: "viewer", controlplane.Auditor: "auditor", controlplane.AppManager: "manager", controlplane.Admin: "admin", controlplane.Owner: "second-owner"}
	for _, parent := range []string{"tenants/acme", "platform"} {
		maker := s.acme
		if parent == "platform" {
			maker = s.operator
		}
		for _, role := range roles {
			c := s.member(t, maker, parent, names[role], role, map[string]string{"team": "a"})
			for procedure := range probes {
				needs, operatorOnly, _ := rpc.Rule("/sallyport.v1." + procedure)
				allowed := role.Can(needs) && (!operatorOnly || parent == "platform")
				if allowed && (procedure == "TenantService/CreateTenant" || procedure == "EdgePoolService/CreateEdgePool") {
					continue // nothing stands in the way: it would be made
				}
				_, body := c.probe(t, procedure, strings.NewReplacer("{t}", "nobody", "{id}", "random-project", "{uid}", "x"))
				refused := strings.Contains(body, `"permission_denied"`) && strings.Contains(body, "ROLE_REQUIRED")
				if refused == allowed {
					t.Errorf("%s %s: %s: %s", parent, role, procedure, body)
				}
				if allowed && streams(procedure) && !strings.Contains(body, "not_found") {
					t.Errorf("%s %s: %s: %s", parent, role, procedure, body)
				}
			}
		}
	}
}

// streams says whether the answer of an RPC is a stream.
func streams(procedure string) bool {
	switch procedure {
	case "AuditService/TailAccessEvents", "AuditService/TailChanges", "DecisionService/Simulate", "DecisionService/SummarizeShadow":
		return true
	}
	return false
}
