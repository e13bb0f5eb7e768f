package rpc_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/route"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// withApp makes an app of acme, with operations in lines of id, method and path.
func (s *service) withApp(t *testing.T, id string, operations ...string) {
	t.Helper()
	app := &v1.App{
		Hosts:  []string{id + ".acme.example"},
		Routes: []*v1.Route{{Path: "/**", Upstreams: []*v1.Upstream{{Url: "http://127.0.0.1:9001"}}}},
	}
	for _, line := range operations {
		parts := strings.Fields(line)
		app.Operations = append(app.Operations, &v1.Operation{Id: parts[0], Methods: []string{parts[1]}, Paths: []string{parts[2]}})
	}
	call(t, s.acme.apps.CreateApp, &v1.CreateAppRequest{Parent: "tenants/acme", AppId: id, App: app})
}

// withPolicy makes a policy of acme for apps, of one rule for anyone.
func (s *service) withPolicy(t *testing.T, id, effect string, apps []string, operations, roles []string) {
	t.Helper()
	rule := &v1.Rule{
		Id: "rule", Effect: v1.Effect(v1.Effect_value["EFFECT_"+effect]), Principals: []string{"anyone"}, Operations: operations, Roles: roles,
	}
	call(t, s.acme.policies.CreatePolicy, &v1.CreatePolicyRequest{
		Parent: "tenants/acme", PolicyId: id, Policy: &v1.Policy{Apps: apps, Rules: []*v1.Rule{rule}},
	})
}

func document(paths ...string) []byte {
	return []byte("openapi: 3.0.3\npaths:\n  " + strings.Join(paths, "\n  ") + "\n")
}

func into(app string, document []byte) *v1.ImportOperationsRequest {
	return &v1.ImportOperationsRequest{Name: "tenants/acme/apps/" + app, Document: document}
}

// told is an import in lines.
func told(r *v1.ImportOperationsResponse) []string {
	lines := []string{}
	describe := func(o *v1.Operation) string {
		if o == nil {
			return "nothing"
		}
		return strings.Join(append(append([]string{o.GetId()}, o.GetMethods()...), o.GetPaths()...), " ")
	}
	for _, c := range r.GetChanges() {
		lines = append(lines, fmt.Sprintf("%s %s -> %s", strings.TrimPrefix(c.GetAction().String(), "ACTION_"), describe(c.GetBefore()), describe(c.GetAfter())))
	}
	for _, n := range r.GetNotes() {
		if n.GetWarning() {
			lines = append(lines, n.GetSubject()+" "+n.GetMessage())
		}
	}
	return lines
}

