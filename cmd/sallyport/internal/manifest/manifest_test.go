package manifest_test

import (
	"bytes"
	"fmt"
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
		"nothing near":        {"kind: App\nid: wiki\nvolcano: 1\n", `f.yaml:3:1: App wiki: volcano: unknown field "volcano"`},
		"unknown kind":        {"kind: Polcy\nid: x\n", `f.yaml:1:7: kind: unknown kind "Polcy"; did you mean "Policy"?`},
		"kind is a list":      {"kind: [App]\nid: x\n", `f.yaml:1:7: kind: unknown kind ""`},
		"unknown enum value":  {"kind: Policy\nid: p\nrules: [{effect: ALOW}]\n", `f.yaml:3:18: Policy p: rules[0].effect: unknown value "ALOW": want one of ALLOW, DENY, REQUIRE; did you mean "ALLOW"?`},
		"enum unspecified":    {"kind: Policy\nid: p\nrules: [{effect: UNSPECIFIED}]\n", `f.yaml:3:18: Policy p: rules[0].effect: unknown value "UNSPECIFIED": want one of ALLOW, DENY, REQUIRE`},
		"enum is a list":      {"kind: Policy\nid: p\nrules: [{effect: [ALLOW]}]\n", `f.yaml:3:18: Policy p: rules[0].effect: want one of ALLOW, DENY, REQUIRE`},
		"bad duration":        {"kind: App\nid: a\nmax_staleness: soon\n", `f.yaml:3:16: App a: max_staleness: want a duration such as 90s, 1h30m or 24h`},
		"duration, no unit":   {"kind: App\nid: a\nmax_staleness: 90\n", `f.yaml:3:16: App a: max_staleness: want a duration such as 90s, 1h30m or 24h`},
		"duration, negative":  {"kind: App\nid: a\nmax_staleness: -1.5s\n", `f.yaml:3:16: App a: max_staleness: want a duration such as 90s, 1h30m or 24h`},
		"duration, too long":  {"kind: App\nid: a\nmax_staleness: 9999999h\n", `f.yaml:3:16: App a: max_staleness: want a duration such as 90s, 1h30m or 24h`},
		"bad instant":         {"kind: Policy\nid: p\nrules: [{conditions: {not_after: 2026-12-31}}]\n", `f.yaml:3:34: Policy p: rules[0].conditions.not_after: want an instant such as 2026-12-31T23:59:59Z or 2026-12-31T23:59:59+01:00`},
		"list wanted":         {"kind: App\nid: a\nhosts: a.test\n", `f.yaml:3:8: App a: hosts: want a list`},
		"empty in a rule":     {"kind: Policy\nid: p\nrules: [{conditions: {source_cidrs: []}}]\n", `f.yaml:3:37: Policy p: rules[0].conditions.source_cidrs: an empty list is not everything`},
		"empty in a grant":    {"kind: Grant\nid: g\noperations: []\n", `f.yaml:3:13: Grant g: operations: an empty list is not everything`},
		"null for a list":     {"kind: App\nid: a\nhosts:\n", `f.yaml:3:7: App a: hosts: want a list`},
		"mapping wanted":      {"kind: App\nid: a\nsession: 1h\n", `f.yaml:3:10: App a: session: want a mapping`},
		"map wanted":          {"kind: App\nid: a\nlabels: [a]\n", `f.yaml:3:9: App a: labels: want a mapping`},
		"text wanted":         {"kind: App\nid: a\nhosts: [[a.test]]\n", `f.yaml:3:9: App a: hosts[0]: want a text`},
		"null for a text":     {"kind: App\nid: a\ndisplay_name: ~\n", `f.yaml:3:15: App a: display_name: want a text`},
		"null for a label":    {"kind: App\nid: a\nlabels: {a: }\n", `f.yaml:3:13: App a: labels.a: want a text`},
		"bool wanted":         {"kind: App\nid: a\ndisabled: maybe\n", `f.yaml:3:11: App a: disabled: want true or false`},
		"bool of YAML 1.1":    {"kind: App\nid: a\ndisabled: yes\n", `f.yaml:3:11: App a: disabled: want true or false`},
		"bool in quotes":      {"kind: App\nid: a\ndisabled: 'true'\n", `f.yaml:3:11: App a: disabled: want true or false`},
		"two of a oneof":      {"kind: Group\nid: g\nmembers: [{group: a, user: b}]\n", `f.yaml:1:1: Group g: `},
		"output only":         {"kind: App\nid: a\nuid: x\n", `f.yaml:3:1: App a: uid: is for the server to write: leave it out`},
		"a name for an id":    {"kind: App\nid: a\nname: tenants/acme/apps/a\n", `f.yaml:3:1: App a: name: a name is the tenant, the kind and the id: only the id is written; did you mean "id"?`},
		"no id":               {"kind: App\n", `f.yaml:1:1: App: no id`},
		"id is a list":        {"kind: App\nid: [a]\n", `f.yaml:1:1: App: no id`},
		"no kind":             {"knd: App\nid: a\n", `f.yaml:1:1: no kind; did you mean "kind"?`},
		"no mapping":          {"- kind: App\n", `f.yaml:1:1: want a mapping with kind and id`},
		"twice":               {"kind: Group\nid: g\n---\nkind: Group\nid: g\n", `f.yaml:5:5: Group g: stands already in line 2`},
		"other tenant":        {"tenant: globex\n", `f.yaml:1:9: tenant: the file is for tenant "globex", you asked for "acme"`},
		"two tenants":         {"tenant: acme\n---\ntenant: acme\n", `f.yaml:3:1: tenant goes first`},
		"tenant, late":        {"kind: Group\nid: g\n---\ntenant: acme\n", `f.yaml:4:1: tenant goes first`},
		"tenant and more":     {"tenant: acme\nkind_: App\n", `f.yaml:1:1: a document with tenant says nothing else`},
		"tenant is nothing":   {"tenant:\n", `f.yaml:1:8: tenant: want the tenant's id`},
		"inline secret":       {"kind: IdentityProvider\nid: i\nclient_secret: hunter2\n", `f.yaml:3:16: IdentityProvider i: client_secret: a secret is never written here: put it into a file and say {file: path}`},
		"secret of two keys":  {"kind: IdentityProvider\nid: i\nclient_secret: {file: a, env: b}\n", `f.yaml:3:16: IdentityProvider i: client_secret: a secret is never written here: put it into a file and say {file: path}`},
		"missing secret file": {"kind: IdentityProvider\nid: i\nclient_secret: {file: no/such}\n", `f.yaml:3:16: IdentityProvider i: client_secret: no/such: no such file or directory`},
		"secret is a folder":  {"kind: IdentityProvider\nid: i\nclient_secret: {file: .}\n", `f.yaml:3:16: IdentityProvider i: client_secret: .: is a directory`},
		"secret is endless":   {"kind: IdentityProvider\nid: i\nclient_secret: {file: /dev/zero}\n", `f.yaml:3:16: IdentityProvider i: client_secret: /dev/zero is larger than 64 KiB`},
		"secret is empty":     {"kind: IdentityProvider\nid: i\nclient_secret: {file: /dev/null}\n", `f.yaml:3:16: IdentityProvider i: client_secret: /dev/null is empty`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := manifest.Decode("f.yaml", strings.NewReader(c.text), "acme")
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("it says the secret: %v", err)
			}
		})
	}
}

