package openapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane/openapi"
)

// doc is a document with one path.
func doc(path string) string { return "openapi: 3.0.3\npaths:\n" + path }

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		document string
		want     []string
	}{
		"empty":            {"", []string{"the document is empty"}},
		"comments":         {"# nothing\n", []string{"the document is empty"}},
		"not UTF-8":        {"openapi: \xff", []string{"the document is not UTF-8"}},
		"no YAML":          {"a: [b", []string{"the document is not YAML: line 1: did not find expected ',' or ']'"}},
		"no JSON":          {`{"openapi": "3.0.0", "paths": {"/a": {} "/b": {}}}`, []string{"the document is not JSON: invalid character '\"' after object key:value pair"}},
		"a list":           {"- a\n", []string{"line 1: the document: is not an object"}},
		"two documents":    {"openapi: 3.0.0\n---\nopenapi: 3.0.0\n", []string{"there is more than one document; give one"}},
		"two in JSON":      {`{"openapi": "3.0.0"} {"openapi": "3.0.0"}`, []string{"the document is not JSON: there is something behind its end"}},
		"no OpenAPI":       {"a: b\n", []string{"the document does not say that it is OpenAPI: it has no field openapi, such as openapi: 3.1.0"}},
		"Swagger":          {"swagger: '2.0'\n", []string{"line 1: swagger: the document is Swagger 2.0; convert it to OpenAPI 3 first"}},
		"OpenAPI 3.2":      {"openapi: 3.2.0\n", []string{"line 1: openapi: the document is OpenAPI 3.2.0; 3.0 and 3.1 are read"}},
		"OpenAPI 4":        {"openapi: 4.0.0\n", []string{"line 1: openapi: the document is OpenAPI 4.0.0; 3.0 and 3.1 are read"}},
		"no paths":         {"openapi: 3.0.0\n", []string{"the document has no paths, so there is nothing to import"}},
		"no operations":    {doc("  /a: {}\n  x-b: {get: {}}\n"), []string{"the document has no operations, so there is nothing to import"}},
		"a path twice":     {doc("  /a: {get: {}}\n  /b: {get: {}}\n  /a: {put: {}}\n"), []string{`line 5: paths: has "/a" twice`}},
		"twice in JSON":    {`{"openapi": "3.0.0", "paths": {"/a": {"get": {}, "get": {}}}}`, []string{`line 1: /a: has "get" twice`}},
		"not a path":       {doc("  a: {get: {}}\n"), []string{`line 3: a: a path begins with "/"`}},
		"a query":          {doc("  /a?b={c}: {get: {}}\n"), []string{"line 3: /a?b={c}: a path has no query and no fragment: operations are told apart by method and path"}},
		"no template":      {doc("  /a/{b: {get: {}}\n  /a/b}: {get: {}}\n  /a/{}: {get: {}}\n  /{a{b}}: {get: {}}\n"), []string{`line 3: /a/{b: "{b" is no template: a parameter is {name}`, `line 4: /a/b}: "b}" has a "}" without "{"`, `line 5: /a/{}: "{}" is no template: a parameter is {name}`, `line 6: /{a{b}}: "{a{b}}" is no template: a parameter is {name}`}},
		"an empty one":     {doc("  /a:\n    get:\n"), []string{"line 4: GET /a: is empty: an operation is an object"}},
		"a text":           {doc("  /a: b\n"), []string{"line 3: /a: is not an object"}},
		"an access class":  {doc("  /a: {get: {x-sallyport-access: read}}\n"), []string{`line 3: GET /a: x-sallyport-access is READ, WRITE or ADMIN, not "read"`}},
		"matrix":           {doc("  /a/{b}:\n    get:\n      parameters:\n        - {name: b, in: path, style: matrix}\n"), []string{`line 6: GET /a/{b}: the path parameter "b" has the style matrix, which edges do not read: they refuse ";" in a path, and know no "." in front of a value; only simple is read`}},
		"label of a path":  {doc("  /a/{b}:\n    parameters: [{name: b, in: path, style: label}]\n    get: {}\n"), []string{`line 4: GET /a/{b}: the path parameter "b" has the style label, which edges do not read: they refuse ";" in a path, and know no "." in front of a value; only simple is read`}},
		"matrix, referred": {doc("  /a/{b}: {get: {parameters: [{$ref: '#/components/parameters/B'}]}}\ncomponents: {parameters: {B: {name: b, in: path, style: matrix}}}\n"), []string{`line 4: GET /a/{b}: the path parameter "b" has the style matrix, which edges do not read: they refuse ";" in a path, and know no "." in front of a value; only simple is read`}},
		"a form":           {doc("  /a/{b}: {get: {parameters: [{name: b, in: path, style: form}]}}\n"), []string{`line 3: GET /a/{b}: the path parameter "b" has the style "form", which is for other parameters`}},
		"elsewhere":        {doc("  /a: {$ref: 'paths.yaml#/a'}\n"), []string{`line 3: /a: refers to "paths.yaml#/a", which is not in the document and is not fetched: bundle everything into one document`}},
		"nowhere":          {doc("  /a: {$ref: '#/components/pathItems/A'}\n"), []string{`line 3: /a: refers to "#/components/pathItems/A", which is not in the document`}},
		"nowhere, really":  {doc("  /a: {$ref: '#a'}\n  /b: {$ref: '#/paths/~1a/$ref/x'}\n  /c: {$ref: '#/%zz'}\n"), []string{`line 3: /a: refers to "#a", which is not in the document`, `line 4: /b: refers to "#/paths/~1a/$ref/x", which is not in the document`, `line 5: /c: refers to "#/%zz", which is not in the document`}},
		"in a circle":      {doc("  /a: {$ref: '#/paths/~1b'}\n  /b: {$ref: '#/paths/~1a'}\n"), []string{"line 3: /a: refers to what refers, and so on, more than 16 times", "line 4: /b: refers to what refers, and so on, more than 16 times"}},
		"to itself":        {doc("  /a: {get: {parameters: [{$ref: '#/paths/~1a/get/parameters/0'}]}}\n"), []string{"line 3: GET /a: refers to what refers, and so on, more than 16 times"}},
		"and more":         {doc("  /a: {$ref: '#/paths/~1b', get: {}}\n  /b: {put: {}}\n"), []string{"line 3: /a: has fields beside $ref, which tools read in different ways: write all of it in one place"}},
		"merged circle":    {doc("  /a: &a {<<: *a, get: {}}\n"), []string{"line 3: /a: merges more than 16 objects into each other"}},
		"merged text":      {doc("  /a: {<<: b, get: {}}\n"), []string{"line 3: /a: merges what is not an object"}},
		"a key":            {doc("  /a: {? [a] : b, get: {}}\n"), []string{"line 3: /a: has a key that is no text"}},
		"a list of ids":    {doc("  /a: {get: {operationId: [a]}}\n"), []string{"line 3: GET /a: is not a text"}},
		"one parameter":    {doc("  /a: {get: {parameters: {name: a}}}\n"), []string{"line 3: GET /a: is not a list"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, refused(t, c.document)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever a document refers to, nobody is called and nothing is read: what matters of it is refused, the rest is not looked at.
func TestNothingIsFetched(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) }))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "item.yaml")
	if err := os.WriteFile(file, []byte("get: {operationId: stolen}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, elsewhere := range []string{server.URL + "/item.yaml", file, "file://" + file, "//" + server.Listener.Addr().String(), "./item.yaml", "item.yaml#/get"} {
		for _, path := range []string{"  /a: {$ref: '%s'}\n", "  /a: {get: {parameters: [{$ref: '%s'}]}}\n"} {
			said := refused(t, doc(fmt.Sprintf(path, elsewhere)))
			if len(said) != 1 || !strings.Contains(said[0], "is not fetched: bundle") {
				t.Errorf("%s: %q", elsewhere, said)
			}
		}
		unread := doc(fmt.Sprintf("  /a:\n    get:\n      requestBody: {$ref: '%[1]s'}\n      responses: {'200': {$ref: '%[1]s'}}\ncomponents: {schemas: {A: {$ref: '%[1]s'}}, $ref: '%[1]s'}\n", elsewhere))
		if said := refused(t, unread); said != nil {
			t.Errorf("%s, where nothing of an operation is: %q", elsewhere, said)
		}
	}
}

