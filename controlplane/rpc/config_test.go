package rpc_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

func sampleApp(name string, hosts ...string) *v1.App {
	return &v1.App{Name: name, Hosts: hosts, Routes: []*v1.Route{{Path: "/**", Upstreams: []*v1.Upstream{{Url: "https://up.example"}}}}}
}

func samplePolicy(app string) *v1.Policy {
	return &v1.Policy{Apps: []string{app}, Rules: []*v1.Rule{{Id: "r", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"anyone"}, Operations: []string{"read"}}}}
}

func TestWhatIsReferredToStays(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.acme.must(t, "ConfigService/Apply", apply(everything(), nil))
	for name, users := range map[string][]string{
		"apps/api": {"policies/api"}, "groups/engineering": {"apps/api", "groups/all", "policies/api"}, "identityProviders/demo": {"groups/engineering", "policies/api"},
		"roles/reader": {"policies/api"}, "serviceAccounts/ci": {"groups/engineering", "policies/api"}, "members/owner": {"apiTokens/owner"},
	} {
		for _, k := range samples {
			if k.kind == "Tenant" || !strings.HasPrefix("tenants/acme/"+name, k.name) {
				continue
			}
			a := s.acme.refuses(t, k.service()+"Delete"+k.kind, object{"name": "tenants/acme/" + name}, "failed_precondition", "IN_USE")
			for _, user := range users {
				if !strings.Contains(a.text("message"), "tenants/acme/"+user) {
					t.Errorf("%s: %s is not named: %s", name, user, a.text("message"))
				}
			}
		}
	}
	s.operator.refuses(t, "TenantService/DeleteTenant", object{"name": "tenants/acme"}, "failed_precondition", "IN_USE")
	call(t, s.operator.edgePools.UpdateEdgePool, &v1.UpdateEdgePoolRequest{EdgePool: &v1.EdgePool{Name: "edgePools/dev"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"tenants"}}})
	a := s.operator.refuses(t, "TenantService/DeleteTenant", object{"name": "tenants/acme"}, "failed_precondition", "IN_USE")
	if !strings.Contains(a.text("message"), "tenants/acme/apps/api") {
		t.Errorf("what is left is not named: %s", a.text("message"))
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	s := setup(t)
	create := func(c *client, tenant, id string, hosts ...string) error {
		_, err := c.apps.CreateApp(t.Context(), &v1.CreateAppRequest{Parent: "tenants/" + tenant, AppId: id, App: sampleApp("", hosts...)})
		return err
	}
	if err := create(s.acme, "acme", "one", "a.acme.test", "b.acme.test"); err != nil {
		t.Fatal(err)
	}
	own := read(t, create(s.acme, "acme", "two", "c.acme.test", "b.acme.test"))
	foreign := read(t, create(s.globex, "globex", "one", "c.acme.test", "b.acme.test"))
	auth := read(t, create(s.globex, "globex", "one", "c.acme.test", "auth.acme.test"))
	for _, f := range []*failure{own, foreign, auth} {
		if f.code != connect.CodeAlreadyExists || f.reason != "HOST_TAKEN" || !slices.Equal(f.fields, []string{"app.hosts[1]"}) {
			t.Errorf("got %+v", f)
		}
	}
	if own.message != foreign.message || strings.Contains(foreign.message, "tenants/") {
		t.Errorf("whose host it is, is told: %q, %q", own.message, foreign.message)
	}
	if err := create(s.acme, "acme", "two", "c.acme.test"); err != nil {
		t.Fatal(err)
	}
	// Two apps swap hosts in one set, which no order of single writes could do.
	call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: pack(t,
		sampleApp("tenants/acme/apps/one", "c.acme.test"), sampleApp("tenants/acme/apps/two", "a.acme.test", "b.acme.test"))})
	// What is gone is free.
	call(t, s.acme.apps.DeleteApp, &v1.DeleteAppRequest{Name: "tenants/acme/apps/one"})
	if err := create(s.globex, "globex", "one", "c.acme.test"); err != nil {
		t.Errorf("the host of a deleted app: %v", err)
	}
}