// Whatever YAML has for meaning something else than what stands there is refused, at its place.
func TestOnlyPlainYAML(t *testing.T) {
	t.Parallel()
	const app = "kind: App\nid: a\n"
	for name, c := range map[string]struct{ text, want string }{
		"key twice":              {app + "hosts: []\nhosts: []\n", `f.yaml:4:1: App a: hosts: stands already in line 3`},
		"kind twice":             {"kind: App\nid: a\nkind: Group\n", `f.yaml:3:1: Group a: kind: stands already in line 1`},
		"tenant twice":           {"tenant: acme\ntenant: acme\n", `f.yaml:2:1: tenant: stands already in line 1`},
		"nested key twice":       {app + "session: {idle_timeout: 1h, idle_timeout: 2h}\n", `f.yaml:3:29: App a: session.idle_timeout: stands already in line 3`},
		"key twice in a list":    {app + "routes:\n  - path: /a\n    path: /b\n", `f.yaml:5:5: App a: routes[0].path: stands already in line 4`},
		"label twice":            {app + "labels:\n  team: a\n  team: b\n", `f.yaml:5:3: App a: labels.team: stands already in line 4`},
		"label twice, spelled":   {app + "labels: {team: a, \"team\": b}\n", `f.yaml:3:19: App a: labels.team: stands already in line 3`},
		"anchor":                 {app + "hosts: &h [a.test]\n", `f.yaml:3:8: App a: hosts: anchors are not read: leave out &h, and write out what it stands for where it is wanted`},
		"anchor of a document":   {"&a\nkind: App\nid: a\n", `f.yaml:1:1: App a: anchors are not read: leave out &a`},
		"alias":                  {app + "display_name: &n x\nmanaged_by: *n\n", `f.yaml:4:13: App a: managed_by: aliases are not read: write out what *n stands for`},
		"alias of itself":        {"kind: App\nid: x\nlabels: &a {a: *a}\n", `f.yaml:3:9: App x: labels: anchors are not read`},
		"alias of nothing":       {app + "display_name: *n\n", `f.yaml:1: not YAML: unknown anchor 'n' referenced`},
		"ten to the nine":        {app + "labels:\n" + laughs(), `f.yaml:4:7: App a: labels.a0: anchors are not read`},
		"merge key":              {app + "<<: {hosts: [a.test]}\n", `f.yaml:3:1: App a: merge keys are not read: write the fields out`},
		"tag":                    {app + "display_name: !!str 1\n", `f.yaml:3:15: App a: display_name: tags are not read: leave out !!str`},
		"binary":                 {app + "display_name: !!binary aGk=\n", `f.yaml:3:15: App a: display_name: tags are not read: leave out !!binary`},
		"tag of ours":            {app + "session: !session {}\n", `f.yaml:3:10: App a: session: tags are not read: leave out !session`},
		"tag on a key":           {app + "!!str hosts: []\n", `f.yaml:3:1: App a: hosts: tags are not read: leave out !!str`},
		"key is a list":          {app + "? [hosts]\n: []\n", `f.yaml:3:3: App a: a key must be a word`},
		"key is an alias":        {app + "display_name: &n x\n*n : y\n", `f.yaml:4:1: App a: a key must be a word`},
		"tab":                    {"kind: App\n\tid: a\n", `f.yaml:2: not YAML: indent with spaces: YAML takes no tabs`},
		"tab before a list":      {app + "hosts:\n\t- a.test\n", `f.yaml:4: not YAML: indent with spaces: YAML takes no tabs`},
		"tab at the beginning":   {"\tkind: App\n", `f.yaml:1: not YAML: indent with spaces: YAML takes no tabs`},
		"indented too far":       {"kind: App\n  id: a\n", `f.yaml:2: not YAML: mapping values are not allowed in this context`},
		"indented too little":    {app + "routes:\n  - path: /\n   websocket: true\n", `f.yaml:4: not YAML: did not find expected '-' indicator`},
		"list not closed":        {"kind: App\nid: a\nhosts: [a.test\nx: y\n", `f.yaml:3: not YAML: did not find expected ',' or ']'`},
		"quote not closed":       {"kind: App\nid: 'a\n", `f.yaml:2: not YAML: found unexpected end of stream`},
		"control character":      {"kind: App\nid: \x01\n", `f.yaml:1: not YAML: control characters are not allowed`},
		"another version":        {"%YAML 2.0\n---\nkind: App\n", `f.yaml:1: not YAML: found incompatible YAML document`},
		"not UTF-8":              {"kind: App\nid: a\ndisplay_name: caf\xe9\n", `f.yaml:3:18: not UTF-8 text`},
		"UTF-16":                 {"\xff\xfek\x00", `f.yaml:1:1: not UTF-8 text`},
		"nothing":                {"", `f.yaml: is empty: want documents with kind and id`},
		"only comments":          {"# nothing\n---\n---\n", `f.yaml: is empty: want documents with kind and id`},
		"too large":              {app + "display_name: " + strings.Repeat("x", 16<<20), `f.yaml: larger than 16 MiB`},
		"fault, then not YAML":   {"kind: Ap\nid: a\n---\n[\n", "f.yaml:1:7: kind: unknown kind \"Ap\"; did you mean \"App\"?\nf.yaml:5: not YAML: "},
		"deep":                   {app + "hosts: " + strings.Repeat("[", 20_000), `f.yaml:`},
		"text of another script": {app + "dіsabled: true\n", `f.yaml:3:1: App a: dіsabled: unknown field "dіsabled"; did you mean "disabled"?`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := manifest.Decode("f.yaml", strings.NewReader(c.text), "acme")
			if err == nil || !strings.Contains("\n"+err.Error(), "\n"+c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// laughs is a mapping whose last entry would be a thousand million words.
func laughs() string {
	var text strings.Builder
	text.WriteString("  a0: &a0 [lol]\n")
	for i := range 9 {
		fmt.Fprintf(&text, "  a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	return text.String()
}

func TestDecodeTakes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"byte order mark":          "\xef\xbb\xbfkind: App\nid: a\n",
		"CRLF":                     "kind: App\r\nid: a\r\nhosts:\r\n  - a.test\r\n",
		"JSON":                     `{"kind": "App", "id": "a", "hosts": ["a.test"]}`,
		"end of document":          "kind: App\nid: a\n...\n",
		"comments and no document": "# one\n---\n# two\nkind: App\nid: a\n---\n# three\n",
		"tenant alone":             "tenant: acme\n",
		"tab in a text":            "kind: App\nid: a\ndisplay_name: 'a\tb'\n",
		"text in several lines":    "kind: App\nid: a\ndisplay_name: >-\n  a\n  b\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := manifest.Decode("f.yaml", strings.NewReader(text), "acme"); err != nil {
				t.Error(err)
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

func TestLocateTheNearestPlace(t *testing.T) {
	t.Parallel()
	m, err := manifest.Decode("f.yaml", strings.NewReader("kind: App\nid: a\nlabels:\n  team: x\n  a.b/c: y\nroutes:\n  - path: /\n"), "acme")
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{
		"":                           "f.yaml:1:1: App a: bad",
		"name":                       "f.yaml:2:5: App a: name: bad",
		"hosts":                      "f.yaml:1:1: App a: hosts: bad",
		`labels["a.b/c"]`:            `f.yaml:5:10: App a: labels["a.b/c"]: bad`,
		"labels":                     "f.yaml:4:3: App a: labels: bad",
		"routes[0].upstreams":        "f.yaml:7:5: App a: routes[0].upstreams: bad",
		"routes[7].upstreams":        "f.yaml:7:3: App a: routes[7].upstreams: bad",
		"routes[0].path":             "f.yaml:7:11: App a: routes[0].path: bad",
		"routes[99999999999999999].": "f.yaml:7:3: App a: routes[99999999999999999].: bad",
	} {
		if got := m.Resources[0].At(field, "bad", "").Error(); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
}

// What is exported reads back as what it was, for the demo's own manifests.
func TestEncodeDecode(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"acme.yaml", "globex.yaml", "platform.yaml"} {
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