// Small documents that are much, and large ones that are as bad as can be: refused with the limit named, or read, in
// bounded time and memory.
func TestBombs(t *testing.T) {
	// Not parallel: the memory is measured.
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (openapi.MaxBytes-len(head)-len(tail))/len(unit)) + tail
	}
	laughs := func(first, unit string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "x-a: &a %s\n", first)
		for c := 'b'; c <= 'z'; c++ {
			fmt.Fprintf(&b, "x-%c: &%c %s\n", c, c, strings.ReplaceAll(unit, "?", string(c-1)))
		}
		return b.String()
	}
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const values = "the document has more than 1000000 values"
	const steps = "aliases and references make more than 500000 values of the document"
	for _, c := range []struct{ name, document, want string }{
		{"too large", strings.Repeat("#", openapi.MaxBytes+1), "the document has 4194305 bytes, and 4194304 are the limit"},
		{"laughs of lists", laughs("[1, 2]", "[*?, *?, *?, *?, *?, *?, *?, *?, *?]") + doc("  /a: {get: {parameters: *z}}\n"), "GET /a: is not an object"},
		{"laughs of merges", laughs("{get: {}}", "{<<: [*?, *?, *?, *?, *?, *?, *?, *?, *?]}") + doc("  /a: *z\n"), "merges more than 16 objects"},
		{"merges of little depth", laughs("{get: {}}", "{<<: [*?, *?, *?, *?, *?, *?, *?, *?, *?]}") + doc("  /a: *n\n"), steps},
		{"one path many times", "x-p: &p {get: {}}\n" + doc(many(20_000, "  /a%d: *p\n")), "the document has more than 1000 operations"},
		{"one list of parameters many times", "x-p: &p [" + strings.Repeat("{in: path, name: a},", 5_000) + "]\n" + doc(many(900, "  /a%d: {get: {parameters: *p}}\n")), steps},
		{"references to one list", "x-p: {p: [" + strings.Repeat("{in: query},", 15_000) + "]}\n" + doc("  /a: {get: {parameters: ["+many(15_000, "{$ref: '#/x-p/p/%d'},")+"]}}\n"), ""},
		{"paths without operations", doc(many(30_000, "  /a%d: {trace: {}}\n")), "the document has no operations"},
		{"flow", fill("x: [", "1,", "]"), values},
		{"mappings", fill("x: {", "? ,", "}"), values},
		{"keys", fill("x:\n", " a:\n", ""), values},
		{"rows", fill("x:\n", "-\n", ""), values},
		{"JSON", fill(`{"x":[`, "1,", "1]}"), values},
		{"deep in JSON", `{"x":` + strings.Repeat("[", 1_000_000), "the document is nested more than 10000 deep"},
		{"deep in YAML", "x: " + strings.Repeat("[", 1_000_000), values[:len("the document has more")]},
		{"deep rows", "x:\n" + strings.Repeat("- ", 900_000), "exceeded max depth"},
		{"variables", "servers: [{url: 'http://a/" + strings.Repeat("{a}", 500) + "', variables: {a: {default: " + strings.Repeat("{a}", 1) + "}}}]\n" + doc("  /a: {get: {}}\n"), "is not a text"},
		{"long variables", "servers: [{url: 'http://a/" + strings.Repeat("{a}", 500) + "', variables: {a: {default: '" + strings.Repeat("x", 1_000_000) + "'}}}]\n" + doc("  /a: {get: {}}\n"), ""},
		{"comments", fill("", "#\n", doc("  /a: {get: {}}\n")), ""},
		{"a long text", fill("x: '", "a ", "'\n"+doc("  /a: {get: {}}\n")), ""},
		{"a long path", `{"openapi": "3.0.0", "paths": {"/` + strings.Repeat("a/", 1_000_000) + `": {"get": {}}}}`, "the path is longer than 1024 bytes"},
		{"a long template", `{"openapi": "3.0.0", "paths": {"/` + strings.Repeat("{a}", 300) + `": {"get": {}}}}`, ""},
		{"a long id", doc("  /a: {get: {operationId: " + strings.Repeat("aB", 1_000_000) + "}}\n"), "operationId is longer than 1024 bytes"},
		{"a long reference", doc("  /a: {$ref: '#" + strings.Repeat("/a", 1_000_000) + "'}\n"), "which is not in the document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			document := []byte(c.document)
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			d, err := openapi.Parse(document)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d bytes: %s, %d MiB allocated", len(document), took, allocated)
			// Far above what was measured: another machine is slower, and has less of it.
			if took > time.Minute || allocated > 1000 {
				t.Errorf("it takes %s and %d MiB", took, allocated)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if d != nil {
				_, _ = d.Plan(payrollApp(), openapi.Options{}) // may be refused; must end
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}
