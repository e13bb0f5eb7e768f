package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/cli"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/manifest"
)

// edit is another value for one field of testdata/every.
type edit struct {
	at      string // the field, with the elements of lists on the way: `rules[0].principals`
	to      string // JSON; "" removes it
	told    string // the paths that the answer must name, if not at
	refused string // the field cannot change alone: part of why
}

// edits are by kind and field. TestEachFieldEdited wants one for every field that the API has.
var edits = map[string]map[string]edit{
	"*": {
		"labels":       {at: "labels", to: `{"team": "b", "a.b/c": "d"}`, told: "labels.team"},
		"annotations":  {at: "annotations", to: `{"note": "m"}`, told: "annotations.note"},
		"managed_by":   {at: "managed_by", to: `"terraform"`},
		"display_name": {at: "display_name", to: `"Other"`},
	},
	"Tenant": {
		"auth_host":                 {at: "auth_host", to: `"login.every.localhost"`},
		"disabled":                  {at: "disabled", to: `true`},
		"session":                   {at: "session"},
		"session.absolute_lifetime": {at: "session.absolute_lifetime", to: `"43201s"`},
		"session.idle_timeout":      {at: "session.idle_timeout", to: `"3600.5s"`},
	},
	"IdentityProvider": {
		"issuer":               {at: "issuer", to: `"https://idp2.every.example"`},
		"allow_http_loopback":  {at: "allow_http_loopback", to: `true`, refused: "is for issuers at loopback addresses only"},
		"client_id":            {at: "client_id", to: `"other"`},
		"client_secret":        {at: "client_secret", to: `"hunter2hunter2"`},
		"scopes":               {at: "scopes", to: `["openid", "profile"]`},
		"claims":               {at: "claims"},
		"claims.email":         {at: "claims.email", to: `"mail"`},
		"claims.name":          {at: "claims.name", to: `"nick"`},
		"claims.groups":        {at: "claims.groups", to: `"roles"`},
		"email_domains":        {at: "email_domains", to: `["every.test"]`},
		"authorize_parameters": {at: "authorize_parameters", to: `{"hd": "every.example", "prompt": "none"}`, told: "authorize_parameters.prompt"},
		"disabled":             {at: "disabled", to: `true`},
	},
	"ServiceAccount": {
		"description": {at: "description", to: `"Another."`},
		"disabled":    {at: "disabled", to: `true`},
	},
	"Group": {
		// A member has no name of its own: another one is another list.
		"members":                 {at: "members", to: `[{"user": "bob@every.test"}]`},
		"members.idp_group":       {at: "members[0].idp_group", to: `{"idp": "here", "name": "x"}`, told: "members"},
		"members.idp_group.idp":   {at: "members[0].idp_group.idp", to: `"here"`, told: "members"},
		"members.idp_group.name":  {at: "members[0].idp_group.name", to: `"Engineering"`, told: "members"},
		"members.group":           {at: "members[1].group", to: `"everyone"`, refused: "everyone"},
		"members.service_account": {at: "members[2].service_account", to: `"other"`, refused: `service account "other" does not exist`},
		"members.user":            {at: "members[3].user", to: `"carol@every.test"`, told: "members"},
	},
	"Role": {
		"operations": {at: "operations", to: `["status"]`},
		"access":     {at: "access", to: `["ACCESS_CLASS_READ", "ACCESS_CLASS_WRITE"]`},
	},
	"Member": {
		"email":      {at: "email", to: `"ann@every.example"`},
		"role":       {at: "role", to: `"ADMIN_ROLE_VIEWER"`},
		"app_labels": {at: "app_labels", to: `{"team": "b", "tier": "internal"}`, told: "app_labels.team"},
	},
	"App": {
		"hosts":                     {at: "hosts", to: `["api.every.localhost", "api3.every.localhost"]`},
		"routes":                    {at: "routes", to: `[{"path": "/**", "upstreams": [{"url": "http://127.0.0.1:9002"}, {"url": "https://api.every.example"}], "websocket": true, "timeout": "90s"}]`},
		"routes.path":               {at: "routes[1].path", to: `"/v3/**"`, told: "routes"},
		"routes.upstreams":          {at: "routes[1].upstreams", to: `[{"url": "https://v3.every.example:8443"}]`},
		"routes.upstreams.url":      {at: "routes[0].upstreams[0].url", to: `"http://127.0.0.1:9003"`, told: "routes[0].upstreams"},
		"routes.websocket":          {at: "routes[0].websocket"},
		"routes.timeout":            {at: "routes[0].timeout", to: `"90.001s"`},
		"operations":                {at: "operations", to: `[{"id": "status", "methods": ["GET"], "paths": ["/v1/status", "/v2/status"], "hosts": ["api.every.localhost"], "access": "ACCESS_CLASS_READ"}]`},
		"operations.id":             {at: "operations[1].id", to: `"read.some"`, told: "operations"},
		"operations.methods":        {at: "operations[2].methods", to: `["POST", "PUT"]`},
		"operations.paths":          {at: "operations[1].paths", to: `["/v1/**"]`},
		"operations.hosts":          {at: "operations[0].hosts", to: `["api2.every.localhost"]`},
		"operations.access":         {at: "operations[2].access", to: `"ACCESS_CLASS_WRITE"`},
		"upstream_identity":         {at: "upstream_identity"},
		"upstream_identity.headers": {at: "upstream_identity.headers", to: `["user", "email", "groups"]`},
		"upstream_identity.groups":  {at: "upstream_identity.groups", to: `["staff"]`},
		"disabled":                  {at: "disabled", to: `true`},
		"allow_encoded_slash":       {at: "allow_encoded_slash"},
		"allow_semicolon":           {at: "allow_semicolon"},
		"merge_slashes":             {at: "merge_slashes"},
		"cors_preflight":            {at: "cors_preflight"},
		"upstream_authorization":    {at: "upstream_authorization", to: `"UPSTREAM_AUTHORIZATION_PASS"`},
		"allowed_headers":           {at: "allowed_headers", to: `["X_Trace"]`},
		"websocket_origins":         {at: "websocket_origins", to: `["https://partner.example"]`},
		"session":                   {at: "session"},
		"session.absolute_lifetime": {at: "session.absolute_lifetime", to: `"7201s"`},
		"session.idle_timeout":      {at: "session.idle_timeout", to: `"601s"`},
		"max_staleness":             {at: "max_staleness", to: `"5401s"`},
		"session_store_grace":       {at: "session_store_grace", to: `"0s"`},
	},
	"Policy": {
		"apps":                                {at: "apps", to: `["api"]`},
		"rules":                               {at: "rules", to: `[{"id": "status", "effect": "EFFECT_ALLOW", "principals": ["anyone"], "operations": ["status"]}]`},
		"rules.id":                            {at: "rules[0].id", to: `"others"`, told: "rules"},
		"rules.effect":                        {at: "rules[1].effect", to: `"EFFECT_DENY"`},
		"rules.principals":                    {at: "rules[0].principals", to: `["group:everyone"]`},
		"rules.roles":                         {at: "rules[0].roles", to: `["reader"]`},
		"rules.operations":                    {at: "rules[1].operations", to: `["*"]`},
		"rules.conditions":                    {at: "rules[0].conditions"},
		"rules.conditions.source_cidrs":       {at: "rules[0].conditions.source_cidrs", to: `["10.0.0.0/8"]`},
		"rules.conditions.idps":               {at: "rules[0].conditions.idps", to: `["demo"]`},
		"rules.conditions.members_of":         {at: "rules[0].conditions.members_of", to: `["staff"]`},
		"rules.conditions.not_before":         {at: "rules[0].conditions.not_before", to: `"2026-01-01T00:00:00.000001Z"`},
		"rules.conditions.not_after":          {at: "rules[0].conditions.not_after", to: `"2030-01-01T00:00:01Z"`},
		"rules.conditions.countries":          {at: "rules[0].conditions.countries", to: `["FR"]`},
		"rules.conditions.time_windows":       {at: "rules[0].conditions.time_windows"},
		"rules.conditions.time_windows.days":  {at: "rules[0].conditions.time_windows[0].days", to: `["DAY_OF_WEEK_SUNDAY"]`, told: "rules[0].conditions.time_windows"},
		"rules.conditions.time_windows.start": {at: "rules[0].conditions.time_windows[0].start", to: `"07:59"`, told: "rules[0].conditions.time_windows"},
		"rules.conditions.time_windows.end":   {at: "rules[0].conditions.time_windows[0].end", to: `"24:00"`, told: "rules[0].conditions.time_windows"},
		"rules.conditions.time_windows.zone":  {at: "rules[0].conditions.time_windows[0].zone", to: `"Asia/Tokyo"`, told: "rules[0].conditions.time_windows"},
		"rules.conditions.max_auth_age":       {at: "rules[0].conditions.max_auth_age", to: `"28801s"`},
		"rules.conditions.required_acr":       {at: "rules[0].conditions.required_acr", to: `["high"]`},
		"rules.conditions.required_amr":       {at: "rules[0].conditions.required_amr", to: `["hwk"]`},
		// Refused until something reports what a device is.
		"rules.conditions.device":                {at: "rules[0].conditions.device", to: `{"managed": true}`, refused: "leave it out for now"},
		"rules.conditions.device.managed":        {at: "rules[0].conditions.device", to: `{"managed": true}`, refused: "leave it out for now"},
		"rules.conditions.device.compliant":      {at: "rules[0].conditions.device", to: `{"compliant": true}`, refused: "leave it out for now"},
		"rules.conditions.device.posture":        {at: "rules[0].conditions.device", to: `{"posture": ["disk"]}`, refused: "leave it out for now"},
		"rules.conditions.device.max_report_age": {at: "rules[0].conditions.device", to: `{"managed": true, "max_report_age": "3600s"}`, refused: "leave it out for now"},
		"rules.expression":                       {at: "rules[0].expression", to: `"request.method == \"GET\""`},
		"mode":                                   {at: "mode", to: `"POLICY_MODE_SHADOW"`},
		// It names its apps; the other policy of testdata/every selects them.
		"selector":               {at: "selector", to: `[{"key": "team", "values": ["a"]}]`, refused: "not both"},
		"selector.key":           {at: "selector", to: `[{"key": "team", "values": ["a"]}]`, refused: "not both"},
		"selector.values":        {at: "selector", to: `[{"key": "team", "values": ["a"]}]`, refused: "not both"},
		"selector.unset":         {at: "selector", to: `[{"key": "team", "values": ["a"], "unset": "UNSET_LABEL_NO_MATCH"}]`, refused: "not both"},
		"exemptions":             {at: "exemptions", to: `[{"id": "e", "principals": ["people"]}]`, refused: "exemptions are for policies that select by labels"},
		"exemptions.id":          {at: "exemptions", to: `[{"id": "e", "principals": ["people"]}]`, refused: "exemptions are for policies that select by labels"},
		"exemptions.principals":  {at: "exemptions", to: `[{"id": "e", "principals": ["people"]}]`, refused: "exemptions are for policies that select by labels"},
		"exemptions.apps":        {at: "exemptions", to: `[{"id": "e", "principals": ["people"], "apps": ["api"]}]`, refused: "exemptions are for policies that select by labels"},
		"exemptions.not_after":   {at: "exemptions", to: `[{"id": "e", "principals": ["people"], "not_after": "2030-01-01T00:00:00Z"}]`, refused: "exemptions are for policies that select by labels"},
		"exemptions.description": {at: "exemptions", to: `[{"id": "e", "principals": ["people"], "description": "x"}]`, refused: "exemptions are for policies that select by labels"},
		"rules.description":      {at: "rules[0].description", to: `"x"`},
		"rules.remediation":      {at: "rules[0].remediation", to: `"x"`},
	},
	"Grant": {
		"app":        {at: "app", to: `"wiki"`},
		"principals": {at: "principals", to: `["people"]`},
		"roles":      {at: "roles", to: `["reader"]`},
		"operations": {at: "operations", to: `["status"]`, refused: "not both"},
		"not_before": {at: "not_before", to: `"2026-01-01T00:00:01Z"`},
		"not_after":  {at: "not_after", to: `"2030-01-01T00:00:01Z"`},
		"reason":     {at: "reason", to: `"x"`},
	},
	"PolicyTest": {
		"principal":                   {at: "principal", to: `{"anonymous": true}`, told: "principal.anonymous principal.user"},
		"principal.user":              {at: "principal.user", to: `{"email": "ann@every.test", "idp": "here"}`, told: "principal.user.acr principal.user.amr principal.user.auth_age principal.user.claim_groups"},
		"principal.user.email":        {at: "principal.user.email", to: `"bob@every.test"`},
		"principal.user.idp":          {at: "principal.user.idp", to: `"demo"`},
		"principal.user.claim_groups": {at: "principal.user.claim_groups", to: `["a"]`},
		"principal.user.auth_age":     {at: "principal.user.auth_age", to: `"0s"`},
		"principal.user.acr":          {at: "principal.user.acr", to: `"low"`},
		"principal.user.amr":          {at: "principal.user.amr"},
		"principal.service_account":   {at: "principal", to: `{"service_account": "ci"}`, told: "principal.service_account principal.user"},
		"principal.anonymous":         {at: "principal", to: `{"anonymous": true}`, told: "principal.anonymous principal.user"},
		"request":                     {at: "request", to: `{"app": "lone", "method": "GET", "path": "/x", "country": "DE", "time": "2026-01-01T00:00:00Z"}`, told: "request.source_ip"},
		"request.app":                 {at: "request.app", to: `"wiki"`, refused: "expected deny.no_policy"},
		"request.host":                {at: "request.host", to: `"lone.every.localhost"`, refused: "if an app is given"},
		"request.method":              {at: "request.method", to: `"HEAD"`},
		"request.path":                {at: "request.path", to: `"/y"`},
		"request.source_ip":           {at: "request.source_ip", to: `"2001:db8::1"`},
		"request.country":             {at: "request.country", to: `"FR"`},
		"request.time":                {at: "request.time", to: `"2026-01-01T00:00:00.5Z"`},
		"expect":                      {at: "expect", to: `{"outcome": "OUTCOME_DENY"}`, told: "expect.reason"},
		"expect.outcome":              {at: "expect.outcome", to: `"OUTCOME_ALLOW"`, refused: "policyTests/lone: outcome DENY, expected ALLOW"},
		"expect.reason":               {at: "expect.reason", to: `"deny.no_polcy"`, refused: `did you mean "deny.no_policy"?`},
		"expect.policy":               {at: "expect.policy", to: `"api"`, refused: "policy none, expected api"},
		"expect.rule":                 {at: "expect.rule", to: `"readers"`, refused: "rule none, expected readers"},
		"expect.grant":                {at: "expect.grant", to: `"ann"`, refused: "grant none, expected ann"},
	},
	"EdgePool": {
		"tenants":                {at: "tenants", to: `["every"]`},
		"login":                  {at: "login"},
		"allowed_upstream_cidrs": {at: "allowed_upstream_cidrs", to: `["127.0.0.0/8"]`},
		"trusted_proxy_cidrs":    {at: "trusted_proxy_cidrs", to: `["10.0.0.0/8"]`},
	},
}

