package openapi_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/openapi"
	"github.com/sallyport-iap/sallyport/edge/route"
)

var idForm = regexp.MustCompile(`^[a-z]([a-z0-9._-]{0,61}[a-z0-9])?$`) // of proto/sallyport/v1/app.proto

// Whatever the bytes are, they are refused or become operations that edges and the API accept; and a request that fills an
// operation's path is some operation of the document, of a method that it is for.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{
		doc("  /a/{b}.{c}: &x {get: {operationId: a, parameters: [{$ref: '#/components/parameters/B'}]}}\n  /d: *x\ncomponents: {parameters: {B: {in: path, name: b}}}\n"),
		doc("  /a: {<<: {get: {}}, put: {security: [], servers: [{url: 'http://{a}/{b}', variables: {a: {default: c}, b: {default: d}}}]}}\n"),
		doc("  /a: {$ref: '#/paths/~1b'}\n  /b: {head: {}, trace: {}, options: {deprecated: true, x-sallyport-access: ADMIN}}\n"),
		`{"openapi": "3.1.0", "servers": [{"url": "/v1"}], "paths": {"/\u00e9/{x}": {"get": {"operationId": "\ud83d\ude00"}}}, "webhooks": {}}`,
		doc("  /*/%41/{a}{b}/ /:x: {get: {}}\n"),
	} {
		f.Add([]byte(seed), "", "")
		f.Add([]byte(seed), "/{base}/v1", "/{base}")
	}
	f.Fuzz(func(t *testing.T, document []byte, base, strip string) {
		d, err := openapi.Parse(document)
		if err != nil {
			return
		}
		app := payrollApp()
		plan, err := d.Plan(app, openapi.Options{BasePath: base, StripPrefix: strip})
		if err != nil {
			return
		}
		table := compile(t, plan.Operations)
		for i := range plan.Operations {
			o := &plan.Operations[i]
			if !idForm.MatchString(o.ID) || len(o.Paths) != 1 || len(o.Paths[0]) > 1024 || len(o.Methods) != 1 {
				t.Fatalf("the API would refuse %+v", o)
			}
			answers(t, table, o)
		}
		again, err := d.Plan(&controlplane.App{Hosts: app.Hosts, Operations: plan.Operations}, openapi.Options{BasePath: base, StripPrefix: strip})
		if err != nil || len(again.Changes) > 0 {
			t.Fatalf("the second time: %v, %+v", err, again)
		}
	})
}

// answers makes a request of a pattern, if there is one that no edge refuses, and wants it to be an operation.
func answers(t *testing.T, table *route.Table, o *controlplane.Operation) {
	t.Helper()
	segments := strings.Split(o.Paths[0], "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "x"
		}
		segments[i] = strings.ReplaceAll(segments[i], "*", "x")
		var sent strings.Builder
		for _, c := range []byte(segments[i]) {
			if c > 0x7e || strings.IndexByte(`"<>^|`+"`{}", c) >= 0 {
				sent.WriteString(strings.ToUpper("%" + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15])))
			} else {
				sent.WriteByte(c)
			}
		}
		segments[i] = sent.String()
	}
	path, err := route.Canonical(strings.Join(segments, "/"), route.Options{})
	if err != nil {
		return // such as "%2F" in a template
	}
	if _, ok := table.Operation(payrollApp().Hosts[0], o.Methods[0], path); !ok {
		t.Errorf("%s %s is nothing, and %s is %s", o.Methods[0], path.Match, o.ID, o.Paths[0])
	}
}