// What the pools of a tenant open is all of the private world that it can name. Names are for the edges to look at.
func TestAddresses(t *testing.T) {
	t.Parallel()
	s := setup(t)
	app := func(url string) *v1.CreateAppRequest {
		a := sampleApp("", "one.acme.test")
		a.Routes[0].Upstreams[0].Url = url
		return &v1.CreateAppRequest{Parent: "tenants/acme", AppId: "one", App: a, ValidateOnly: true}
	}
	for url, allowed := range map[string]bool{
		"http://127.0.0.1:9001": true, "http://[::1]:9001": true, "http://localhost:9001": true, "http://[::ffff:7f00:1]:80": true,
		"https://up.example": true, "http://1.1.1.1": true, "http://intranet": true,
		"http://10.0.0.1": false, "http://169.254.169.254": false, "http://[fd00::1]": false, "http://[fe80::1]": false,
		"http://192.168.1.1:80": false, "http://0.0.0.0": false, "http://[::ffff:a00:1]": false, "http://[64:ff9b::a00:1]": false,
	} {
		_, err := s.acme.apps.CreateApp(t.Context(), app(url))
		if allowed != (err == nil) {
			t.Errorf("%s: %v", url, err)
		}
		if !allowed {
			if f := read(t, err); f.reason != "ADDRESS_FORBIDDEN" || !slices.Equal(f.fields, []string{"app.routes[0].upstreams[0].url"}) {
				t.Errorf("%s: %+v", url, f)
			}
		}
	}
	// No pool opens anything for globex.
	other := app("http://127.0.0.1:9001")
	other.Parent = "tenants/globex"
	refused(t, s.globex.apps.CreateApp, other, connect.CodeInvalidArgument, "ADDRESS_FORBIDDEN")

	idp := func(parent, issuer string) *v1.CreateIdentityProviderRequest {
		return &v1.CreateIdentityProviderRequest{
			Parent: parent, IdentityProviderId: "demo", ValidateOnly: true,
			IdentityProvider: &v1.IdentityProvider{Issuer: issuer, ClientId: "us", AllowHttpLoopback: strings.HasPrefix(issuer, "http:")},
		}
	}
	call(t, s.acme.identityProviders.CreateIdentityProvider, idp("tenants/acme", "http://localhost:5556"))
	refused(t, s.globex.identityProviders.CreateIdentityProvider, idp("tenants/globex", "http://localhost:5556"), connect.CodeInvalidArgument, "ADDRESS_FORBIDDEN")
	refused(t, s.acme.identityProviders.CreateIdentityProvider, idp("tenants/acme", "https://10.0.0.1"), connect.CodeInvalidArgument, "ADDRESS_FORBIDDEN")
	// A pool that does not sign in opens nothing for issuers; and one that closes again leaves apps writable.
	lasting := app("http://127.0.0.1:9001")
	lasting.ValidateOnly = false
	call(t, s.acme.apps.CreateApp, lasting)
	call(t, s.operator.edgePools.UpdateEdgePool, &v1.UpdateEdgePoolRequest{EdgePool: &v1.EdgePool{Name: "edgePools/dev"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"login"}}})
	refused(t, s.acme.identityProviders.CreateIdentityProvider, idp("tenants/acme", "http://localhost:5556"), connect.CodeInvalidArgument, "ADDRESS_FORBIDDEN")
	call(t, s.operator.edgePools.UpdateEdgePool, &v1.UpdateEdgePoolRequest{EdgePool: &v1.EdgePool{Name: "edgePools/dev"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"allowed_upstream_cidrs"}}})
	call(t, s.acme.apps.UpdateApp, &v1.UpdateAppRequest{App: &v1.App{Name: "tenants/acme/apps/one", DisplayName: "x"}})
	changed := sampleApp("tenants/acme/apps/one", "one.acme.test")
	changed.Routes[0].Upstreams[0].Url = "http://127.0.0.1:9002"
	refused(t, s.acme.apps.UpdateApp, &v1.UpdateAppRequest{App: changed}, connect.CodeInvalidArgument, "ADDRESS_FORBIDDEN")
}