// fieldsOf returns the paths of all fields that people write, without the places of elements.
func fieldsOf(d protoreflect.MessageDescriptor, at string) []string {
	var paths []string
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		name := string(f.Name())
		if at == "" && slices.Contains([]string{"name", "uid", "etag", "create_time", "update_time", "revision", "status"}, name) {
			continue
		}
		path := strings.TrimPrefix(at+"."+name, ".")
		paths = append(paths, path)
		if f.Message() != nil && !f.IsMap() && f.Message().ParentFile().Package() == d.ParentFile().Package() {
			paths = append(paths, fieldsOf(f.Message(), path)...)
		}
	}
	return paths
}

// world is a tenant of its own, and a pool, for testdata/every.
type world struct {
	*deployment
	server, token, dir string
}

func everywhere(t *testing.T) *world {
	t.Helper()
	d := deploy(t)
	w := &world{deployment: d, server: d.operator.URL, dir: t.TempDir()}
	var err error
	if w.token, err = d.tenant("every", "auth.every.localhost"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.tenant("every-other", "auth.every-other.localhost"); err != nil {
		t.Fatal(err)
	}
	return w
}

// run runs a command line as the tenant's owner, or as the operator.
func (w *world) run(operator bool, args ...string) (stdout string, err error) {
	environment := map[string]string{"SALLYPORT_TOKEN": w.token}
	if operator {
		environment["SALLYPORT_TOKEN"] = w.deployment.token
	}
	args = append([]string{"--server", w.server}, args...)
	if !operator {
		args = append([]string{"--tenant", "every"}, args...)
	}
	var out bytes.Buffer
	err = cli.Run(context.Background(), process.Env{Args: args, Getenv: func(name string) string { return environment[name] }, Stdin: strings.NewReader(""), Stdout: &out, Stderr: io.Discard})
	return out.String(), err
}

// applied is what `apply -o json` says.
type applied struct {
	Revision string
	Changes  []struct {
		Name   string
		Action string
		Fields []string
	}
}

func (w *world) apply(t *testing.T, operator bool, file string) applied {
	t.Helper()
	out, err := w.run(operator, "apply", "-o", "json", "-f", file)
	if err != nil {
		t.Fatalf("apply %s: %v", file, err)
	}
	var a applied
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return a
}

func (w *world) changeRows(t *testing.T) int {
	t.Helper()
	out, err := w.run(false, "audit", "list", "--changes", "--limit", "5000", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(out, `{"revision":"c`)
}

// copyEvery copies testdata/every, with the secret that it names.
func (w *world) copyEvery(t *testing.T) {
	t.Helper()
	secret := filepath.Join(w.dir, "client-secret")
	if err := os.WriteFile(secret, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tenant.yaml", "tenant-respelled.yaml", "platform.yaml", "platform-respelled.yaml"} {
		text, err := os.ReadFile(filepath.Join("testdata/every", name))
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.Replace(text, []byte("{file: client-secret}"), []byte("{file: "+secret+"}"), 1)
		if err := os.WriteFile(filepath.Join(w.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryKindAndField(t *testing.T) { //nolint:tparallel // the edits are of one tenant, one after the other
	t.Parallel()
	w := everywhere(t)
	w.copyEvery(t)
	platform, tenant := filepath.Join(w.dir, "platform.yaml"), filepath.Join(w.dir, "tenant.yaml")

	// The pool first: it opens this machine to the tenant's upstreams.
	if a := w.apply(t, true, platform); len(a.Changes) != 1 || a.Changes[0].Name != "edgePools/every" {
		t.Fatalf("the platform: %+v", a)
	}
	if err := w.keysOf("every"); err != nil {
		t.Fatal(err)
	}
	first := w.apply(t, false, tenant)
	if len(first.Changes) != 15 {
		t.Fatalf("the tenant: %+v", first)
	}
	rows := w.changeRows(t)
	for _, again := range []string{"tenant.yaml", "tenant-respelled.yaml", "tenant.yaml"} {
		if a := w.apply(t, false, filepath.Join(w.dir, again)); len(a.Changes) != 0 || a.Revision != first.Revision {
			t.Errorf("%s again: %+v", again, a)
		}
	}
	for _, again := range []string{"platform.yaml", "platform-respelled.yaml"} {
		if a := w.apply(t, true, filepath.Join(w.dir, again)); len(a.Changes) != 0 {
			t.Errorf("%s again: %+v", again, a)
		}
	}
	if n := w.changeRows(t) - rows; n != 0 {
		out, _ := w.run(false, "audit", "list", "--changes")
		t.Errorf("%d change rows for nothing\n%s", n, out)
	}
	w.exported(t)

	t.Run("edits", func(t *testing.T) {
		for _, file := range []string{platform, tenant} {
			w.edits(t, file)
		}
	})
}

// exported wants that what is exported says everything but the secret, and changes nothing when it is applied.
func (w *world) exported(t *testing.T) {
	t.Helper()
	out, err := w.run(false, "export")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.dir, "exported.yaml")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if a := w.apply(t, false, file); len(a.Changes) != 0 {
		t.Errorf("applying the export changes %+v", a)
	}
	got, err := manifest.Read([]string{file}, nil, "every")
	if err != nil {
		t.Fatal(err)
	}
	want, err := manifest.Read([]string{filepath.Join(w.dir, "tenant.yaml")}, nil, "every")
	if err != nil {
		t.Fatal(err)
	}
	// Beside what was applied there is the owner that the tenant began with.
	if diff := cmp.Diff(append(names(want), "tenants/every/members/owner"), names(got), sortedStrings); diff != "" {
		t.Errorf("exported (-want +got):\n%s", diff)
	}
}

var sortedStrings = cmp.Transformer("sort", func(in []string) []string { return slices.Sorted(slices.Values(in)) })

func names(m *manifest.Manifest) []string {
	var all []string
	for _, r := range m.Resources {
		all = append(all, nameOf(r.Message))
	}
	return all
}

func nameOf(m proto.Message) string {
	r := m.ProtoReflect()
	return r.Get(r.Descriptor().Fields().ByName("name")).String()
}

// edits edits each field of each kind in a file, applies that, and applies the file again.
func (w *world) edits(t *testing.T, file string) {
	t.Helper()
	operator := strings.HasPrefix(filepath.Base(file), "platform")
	read, err := manifest.Read([]string{file}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range read.Resources {
		if r.Message.ProtoReflect().Get(r.Message.ProtoReflect().Descriptor().Fields().ByName("display_name")).String() == "" {
			continue // what others refer to, and no more
		}
		byField := maps.Clone(edits["*"])
		maps.Copy(byField, edits[r.Kind])
		for _, field := range fieldsOf(r.Message.ProtoReflect().Descriptor(), "") {
			e, ok := byField[field]
			if !ok {
				t.Errorf("%s.%s: nobody has said how it is edited", r.Kind, field)
				continue
			}
			delete(byField, field)
			t.Run(r.Kind+" "+field, func(t *testing.T) {
				w.edit(t, operator, file, read, i, e)
			})
		}
		for field := range byField {
			if _, common := edits["*"][field]; !common {
				t.Errorf("%s.%s: there is an edit, and no such field", r.Kind, field)
			}
		}
	}
}

func (w *world) edit(t *testing.T, operator bool, original string, read *manifest.Manifest, i int, e edit) {
	t.Helper()
	edited := proto.Clone(read.Resources[i].Message)
	setField(t, edited, e.at, e.to, e.refused != "")
	var all []proto.Message
	for j, r := range read.Resources {
		m := r.Message
		if j == i {
			m = edited
		}
		all = append(all, m)
	}
	file := filepath.Join(w.dir, "edited.yaml")
	w.write(t, file, read.Tenant, all)

	if e.refused != "" {
		_, err := w.run(operator, "apply", "-f", file)
		if err == nil || !strings.Contains(err.Error(), e.refused) {
			t.Fatalf("want it refused for %q, got %v", e.refused, err)
		}
		if a := w.apply(t, operator, original); len(a.Changes) != 0 {
			t.Fatalf("it was refused, and something changed: %+v", a)
		}
		return
	}
	want := e.told
	if want == "" {
		want = e.at
	}
	// There, where applying it once more changes nothing, and back again.
	for _, f := range []string{file, original} {
		a := w.apply(t, operator, f)
		if len(a.Changes) != 1 || a.Changes[0].Name != nameOf(edited) || a.Changes[0].Action != "ACTION_UPDATE" {
			t.Fatalf("%s: want a change of %s and nothing else, got %+v", filepath.Base(f), nameOf(edited), a.Changes)
		}
		if diff := cmp.Diff(strings.Fields(want), a.Changes[0].Fields); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", filepath.Base(f), diff)
		}
		if f == original {
			break // that it changes nothing once more, the next edit shows
		}
		if a := w.apply(t, operator, f); len(a.Changes) != 0 {
			t.Errorf("%s, once more: %+v", filepath.Base(f), a)
		}
	}
}

// write writes resources as a manifest. Secrets, which a manifest does not hold, are put into files.
func (w *world) write(t *testing.T, file, tenant string, all []proto.Message) {
	t.Helper()
	var out bytes.Buffer
	if err := manifest.Encode(&out, tenant, all); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, m := range all {
		r := m.ProtoReflect()
		f := r.Descriptor().Fields().ByName("client_secret")
		if f == nil || r.Get(f).String() == "" {
			continue
		}
		secret := filepath.Join(w.dir, "edited-secret")
		if err := os.WriteFile(secret, []byte(r.Get(f).String()), 0o600); err != nil {
			t.Fatal(err)
		}
		// It is the first of the two providers, and the only one with a secret.
		text = strings.Replace(text, "# client_secret: {file: path} #", "client_secret: {file: "+secret+"} #", 1)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// setField puts a JSON value at a path of a message, where there is one already unless it may be new.
func setField(t *testing.T, m proto.Message, at, to string, mayBeNew bool) {
	t.Helper()
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var root any
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	tree := root
	var value any
	if to != "" {
		if err := json.Unmarshal([]byte(to), &value); err != nil {
			t.Fatal(err)
		}
	}
	steps := strings.Split(at, ".")
	for n, step := range steps {
		name, index, inList := strings.Cut(strings.TrimSuffix(step, "]"), "[")
		object, ok := tree.(map[string]any)
		if !ok {
			t.Fatalf("%s: testdata/every has no such field", at)
		}
		switch {
		case n == len(steps)-1:
			_, set := object[name]
			if !set && value != true && !mayBeNew {
				t.Fatalf("%s: testdata/every does not set it", at)
			}
			if object[name] = value; to == "" {
				delete(object, name)
			}
		case inList:
			var i int
			if _, err := fmt.Sscan(index, &i); err != nil {
				t.Fatal(err)
			}
			list, _ := object[name].([]any)
			if i >= len(list) {
				t.Fatalf("%s: testdata/every has no such element", at)
			}
			tree = list[i]
		default:
			tree = object[name]
		}
	}
	if data, err = json.Marshal(root); err != nil {
		t.Fatal(err)
	}
	proto.Reset(m)
	if err := protojson.Unmarshal(data, m); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
}
