package manifest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/manifest"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	const text = `
tenant: acme
---
kind: Policy
id: api
labels: {on: "yes", number: 123}
rules:
  - {id: r, effect: ALLOW, principals: [people], operations: ["*"], conditions: {not_after: 2026-12-31T23:59:59Z}}
---
---
kind: App
id: wiki
max_staleness: 1h30m
session: {idle_timeout: 90s}
operations: [{id: o, access: READ}, {id: p, access: ACCESS_CLASS_WRITE}]
cors_preflight: true
`
	got, err := manifest.Decode("f.yaml", strings.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	if got.Tenant != "acme" || len(got.Resources) != 2 {
		t.Fatalf("tenant %q, %d resources", got.Tenant, len(got.Resources))
	}
	policy := got.Resources[0].Message.(*sallyportv1.Policy)
	if policy.GetName() != "tenants/acme/policies/api" || policy.GetLabels()["on"] != "yes" || policy.GetLabels()["number"] != "123" {
		t.Errorf("policy is %v", policy)
	}
	if rule := policy.GetRules()[0]; rule.GetEffect() != sallyportv1.Effect_EFFECT_ALLOW || rule.GetConditions().GetNotAfter().GetSeconds() != 1798761599 {
		t.Errorf("rule is %v", rule)
	}
	app := got.Resources[1].Message.(*sallyportv1.App)
	if app.GetName() != "tenants/acme/apps/wiki" || app.GetMaxStaleness().GetSeconds() != 5400 || app.GetSession().GetIdleTimeout().GetSeconds() != 90 || !app.GetCorsPreflight() {
		t.Errorf("app is %v", app)
	}
	if app.GetOperations()[0].GetAccess() != sallyportv1.AccessClass_ACCESS_CLASS_READ || app.GetOperations()[1].GetAccess() != sallyportv1.AccessClass_ACCESS_CLASS_WRITE {
		t.Errorf("operations are %v", app.GetOperations())
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":         {"kind: App\nid: wiki\nrotes: []\n", `f.yaml:3:1: App wiki: rotes: unknown field "rotes"; did you mean "routes"?`},
		"unknown nested key":  {"kind: App\nid: wiki\nroutes:\n  - {paht: /}\n", `f.yaml:4:6: App wiki: routes[0].paht: unknown field "paht"; did you mean "path"?`},
		"unknown kind":        {"kind: Polcy\nid: x\n", `f.yaml:1:7: kind: unknown kind "Polcy"; did you mean "Policy"?`},
		"unknown enum value":  {"kind: Policy\nid: p\nrules: [{effect: ALOW}]\n", `f.yaml:3:18: Policy p: rules[0].effect: unknown value "ALOW": want one of ALLOW, DENY, REQUIRE; did you mean "ALLOW"?`},
		"inline secret":       {"kind: IdentityProvider\nid: i\nclient_secret: hunter2\n", `f.yaml:3:16: IdentityProvider i: client_secret: a secret is never written here: put it into a file and say {file: path}`},
		"missing secret file": {"kind: IdentityProvider\nid: i\nclient_secret: {file: no/such}\n", `f.yaml:3:16: IdentityProvider i: client_secret: stat no/such: no such file or directory`},
		"bad duration":        {"kind: App\nid: a\nmax_staleness: soon\n", `f.yaml:3:16: App a: max_staleness: want a duration such as 90s or 1h30m`},
		"list wanted":         {"kind: App\nid: a\nhosts: a.test\n", `f.yaml:3:8: App a: hosts: want a list`},
		"bool wanted":         {"kind: App\nid: a\ndisabled: maybe\n", `f.yaml:3:11: App a: disabled: want true or false`},
		"output only":         {"kind: App\nid: a\nuid: x\n", `f.yaml:3:1: App a: uid: unknown field "uid"; did you mean "id"?`},
		"no id":               {"kind: App\n", `f.yaml:1:1: App: no id`},
		"no kind":             {"knd: App\nid: a\n", `f.yaml:1:1: no kind; did you mean "kind"?`},
		"twice":               {"kind: Group\nid: g\n---\nkind: Group\nid: g\n", `f.yaml:5:5: Group g: stands already in line 2`},
		"key twice":           {"kind: Group\nid: g\nmembers: []\nmembers: []\n", `f.yaml:4:1: Group g: members: stands twice`},
		"other tenant":        {"tenant: globex\n", `f.yaml:1:9: tenant: the file is for tenant "globex", you asked for "acme"`},
		"not YAML":            {"kind: App\n  id: [\n", `f.yaml:2:1: not YAML: `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := manifest.Decode("f.yaml", strings.NewReader(c.text), "acme")
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestDecodeReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := manifest.Decode("f.yaml", strings.NewReader("kind: App\nid: a\nx: 1\ny: 2\n---\nkind: Nope\nid: b\n"), "acme")
	if n := strings.Count(err.Error(), "f.yaml:"); n != 3 {
		t.Errorf("%d faults in %v", n, err)
	}
}

func TestSecretFromFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Decode("f.yaml", strings.NewReader("kind: IdentityProvider\nid: i\nclient_secret: {file: "+path+"}\n"), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Resources[0].Message.(*sallyportv1.IdentityProvider).GetClientSecret(); got != "s3cret" {
		t.Errorf("secret is %q", got)
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
	m, err := manifest.Decode("f.yaml", strings.NewReader("kind: Policy\nid: p\nrules:\n  - id: a\n  - id: b\n    principals: [people, 'group:x']\n"), "acme")
	if err != nil {
		t.Fatal(err)
	}
	at := m.Resources[0].At("rules[1].principals[1]", "group does not exist", "y")
	if want := `f.yaml:6:26: Policy p: rules[1].principals[1]: group does not exist; did you mean "y"?`; at.Error() != want {
		t.Errorf("got %s\nwant %s", at, want)
	}
}

// What is exported reads back as what it was, for the demo's own manifests.
func TestEncodeDecode(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"acme.yaml", "globex.yaml"} {
		data, err := os.ReadFile(filepath.Join("../../../../deploy/demo", file))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "client_secret: {file: .sallyport/idp-client-secret}", "")
		first, err := manifest.Decode(file, strings.NewReader(text), "")
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := manifest.Encode(&out, first.Tenant, messages(first)); err != nil {
			t.Fatal(err)
		}
		second, err := manifest.Decode("again", bytes.NewReader(out.Bytes()), "")
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if diff := cmp.Diff(messages(first), messages(second), protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

func messages(m *manifest.Manifest) []proto.Message {
	var out []proto.Message
	for _, r := range m.Resources {
		out = append(out, r.Message)
	}
	return out
}

// Whatever is accepted survives being written and read again.
func FuzzDecode(f *testing.F) {
	f.Add("tenant: acme\n---\nkind: Group\nid: g\nmembers: [{group: h}]\n")
	f.Add("kind: App\nid: a\nhosts: [a.test]\nlabels: {a: on, b: '1', c: \"\"}\nmax_staleness: 1.5s\n")
	f.Add("kind: Policy\nid: p\nrules: [{id: r, effect: DENY, conditions: {not_before: 2026-01-01T00:00:00Z}}]\n")
	f.Add("a: &a [*a]\nkind: App\nid: x\n")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := manifest.Decode("f", strings.NewReader(text), "")
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := manifest.Encode(&out, first.Tenant, messages(first)); err != nil {
			t.Fatal(err)
		}
		second, err := manifest.Decode("g", bytes.NewReader(out.Bytes()), "")
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if diff := cmp.Diff(messages(first), messages(second), protocmp.Transform()); diff != "" {
			t.Fatalf("%s\n%s", diff, out.String())
		}
	})
}