// A document as teams have them, through the API: everything that it says can be requested is what it says.
func TestImportOperations(t *testing.T) {
	t.Parallel()
	s := setup(t)
	payroll, err := os.ReadFile("../openapi/testdata/payroll.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.withApp(t, "payroll")
	revision := call(t, s.acme.revisions.GetRevision, &v1.GetRevisionRequest{Parent: "tenants/acme"}).GetConfig()

	request := into("payroll", payroll)
	request.ValidateOnly = true
	draft := call(t, s.acme.apps.ImportOperations, request)
	stored := call(t, s.acme.apps.GetApp, &v1.GetAppRequest{Name: request.GetName()})
	if len(stored.GetOperations()) > 0 || draft.GetRevision() != revision {
		t.Errorf("a draft at %s (of %s) was stored: %v", draft.GetRevision(), revision, stored)
	}
	if draft.GetTitle() != "Payroll" || draft.GetVersion() != "2.4.1" || len(draft.GetChanges()) < 50 || draft.GetUnchanged() != 0 {
		t.Errorf("the draft says %s %s, %d changes", draft.GetTitle(), draft.GetVersion(), len(draft.GetChanges()))
	}

	request.ValidateOnly, request.Etag, request.RequestId = false, stored.GetEtag(), "once"
	done := call(t, s.acme.apps.ImportOperations, request)
	if done.GetRevision() == revision || done.GetApp().GetRevision() != done.GetRevision() {
		t.Errorf("it is at %s, and the app at %s", done.GetRevision(), done.GetApp().GetRevision())
	}
	if diff := cmp.Diff(draft.GetChanges(), done.GetChanges(), protocmp.Transform()); diff != "" {
		t.Errorf("(-draft +done):\n%s", diff)
	}
	replayed := call(t, s.acme.apps.ImportOperations, request)
	if diff := cmp.Diff(done, replayed, protocmp.Transform()); diff != "" {
		t.Errorf("a retry (-first +second):\n%s", diff)
	}
	request.RequestId = ""
	refused(t, s.acme.apps.ImportOperations, request, connect.CodeAborted, controlplane.ReasonEtagStale)
	again := call(t, s.acme.apps.ImportOperations, into("payroll", payroll))
	if len(again.GetChanges()) > 0 || int(again.GetUnchanged()) != len(done.GetChanges()) || again.GetRevision() != done.GetRevision() {
		t.Errorf("the second time, at %s: %q", again.GetRevision(), told(again))
	}

	app := call(t, s.acme.apps.GetApp, &v1.GetAppRequest{Name: request.GetName()})
	if diff := cmp.Diff(app, done.GetApp(), protocmp.Transform()); diff != "" {
		t.Errorf("(-stored +answered):\n%s", diff)
	}
	// What is imported, the rules of the API accept: it is written again as it is.
	app.DisplayName = "Payroll"
	call(t, s.acme.apps.UpdateApp, &v1.UpdateAppRequest{App: proto.CloneOf(app)})
	resolveAll(t, app, payroll)

	changes := call(t, s.acme.audit.ListChanges, &v1.ListChangesRequest{Parent: "tenants/acme"}).GetChanges()
	if got := changes[1].GetChanges()[0]; got.GetName() != request.GetName() || !slices.Contains(got.GetFields(), "operations") {
		t.Errorf("the audit says %v", changes[1])
	}
}

// resolveAll makes a request of each operation of a document, and wants it to be what x-test-id says.
func resolveAll(t *testing.T, app *v1.App, document []byte) {
	t.Helper()
	spec := route.Spec{Hosts: app.GetHosts()}
	for _, o := range app.GetOperations() {
		spec.Operations = append(spec.Operations, route.Operation{ID: o.GetId(), Methods: o.GetMethods(), Paths: o.GetPaths()})
	}
	table, problems := route.Compile(spec)
	if len(problems) > 0 {
		t.Fatalf("edges refuse it: %+v", problems)
	}
	var d struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	requests := 0
	for template, item := range d.Paths {
		for method, o := range item {
			operation, _ := o.(map[string]any)
			want, _ := operation["x-test-id"].(string)
			if want == "" {
				continue
			}
			target := "/v2" + template
			for strings.Contains(target, "{") {
				before, after, _ := strings.Cut(target, "{")
				_, after, _ = strings.Cut(after, "}")
				target = before + "42" + after
			}
			path, err := route.Canonical(strings.ReplaceAll(target, "ü", "%C3%BC"), route.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := table.Operation(app.GetHosts()[0], strings.ToUpper(method), path); got != want {
				t.Errorf("%s %s is %q, want %q", method, target, got, want)
			}
			requests++
		}
	}
	if requests < 50 {
		t.Errorf("only %d requests", requests)
	}
}

func TestImportKeepsPrunesAndRenames(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.withApp(t, "wiki", "pages GET /pages", "old POST /old", "search POST /search")
	admin := call(t, s.acme.apps.GetApp, &v1.GetAppRequest{Name: "tenants/acme/apps/wiki"})
	admin.Operations[2].Access = v1.AccessClass_ACCESS_CLASS_ADMIN
	call(t, s.acme.apps.UpdateApp, &v1.UpdateAppRequest{App: admin})

	d := document("/pages: {get: {operationId: listPages}, post: {operationId: makePage}}", "/search: {post: {operationId: search}}")
	response := call(t, s.acme.apps.ImportOperations, into("wiki", d))
	if diff := cmp.Diff([]string{
		"RENAME pages GET /pages -> list-pages GET /pages", "KEEP old POST /old -> old POST /old", "ADD nothing -> make-page POST /pages",
	}, told(response)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	request := into("wiki", d)
	request.Prune = true
	response = call(t, s.acme.apps.ImportOperations, request)
	if diff := cmp.Diff([]string{"REMOVE old POST /old -> nothing"}, told(response)); diff != "" {
		t.Errorf("pruned (-want +got):\n%s", diff)
	}
	for _, o := range response.GetApp().GetOperations() {
		if o.GetId() == "search" && o.GetAccess() != v1.AccessClass_ACCESS_CLASS_ADMIN {
			t.Errorf("searching was for admins, and is not any more: %v", o)
		}
	}
}

// No operation goes from under a rule that names it, wherever the name is written.
func TestImportUnderRules(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.withApp(t, "wiki", "pages GET /pages", "drop DELETE /pages")
	s.withApp(t, "other", "pages GET /pages", "drop DELETE /pages", "read GET /", "admin.drop POST /")
	s.withApp(t, "plain")
	s.withApp(t, "wild", "admin.drop DELETE /pages")
	call(t, s.acme.roles.CreateRole, &v1.CreateRoleRequest{Parent: "tenants/acme", RoleId: "dropper", Role: &v1.Role{Operations: []string{"drop"}}})
	// The compiler finds none of these: what the rules name is there, in another app.
	s.withPolicy(t, "nobody-drops", "DENY", []string{"wiki", "other"}, []string{"drop"}, nil)
	s.withPolicy(t, "readers", "ALLOW", []string{"plain", "other"}, []string{"read"}, nil)
	s.withPolicy(t, "droppers", "ALLOW", []string{"other", "wiki"}, nil, []string{"dropper"})
	s.withPolicy(t, "admins", "DENY", []string{"wild", "other"}, []string{"admin.*"}, nil)

	s.withApp(t, "asked", "drop DELETE /pages")
	call(t, s.acme.policies.CreatePolicy, &v1.CreatePolicyRequest{Parent: "tenants/acme", PolicyId: "asks", Policy: &v1.Policy{Apps: []string{"asked"}, Rules: []*v1.Rule{{
		Id: "rule", Effect: v1.Effect_EFFECT_DENY, Principals: []string{"anyone"}, Operations: []string{"*"}, Expression: `request.operation in ["drop", "x"]`,
	}}}})

	renamed := document("/pages: {get: {operationId: pages}, delete: {operationId: deletePage}}")
	const name = `operations of tenants/acme/apps/wiki that would be gone are in use: `
	for _, c := range []struct {
		app      string
		document []byte
		prune    bool
		want     string
	}{
		{"wiki", renamed, false, name + `"drop", which would be "delete-page", by tenants/acme/policies/droppers (rule "rule", by the role "dropper"); ` +
			`"drop", which would be "delete-page", by tenants/acme/policies/nobody-drops (rule "rule")`},
		{"wiki", document("/pages: {get: {operationId: pages}}"), true, name + `"drop" by tenants/acme/policies/droppers (rule "rule", by the role "dropper"); ` +
			`"drop" by tenants/acme/policies/nobody-drops (rule "rule")`},
		{"plain", renamed, false, `operations of tenants/acme/apps/plain that would be gone are in use: "read" by tenants/acme/policies/readers (rule "rule")`},
		{"asked", renamed, false, `operations of tenants/acme/apps/asked that would be gone are in use: "drop", which would be "delete-page", by tenants/acme/policies/asks (rule "rule")`},
	} {
		for _, validateOnly := range []bool{true, false} {
			request := into(c.app, c.document)
			request.Prune, request.ValidateOnly = c.prune, validateOnly
			f := refused(t, s.acme.apps.ImportOperations, request, connect.CodeFailedPrecondition, controlplane.ReasonInUse)
			if f.message != c.want {
				t.Errorf("%s: got  %s\nwant %s", c.app, f.message, c.want)
			}
		}
	}
	// What nobody names may go.
	call(t, s.acme.apps.ImportOperations, into("wiki", document("/pages: {get: {operationId: listPages}}")))
	// A wildcard names nothing; that it holds less is said.
	response := call(t, s.acme.apps.ImportOperations, into("wild", document("/pages: {delete: {operationId: deletePage}}")))
	if diff := cmp.Diff([]string{
		"RENAME admin.drop DELETE /pages -> delete-page DELETE /pages",
		`admin.drop is "delete-page" now, which "admin.*" of tenants/acme/policies/admins (rule "rule") does not hold, as it held "admin.drop"`,
	}, told(response)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestImportRefused(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.withApp(t, "wiki", "pages GET /pages")
	good := document("/a: {get: {operationId: a}}")
	for name, c := range map[string]struct {
		request *v1.ImportOperationsRequest
		field   string
		want    string
	}{
		"no document": {into("wiki", nil), "document", ""},
		"no OpenAPI":  {into("wiki", []byte("a: b")), "document", "the document does not say that it is OpenAPI"},
		"elsewhere":   {into("wiki", document("/a: {$ref: 'http://127.0.0.1:1/a'}")), "document", `line 3: /a: refers to "http://127.0.0.1:1/a", which is not in the document and is not fetched`},
		"two of one":  {into("wiki", document("/a/{b}: {get: {operationId: one}}", "/a/{c}: {get: {operationId: two}}")), "document", `line 4: GET /a/{c}: operation "one" and operation "two" are equally specific for GET /a/x`},
		"base path":   {&v1.ImportOperationsRequest{Name: "tenants/acme/apps/wiki", Document: good, BasePath: "v1"}, "base_path", `a path begins with "/"`},
		"prefix":      {&v1.ImportOperationsRequest{Name: "tenants/acme/apps/wiki", Document: good, StripPrefix: "/v1"}, "document", `line 3: GET /a: strip_prefix: "/a" does not begin with "/v1/"`},
		"too large":   {into("wiki", bytes.Repeat([]byte("#"), 4<<20+1)), "document", "must be at most 4194304 bytes"},
		"a wrong app": {into("wiki", document("/a: {get: {x-sallyport-access: ALL}}")), "document", `line 3: GET /a: x-sallyport-access is READ, WRITE or ADMIN, not "ALL"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := refused(t, s.acme.apps.ImportOperations, c.request, connect.CodeInvalidArgument, controlplane.ReasonFieldInvalid)
			if len(f.fields) != 1 || f.fields[0] != c.field || !strings.Contains(f.message, c.want) {
				t.Errorf("got %v %s, want %s: %s", f.fields, f.message, c.field, c.want)
			}
		})
	}
	refused(t, s.acme.apps.ImportOperations, into("nothing", good), connect.CodeNotFound, controlplane.ReasonNotFound)
}

// The largest document goes through as JSON, where bytes take a third more.
func TestImportOfTheLargest(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.withApp(t, "wiki")
	largest := document("/a: {get: {operationId: a}}")
	largest = append(largest, bytes.Repeat([]byte("#"), 4<<20-len(largest))...)
	data, err := json.Marshal(object{"name": "tenants/acme/apps/wiki", "document": largest})
	if err != nil {
		t.Fatal(err)
	}
	s.acme.must(t, "AppService/ImportOperations", data)
}

// An app manager imports into apps with the manager's labels only.
func TestImportByAnAppManager(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.withApp(t, "wiki")
	s.withApp(t, "api")
	own := call(t, s.acme.apps.GetApp, &v1.GetAppRequest{Name: "tenants/acme/apps/api"})
	own.Labels = map[string]string{"team": "a"}
	call(t, s.acme.apps.UpdateApp, &v1.UpdateAppRequest{App: own})
	manager := s.member(t, s.acme, "tenants/acme", "manager", controlplane.AppManager, map[string]string{"team": "a"})
	d := document("/a: {get: {operationId: a}}")
	call(t, manager.apps.ImportOperations, into("api", d))
	refused(t, manager.apps.ImportOperations, into("wiki", d), connect.CodePermissionDenied, controlplane.ReasonRoleRequired)
}