func TestSecretsAreWrittenAndNeverRead(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const name = "tenants/acme/identityProviders/demo"
	canary := "canary-" + strings.Repeat("x", 8)
	provider := &v1.IdentityProvider{Name: name, Issuer: "https://idp.example", ClientId: "us", ClientSecret: canary}
	made := call(t, s.acme.identityProviders.CreateIdentityProvider, &v1.CreateIdentityProviderRequest{Parent: "tenants/acme", IdentityProviderId: "demo", IdentityProvider: provider, RequestId: "r"})
	update := func(p *v1.IdentityProvider, paths ...string) *v1.IdentityProvider {
		t.Helper()
		p.Name = name
		return call(t, s.acme.identityProviders.UpdateIdentityProvider, &v1.UpdateIdentityProviderRequest{IdentityProvider: p, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	}
	held := func() string {
		t.Helper()
		var held string
		uid, err := s.db.System().TenantUID(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		err = s.db.Read(t.Context(), uid, func(tx *store.TenantTx) error {
			r, err := tx.Resource(controlplane.KindIdentityProvider, "demo")
			if err != nil {
				return err
			}
			value, _, err := tx.Secret(r, "client_secret")
			held = string(value)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	if held() != canary {
		t.Error("the secret was not kept")
	}
	if got := update(&v1.IdentityProvider{ClientSecret: canary}); got.GetEtag() != made.GetEtag() || got.GetRevision() != made.GetRevision() {
		t.Error("the same secret again is a change")
	}
	if got := update(&v1.IdentityProvider{DisplayName: "Demo"}); held() != canary || got.GetEtag() == made.GetEtag() {
		t.Error("an update that does not name the secret changed it")
	}
	before := update(&v1.IdentityProvider{}, "display_name")
	if before.GetEtag() != made.GetEtag() {
		t.Error("the same content has another etag")
	}
	if got := update(&v1.IdentityProvider{ClientSecret: "another"}, "client_secret"); held() != "another" || got.GetEtag() == before.GetEtag() {
		t.Error("a new secret is no change")
	}
	if got := update(&v1.IdentityProvider{}, "client_secret"); held() != "" || got.GetRevision() == "" {
		t.Error("a secret that a mask names and leaves empty stays")
	}
	update(&v1.IdentityProvider{ClientSecret: canary})

	// The history says that it changed, and never what to.
	everywhere := s.acme.must(t, "AuditService/ListChanges", object{"parent": "tenants/acme", "page_size": 500}).body +
		s.acme.must(t, "IdentityProviderService/GetIdentityProvider", object{"name": name}).body +
		s.acme.must(t, "ConfigService/Export", object{"parent": "tenants/acme"}).body
	if strings.Contains(everywhere, canary) || strings.Contains(everywhere, "another") {
		t.Error("a secret is read back")
	}
	if !strings.Contains(everywhere, `"client_secret"`) {
		t.Error("the history does not say that the secret changed")
	}
}

func TestAppManagersHaveTheirApps(t *testing.T) {
	t.Parallel()
	s := setup(t)
	app := func(id, team string) *v1.App {
		a := sampleApp("tenants/acme/apps/"+id, id+".acme.test")
		a.Labels = map[string]string{"team": team, "tier": "x"}
		return a
	}
	policy := func(id string, apps ...string) *v1.Policy {
		p := samplePolicy(apps[0])
		p.Name, p.Apps = "tenants/acme/policies/"+id, apps
		return p
	}
	call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: pack(t, app("mine", "a"), app("theirs", "b"), policy("mine", "mine"), policy("both", "mine", "theirs"))})
	manager := s.member(t, s.acme, "tenants/acme", "ann", controlplane.AppManager, map[string]string{"team": "a"})
	idle := s.member(t, s.acme, "tenants/acme", "bob", controlplane.AppManager, nil)

	for name, c := range map[string]struct {
		resources []*v1.ApplyRequest
		allowed   bool
	}{
		"its app":                       {[]*v1.ApplyRequest{{Resources: pack(t, app("new", "a"))}}, true},
		"its app and a policy of it":    {[]*v1.ApplyRequest{{Resources: pack(t, app("new2", "a"), policy("new2", "new2", "mine"))}}, true},
		"a policy of its app":           {[]*v1.ApplyRequest{{Resources: pack(t, func() *v1.Policy { p := policy("mine", "mine"); p.DisplayName = "x"; return p }())}}, true},
		"another's app":                 {[]*v1.ApplyRequest{{Resources: pack(t, func() *v1.App { a := app("theirs", "b"); a.DisplayName = "x"; return a }())}}, false},
		"taking another's app":          {[]*v1.ApplyRequest{{Resources: pack(t, app("theirs", "a"))}}, false},
		"giving its app away":           {[]*v1.ApplyRequest{{Resources: pack(t, app("mine", "b"))}}, false},
		"an app without labels":         {[]*v1.ApplyRequest{{Resources: pack(t, sampleApp("tenants/acme/apps/bare", "bare.acme.test"))}}, false},
		"a policy of another's app":     {[]*v1.ApplyRequest{{Resources: pack(t, policy("x", "theirs"))}}, false},
		"a policy that names another's": {[]*v1.ApplyRequest{{Resources: pack(t, policy("x", "mine", "theirs"))}}, false},
		"taking over a shared policy":   {[]*v1.ApplyRequest{{Resources: pack(t, policy("both", "mine"))}}, false},
		"a group":                       {[]*v1.ApplyRequest{{Resources: pack(t, &v1.Group{Name: "tenants/acme/groups/g", Members: []*v1.GroupMember{{Member: &v1.GroupMember_User{User: "a@b.test"}}}})}}, false},
	} {
		request := c.resources[0]
		request.Parent, request.ValidateOnly = "tenants/acme", true
		_, err := manager.configs.Apply(t.Context(), request)
		if c.allowed != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			if f := read(t, err); f.code != connect.CodePermissionDenied || f.reason != "ROLE_REQUIRED" {
				t.Errorf("%s: %+v", name, f)
			}
		}
		refused(t, idle.configs.Apply, request, connect.CodePermissionDenied, "ROLE_REQUIRED")
	}
	refused(t, manager.apps.DeleteApp, &v1.DeleteAppRequest{Name: "tenants/acme/apps/theirs"}, connect.CodePermissionDenied, "ROLE_REQUIRED")
	refused(t, manager.policies.DeletePolicy, &v1.DeletePolicyRequest{Name: "tenants/acme/policies/both"}, connect.CodePermissionDenied, "ROLE_REQUIRED")
	call(t, manager.policies.DeletePolicy, &v1.DeletePolicyRequest{Name: "tenants/acme/policies/mine"})
	refused(t, manager.configs.Apply, &v1.ApplyRequest{
		Parent: "tenants/acme", Prune: true, ManagedBy: "x",
		Resources: pack(t, app("theirs", "b")),
	}, connect.CodePermissionDenied, "ROLE_REQUIRED")
}

// A policy is compiled with the edges' own code, on what the whole set leaves: also when it is an app that changes.
func TestPolicyIsCompiled(t *testing.T) {
	t.Parallel()
	s := setup(t)
	app := sampleApp("tenants/acme/apps/api", "api.acme.test")
	app.Operations = []*v1.Operation{{Id: "read", Methods: []string{"GET"}, Paths: []string{"/**"}}}
	p := samplePolicy("api")
	p.Name = "tenants/acme/policies/api"
	call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: pack(t, app, p)})

	app.Operations[0].Id = "renamed"
	f := refused(t, s.acme.apps.UpdateApp, &v1.UpdateAppRequest{App: app}, connect.CodeInvalidArgument, "REFERENCE_NOT_FOUND")
	if !slices.Equal(f.fields, []string{"tenants/acme/policies/api.rules[0].operations[0]"}) {
		t.Errorf("violations of %v", f.fields)
	}
	p.Rules[0].Operations[0] = "renamed"
	call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: pack(t, app, p)})

	for name, spoil := range map[string]func(r *v1.Rule){
		"principal":            func(r *v1.Rule) { r.Principals = []string{"everybody"} },
		"network":              func(r *v1.Rule) { r.Conditions = &v1.Conditions{SourceCidrs: []string{"10.0.0.1/8"}} },
		"roles and operations": func(r *v1.Rule) { r.Roles = []string{"viewer"} },
		"neither":              func(r *v1.Rule) { r.Operations = nil },
		"an empty REQUIRE":     func(r *v1.Rule) { r.Effect = v1.Effect_EFFECT_REQUIRE },
	} {
		broken := samplePolicy("api")
		broken.Rules[0].Operations = []string{"renamed"}
		spoil(broken.Rules[0])
		_, err := s.acme.policies.CreatePolicy(t.Context(), &v1.CreatePolicyRequest{Parent: "tenants/acme", PolicyId: "broken", Policy: broken})
		if f := read(t, err); f.code != connect.CodeInvalidArgument || len(f.fields) == 0 || !strings.HasPrefix(f.fields[0], "policy.rules[0]") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	cycle := func(id, other string) *v1.Group {
		return &v1.Group{Name: "tenants/acme/groups/" + id, Members: []*v1.GroupMember{{Member: &v1.GroupMember_Group{Group: other}}}}
	}
	_, err := s.acme.configs.Apply(t.Context(), &v1.ApplyRequest{Parent: "tenants/acme", Resources: pack(t, cycle("a", "b"), cycle("b", "a"))})
	if f := read(t, err); f.code != connect.CodeInvalidArgument || !strings.HasPrefix(f.fields[0], "resources[") {
		t.Errorf("a cycle of groups: %+v", f)
	}
}

