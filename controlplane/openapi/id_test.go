package openapi_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane/openapi"
)

// idOf is what an operation alone is called.
func idOf(t *testing.T, method, path, operationID string) string {
	t.Helper()
	d := parse(t, []byte(doc(fmt.Sprintf("  %q: {%s: {operationId: %q}}\n", path, strings.ToLower(method), operationID))))
	return d.Operations[0].ID
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"getUser":                "get-user",
		"GetUser":                "get-user",
		"get_user":               "get_user",
		"users.list":             "users.list",
		"users.getById":          "users.get-by-id",
		"HTTPServer":             "http-server",
		"getHTTP":                "get-http",
		"oauth2Token":            "oauth2-token",
		"users/list":             "users-list",
		"list-users":             "list-users",
		"-list--users-":          "list-users",
		"2fa":                    "op-2fa",
		"Ünïcode":                "n-code",
		"日本":                     "get-a", // nothing is left of it
		"__":                     "get-a",
		"":                       "get-a",
		strings.Repeat("a", 63):  strings.Repeat("a", 63),
		strings.Repeat("a", 64):  strings.Repeat("a", 54) + "-ffe054fe",
		strings.Repeat("a.", 40): strings.Repeat("a.", 26) + "a-" + "60c1f2a9",
	} {
		if got := idOf(t, "GET", "/a", name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	for path, want := range map[string]string{
		"/":                     "delete",
		"/users":                "delete-users",
		"/users/{id}":           "delete-users-id",
		"/users/{userId}/tags/": "delete-users-user-id-tags",
		"/v1.2/files/{n}.json":  "delete-v1.2-files-n-.json",
		"/{a}/{b}":              "delete-a-b",
	} {
		if got := idOf(t, "DELETE", path, ""); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

// Who is called what depends on nobody else, but for who shares the name: an id never goes over from one to another.
func TestIDsThatCollide(t *testing.T) {
	t.Parallel()
	named := func(lines ...string) (map[string]string, []openapi.Note) {
		d := parse(t, []byte(doc(strings.Join(lines, "\n")+"\n")))
		ids := map[string]string{}
		for _, o := range d.Operations {
			ids[o.Method+" "+o.Path] = o.ID
		}
		return ids, d.Notes
	}
	lines := []string{
		"  /a: {get: {operationId: getUser}, post: {operationId: getUser}}",
		"  /b: {get: {operationId: GetUser}}",
		"  /c: {get: {operationId: get-user}}",
		"  /users: {get: {}}",
		"  /users/: {get: {}}",
		"  /d: {get: {operationId: other}}",
	}
	first, notes := named(lines...)
	suffixed, seen := regexp.MustCompile(`^(get-user|get-users)-[0-9a-f]{6}$`), map[string]bool{}
	for at, id := range first {
		if suffixed.MatchString(id) == (at == "GET /d") || seen[id] {
			t.Errorf("%s is %q", at, id)
		}
		seen[id] = true
	}
	if len(notes) != 6 || !notes[0].Warning || !strings.Contains(notes[0].Message, `its id would be "get-user", as that of POST /a; it is "get-user-`) {
		t.Errorf("want a warning for each that has a suffix, got %+v", notes)
	}
	slices.Reverse(lines)
	then, _ := named(append([]string{"  /0: {get: {operationId: get-user}}"}, lines...)...)
	delete(then, "GET /0")
	if diff := cmp.Diff(first, then); diff != "" {
		t.Errorf("in another order, and with one more (-first +then):\n%s", diff)
	}
	// What had the id alone loses it to nobody.
	alone, _ := named("  /a: {get: {operationId: getUser}}")
	both, _ := named("  /a: {get: {operationId: getUser}}", "  /c: {get: {operationId: get-user}}")
	if alone["GET /a"] != "get-user" || both["GET /c"] == "get-user" || both["GET /a"] == "get-user" {
		t.Errorf("alone %v, both %v", alone, both)
	}
}
