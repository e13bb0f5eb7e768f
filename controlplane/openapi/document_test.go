package openapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/openapi"
	"github.com/sallyport-iap/sallyport/edge/route"
)

func payroll(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/payroll.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, document []byte) *openapi.Document {
	t.Helper()
	d, err := openapi.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func payrollApp() *controlplane.App {
	return &controlplane.App{Hosts: []string{"payroll.acme.example"}}
}

// tested is what the document itself says of its operations, read without the package.
type tested struct{ id, method, path string }

func expected(t testing.TB, document []byte) []tested {
	t.Helper()
	var d struct {
		Paths      map[string]map[string]any
		Components struct{ PathItems map[string]map[string]any }
	}
	var raw map[string]any
	if err := yaml.Unmarshal(document, &raw); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	var all []tested
	for path, item := range d.Paths {
		if ref, ok := item["$ref"].(string); ok {
			item = d.Components.PathItems[strings.TrimPrefix(ref, "#/components/pathItems/")]
		}
		for method, o := range item {
			if operation, ok := o.(map[string]any); ok && operation["x-test-id"] != nil {
				all = append(all, tested{id: operation["x-test-id"].(string), method: strings.ToUpper(method), path: path})
			}
		}
	}
	return all
}

func TestDocument(t *testing.T) {
	t.Parallel()
	d := parse(t, payroll(t))
	var got []tested
	for _, o := range d.Operations {
		got = append(got, tested{o.ID, o.Method, o.Path})
	}
	want := expected(t, payroll(t))
	if len(want) < 50 {
		t.Fatalf("%d operations are no realistic document", len(want))
	}
	less := func(a, b tested) bool { return fmt.Sprint(a) < fmt.Sprint(b) }
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(tested{}), cmpopts.SortSlices(less)); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	if d.Title != "Payroll" || d.Version != "2.4.1" {
		t.Errorf("it is %q %q", d.Title, d.Version)
	}
	var notes []string
	for _, n := range d.Notes {
		notes = append(notes, fmt.Sprintf("%d %s: %.40s %v", n.Line, n.At, n.Message, n.Warning))
	}
	if diff := cmp.Diff([]string{
		`351 webhooks: left out: they are requests that the app false`,
		`28 GET /status: the document wants no credentials for it false`,
		`33 HEAD /status: is part of GET, which includes HEAD false`,
		`36 TRACE /status: left out: no request of the method TRACE true`,
		`40 GET /version: the document takes it without credential false`,
		`149 POST /employees/{employeeId}/bonuses: its callbacks are left out: they are req false`,
	}, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	for _, o := range d.Operations {
		access := map[string]string{
			"search-employees": "ACCESS_CLASS_READ", "delete-employee": "ACCESS_CLASS_ADMIN", "terminate-employee": "ACCESS_CLASS_ADMIN",
			"pay-runs.get": "ACCESS_CLASS_READ", "pay-runs.update": "ACCESS_CLASS_ADMIN", "pay-runs.delete": "ACCESS_CLASS_ADMIN",
			"pay-runs.approve": "ACCESS_CLASS_ADMIN",
		}
		if o.Access != access[o.ID] {
			t.Errorf("%s has the access class %q", o.ID, o.Access)
		}
		if public := o.ID == "get-status" || o.ID == "get-version"; o.Public != public {
			t.Errorf("%s public: %v", o.ID, o.Public)
		}
		if o.Deprecated != (o.ID == "list-documents-old") {
			t.Errorf("%s deprecated: %v", o.ID, o.Deprecated)
		}
		if line := bytes.Split(payroll(t), []byte("\n"))[o.Line-1]; strings.TrimSpace(string(line)) != strings.ToLower(o.Method)+":" {
			t.Errorf("%s is not at line %d: %q", o.ID, o.Line, line)
		}
	}
}

// The same document in JSON, indented with tabs as some tools do, says the same.
func TestJSONSaysTheSame(t *testing.T) {
	t.Parallel()
	var raw map[string]any
	if err := yaml.Unmarshal(payroll(t), &raw); err != nil {
		t.Fatal(err)
	}
	data, err := json.MarshalIndent(raw, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	// What YAML's library takes for an error in JSON.
	data = bytes.Replace(data, []byte(`"title": "Payroll"`), []byte(`"title": "Payroll\ud83d\udcb0"`), 1)
	ofYAML, ofJSON := parse(t, payroll(t)), parse(t, data)
	if ofJSON.Title != "Payroll💰" {
		t.Errorf("the title is %q", ofJSON.Title)
	}
	byID := func(a, b openapi.Operation) bool { return a.ID < b.ID }
	ignored := cmpopts.IgnoreFields(openapi.Operation{}, "Line")
	if diff := cmp.Diff(ofYAML.Operations, ofJSON.Operations, cmpopts.SortSlices(byID), ignored, cmpopts.IgnoreUnexported(openapi.Operation{})); diff != "" {
		t.Errorf("(-YAML +JSON):\n%s", diff)
	}
	for _, o := range ofJSON.Operations {
		line := bytes.Split(data, []byte("\n"))[o.Line-1]
		if !strings.Contains(string(line), `"`+strings.ToLower(o.Method)+`": {`) {
			t.Errorf("%s is not at line %d: %q", o.ID, o.Line, line)
		}
	}
}

// Each request that somebody could make is the operation that the document means.
func TestRequestsAreTheirOperations(t *testing.T) {
	t.Parallel()
	plan, err := parse(t, payroll(t)).Plan(payrollApp(), openapi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	table := compile(t, plan.Operations)
	requests := 0
	for _, want := range expected(t, payroll(t)) {
		for _, value := range []string{"42", "018f6d7e00007000", "a%20b", "%C3%A9t%C3%A9", "x.y~z_", "Ann@acme.test", "0x2A,7"} {
			path := "/v2" + filled(want.path, value)
			if got := operationOf(t, table, want.method, path); got != want.id {
				t.Errorf("%s %s is %q, want %q", want.method, path, got, want.id)
			}
			if want.method == "GET" && operationOf(t, table, "HEAD", path) != want.id {
				t.Errorf("HEAD %s is not %q", path, want.id)
			}
			requests++
		}
	}
	if requests < 400 {
		t.Errorf("only %d requests", requests)
	}
	for request, want := range map[string]string{
		"GET /v2/employees/me":                 "get-me", // not {employeeId}
		"GET /v2/employees/me/photo.png":       "get-photo-as",
		"POST /v2/employees/7:terminate":       "terminate-employee",
		"POST /v2/employees/7%3Aterminate":     "terminate-employee",
		"GET /v2/employees/7:terminate":        "get-employee",
		"GET /v2/employees/7/documents/a.pdf":  "get-document-pdf",
		"GET /v2/employees/7/documents/a.docx": "get-document",
		"GET /v2/employees/7/documents/":       "list-documents-old",
		"GET /v2/employees/7/documents":        "list-documents",
		"GET /v2/pay-runs/latest":              "pay-runs.latest",
		"GET /v2/pay-runs/2026-11":             "pay-runs.of-month",
		"GET /v2/pay-runs/run7":                "pay-runs.get",
		"GET /v2/reports/costs.csv":            "reports_get-csv",
		"GET /v2/tax/at/rates":                 "get_tax_rates",
		"GET /v2/tax/at/48.2,16.3":             "tax-at",
		"GET /v2/files/a":                      "get-file",

		"GET /employees":               "",
		"GET /v2/employees/":           "",
		"GET /v2/files/a/b":            "",
		"POST /v2/employees/7":         "",
		"TRACE /v2/status":             "",
		"GET /v2/pay-runs/7/slips/1/2": "",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := operationOf(t, table, method, path); got != want {
			t.Errorf("%s is %q, want %q", request, got, want)
		}
	}
}

func compile(t testing.TB, operations []controlplane.Operation) *route.Table {
	t.Helper()
	spec := route.Spec{Hosts: payrollApp().Hosts}
	for _, o := range operations {
		spec.Operations = append(spec.Operations, route.Operation{ID: o.ID, Methods: o.Methods, Paths: o.Paths, Hosts: o.Hosts})
	}
	table, problems := route.Compile(spec)
	if len(problems) > 0 {
		t.Fatalf("edges refuse it: %+v", problems)
	}
	return table
}

func operationOf(t testing.TB, table *route.Table, method, target string) string {
	t.Helper()
	path, err := route.Canonical(target, route.Options{})
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	id, _ := table.Operation(payrollApp().Hosts[0], method, path)
	return id
}

// filled is a request's path of a template.
func filled(template, value string) string {
	var out strings.Builder
	for rest := template; ; {
		text, after, braced := strings.Cut(rest, "{")
		out.WriteString(strings.ReplaceAll(text, "ü", "%C3%BC"))
		if !braced {
			return out.String()
		}
		_, rest, _ = strings.Cut(after, "}")
		out.WriteString(value)
	}
}

func refused(t *testing.T, document string) []string {
	t.Helper()
	_, err := openapi.Parse([]byte(document))
	if err == nil {
		return nil
	}
	refusal, ok := err.(*openapi.Refused) //nolint:errorlint // the type is the promise, not something that wraps it
	if !ok {
		t.Fatalf("an error of type %T: %v", err, err)
	}
	var said []string
	for _, p := range refusal.Problems {
		said = append(said, p.String())
	}
	slices.Sort(said)
	return said
}