// Of many who write what they have read, one wins; and every revision is there, once.
func TestWritersAtTheSameTime(t *testing.T) {
	t.Parallel()
	s := setup(t)
	made := call(t, s.acme.roles.CreateRole, &v1.CreateRoleRequest{Parent: "tenants/acme", RoleId: "r", Role: &v1.Role{Access: []v1.AccessClass{v1.AccessClass_ACCESS_CLASS_READ}}})
	const writers = 10
	errs := make([]error, writers)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			_, errs[i] = s.acme.roles.UpdateRole(t.Context(), &v1.UpdateRoleRequest{Role: &v1.Role{Name: made.GetName(), Etag: made.GetEtag(), DisplayName: fmt.Sprint(i)}})
		})
	}
	group.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if f := read(t, err); f.reason != "ETAG_STALE" {
			t.Errorf("got %+v", f)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d won", won, writers)
	}
	for i := range writers {
		group.Go(func() {
			_, errs[i] = s.acme.roles.CreateRole(t.Context(), &v1.CreateRoleRequest{
				Parent: "tenants/acme", RoleId: "same", RequestId: "same",
				Role: &v1.Role{Access: []v1.AccessClass{v1.AccessClass_ACCESS_CLASS_READ}},
			})
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			t.Errorf("of retries of one request one got %v", err)
		}
	}
	list := call(t, s.acme.audit.ListChanges, &v1.ListChangesRequest{Parent: "tenants/acme", PageSize: 500}).GetChanges()
	for i, c := range list {
		if want := fmt.Sprintf("c%d", len(list)-i); c.GetRevision() != want {
			t.Fatalf("the %dth change is %s, want %s", i, c.GetRevision(), want)
		}
	}
}
