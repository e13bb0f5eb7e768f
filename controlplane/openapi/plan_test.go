package openapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/openapi"
)

var actions = map[openapi.Action]string{openapi.Added: "+", openapi.Changed: "~", openapi.Renamed: ">", openapi.Removed: "-", openapi.Kept: "="}

// told is a plan in lines, or why there is none.
func told(t *testing.T, document string, app *controlplane.App, o openapi.Options) []string {
	t.Helper()
	plan, err := parse(t, []byte(document)).Plan(app, o)
	if err != nil {
		var lines []string
		for _, p := range err.(*openapi.Refused).Problems { //nolint:errorlint,forcetypeassert // the type is the promise
			lines = append(lines, "! "+p.String())
		}
		return lines
	}
	var lines []string
	describe := func(o *controlplane.Operation) string {
		if o == nil {
			return "nothing"
		}
		return strings.Join(append(append([]string{o.ID}, o.Methods...), o.Paths...), " ") + strings.TrimPrefix(o.Access, "ACCESS_CLASS") + strings.Join(o.Hosts, " ")
	}
	for _, c := range plan.Changes {
		switch c.Action {
		case openapi.Added, openapi.Kept:
			lines = append(lines, actions[c.Action]+" "+describe(c.After))
		case openapi.Removed:
			lines = append(lines, "- "+describe(c.Before))
		default:
			lines = append(lines, actions[c.Action]+" "+describe(c.Before)+" -> "+describe(c.After))
		}
		if c.Source != nil && c.Source.ID != c.ID {
			t.Errorf("%s is from %s", c.ID, c.Source.ID)
		}
	}
	if plan.Unchanged > 0 {
		lines = append(lines, fmt.Sprintf("%d unchanged", plan.Unchanged))
	}
	for _, n := range plan.Notes {
		lines = append(lines, "# "+strings.TrimSpace(n.At+" "+n.Message))
	}
	// A plan that is carried out leaves nothing to do.
	done := *app
	done.Operations = plan.Operations
	again, err := parse(t, []byte(document)).Plan(&done, o)
	if err != nil {
		t.Fatalf("the second time: %v", err)
	}
	for _, c := range again.Changes {
		if c.Action != openapi.Kept {
			t.Errorf("the second time: %s %s", actions[c.Action], c.ID)
		}
	}
	if len(app.Operations) > 0 && len(plan.Vanished(app)) != count(plan, openapi.Removed)+count(plan, openapi.Renamed) {
		t.Errorf("vanished: %v", plan.Vanished(app))
	}
	return lines
}

func count(p *openapi.Plan, a openapi.Action) (n int) {
	for _, c := range p.Changes {
		if c.Action == a {
			n++
		}
	}
	return n
}

func operation(id, method, path string) controlplane.Operation {
	return controlplane.Operation{ID: id, Methods: []string{method}, Paths: []string{path}}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	const users = "  /users: {get: {operationId: listUsers}, post: {operationId: createUser}}\n"
	const denied = `# the app had no operations, so everything was "read" or "write"; from now on a request that is none of these operations is denied`
	admins := operation("create-user", "POST", "/users")
	admins.Access, admins.Hosts = "ACCESS_CLASS_ADMIN", []string{"a.test"}
	ofHost := operation("old", "GET", "/users")
	ofHost.Hosts = []string{"a.test"}
	several := controlplane.Operation{ID: "users", Methods: []string{"GET", "POST"}, Paths: []string{"/users", "/people"}}
	for name, c := range map[string]struct {
		document string
		has      []controlplane.Operation
		options  openapi.Options
		want     []string
	}{
		"first":     {doc(users), nil, openapi.Options{}, []string{"+ list-users GET /users", "+ create-user POST /users", denied}},
		"same":      {doc(users), []controlplane.Operation{operation("create-user", "POST", "/users"), operation("list-users", "GET", "/users")}, openapi.Options{}, []string{"2 unchanged"}},
		"changed":   {doc(users), []controlplane.Operation{operation("create-user", "PUT", "/users/"), operation("list-users", "GET", "/users")}, openapi.Options{}, []string{"~ create-user PUT /users/ -> create-user POST /users", "1 unchanged"}},
		"renamed":   {doc(users), []controlplane.Operation{operation("all", "GET", "/users")}, openapi.Options{}, []string{"> all GET /users -> list-users GET /users", "+ create-user POST /users"}},
		"parameter": {doc("  /a/{b}/{c}.d: {get: {operationId: new}}\n"), []controlplane.Operation{operation("old", "GET", "/a/{x}/*.d")}, openapi.Options{}, []string{"> old GET /a/{x}/*.d -> new GET /a/{b}/*.d"}},
		"kept":      {doc(users), []controlplane.Operation{operation("old", "GET", "/old")}, openapi.Options{}, []string{"= old GET /old", "+ list-users GET /users", "+ create-user POST /users"}},
		"pruned":    {doc(users), []controlplane.Operation{operation("old", "GET", "/old")}, openapi.Options{Prune: true}, []string{"- old GET /old", "+ list-users GET /users", "+ create-user POST /users"}},
		"swapped":   {doc(users), []controlplane.Operation{operation("list-users", "POST", "/users"), operation("create-user", "GET", "/users")}, openapi.Options{}, []string{"~ list-users POST /users -> list-users GET /users", "~ create-user GET /users -> create-user POST /users"}},
		// What somebody said by hand, and the document does not speak of, stays.
		"access and hosts are kept": {doc(users), []controlplane.Operation{admins}, openapi.Options{}, []string{"+ list-users GET /users", "1 unchanged"}},
		"access is given":           {doc("  /users: {post: {operationId: createUser, x-sallyport-access: WRITE}}\n"), []controlplane.Operation{admins}, openapi.Options{}, []string{"~ create-user POST /users_ADMINa.test -> create-user POST /users_WRITEa.test"}},
		"access of a renamed one":   {doc("  /users: {post: {operationId: addUser}}\n"), []controlplane.Operation{{ID: "create-user", Methods: []string{"POST"}, Paths: []string{"/users"}, Access: "ACCESS_CLASS_ADMIN"}}, openapi.Options{}, []string{"> create-user POST /users_ADMIN -> add-user POST /users_ADMIN"}},
		// Ties.
		"in the document":       {doc("  /a/{b}: {get: {operationId: one}}\n  /a/{c}: {get: {operationId: two}}\n"), nil, openapi.Options{}, []string{`! line 4: GET /a/{c}: operation "one" and operation "two" are equally specific for GET /a/x`}},
		"with what is there":    {doc(users), []controlplane.Operation{several}, openapi.Options{}, []string{`! line 3: GET /users: operation "users" and operation "list-users" are equally specific for GET /users; an operation that is not in the document has to be changed first, or removed with prune`, `! line 3: POST /users: operation "users" and operation "create-user" are equally specific for POST /users; an operation that is not in the document has to be changed first, or removed with prune`}},
		"with what comes later": {doc("  /users: {post: {operationId: listUsers}}\n"), []controlplane.Operation{operation("list-users", "GET", "/users"), operation("create-user", "POST", "/users")}, openapi.Options{}, []string{`! line 3: POST /users: operation "create-user" and operation "list-users" are equally specific for POST /users; an operation that is not in the document has to be changed first, or removed with prune`}},
		"pruned, so no tie":     {doc(users), []controlplane.Operation{several}, openapi.Options{Prune: true}, []string{"- users GET POST /users /people", "+ list-users GET /users", "+ create-user POST /users"}},
		"of some hosts only":    {doc("  /users: {get: {operationId: listUsers}}\n"), []controlplane.Operation{ofHost}, openapi.Options{}, []string{`! line 3: GET /users: operation "old" and operation "list-users" are equally specific for GET a.test/users; an operation that is not in the document has to be changed first, or removed with prune`}},
		"what edges refuse":     {doc("  /.sallyport/x: {get: {}}\n  /a//b: {get: {}}\n  /a;b: {get: {}}\n  /{a}-{b}-{c}-{d}-{e}: {get: {}}\n  /%zz: {get: {}}\n"), nil, openapi.Options{}, []string{"! line 3: GET /.sallyport/x: /.sallyport/ belongs to the edge; no app gets requests below it", "! line 4: GET /a//b: a path has no empty segment; requests with one are refused", `! line 5: GET /a;b: a path has no ";"; requests with one never match it`, `! line 6: GET /{a}-{b}-{c}-{d}-{e}: a segment has at most 4 "*"`, `! line 7: GET /%zz: "%" in a path is followed by two hexadecimal digits; "%25" is the character itself`}},
		"what templates mean":   {doc("  /a b/*/{x}{y}/{u.v}/é: {get: {operationId: odd}}\n"), nil, openapi.Options{}, []string{"+ odd GET /a%20b/%2A/{x_y}/{u_v}/é", denied}},
		"greedy":                {doc("  /files/{path+}: {get: {operationId: f}}\n"), nil, openapi.Options{}, []string{"+ f GET /files/{path_}", `# GET /files/{path+} its parameter is one segment, as OpenAPI has it; if it means several, change it by hand to "**"`, denied}},
		"only HEAD":             {doc("  /a: {head: {operationId: there}}\n"), nil, openapi.Options{}, []string{"+ there HEAD /a", denied}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := &controlplane.App{Hosts: []string{"a.test", "b.test"}, Operations: c.has}
			before := slices.Clone(c.has)
			if diff := cmp.Diff(c.want, told(t, c.document, app, c.options)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, app.Operations); diff != "" {
				t.Errorf("the app was changed: %s", diff)
			}
		})
	}
}

func TestWhatGoesInFront(t *testing.T) {
	t.Parallel()
	const path = "  /x: {get: {operationId: x}}\n  /: {get: {operationId: root}}\n"
	for name, c := range map[string]struct {
		document string
		options  openapi.Options
		want     []string // paths of root and x, or the problems
	}{
		"no servers":             {doc(path), openapi.Options{}, []string{"/", "/x"}},
		"an empty list":          {"servers: []\n" + doc(path), openapi.Options{}, []string{"/", "/x"}},
		"one":                    {"servers: [{url: 'https://elsewhere.test/v1/'}]\n" + doc(path), openapi.Options{}, []string{"/v1/", "/v1/x"}},
		"a path":                 {"servers: [{url: /v1}]\n" + doc(path), openapi.Options{}, []string{"/v1/", "/v1/x"}},
		"agreeing":               {"servers: [{url: 'https://a/v1'}, {url: 'http://b:80/v1/'}, {url: //c/v1}]\n" + doc(path), openapi.Options{}, []string{"/v1/", "/v1/x"}},
		"differing":              {"servers: [{url: 'https://a/v1'}, {url: 'http://b:80'}]\n" + doc(path), openapi.Options{}, []string{`! line 1: the servers have different paths, "/v1/" and "/": say with base_path what goes in front of paths, / for nothing`}},
		"one of the app":         {"servers: [{url: 'http://localhost:3000'}, {url: 'https://A.test:8443/v1'}]\n" + doc(path), openapi.Options{}, []string{"/v1/", "/v1/x"}},
		"two of the app":         {"servers: [{url: 'https://a.test/v1'}, {url: 'https://b.test/v2'}, {url: /v3}]\n" + doc(path), openapi.Options{}, []string{`! line 1: the servers have different paths, "/v1/" and "/v2/": say with base_path what goes in front of paths, / for nothing`}},
		"variables":              {"servers: [{url: 'https://{h}.test/{v}/{w}', variables: {h: {default: z}, v: {default: v1}, w: {default: w/y}}}]\n" + doc(path), openapi.Options{}, []string{"/v1/w/y/", "/v1/w/y/x"}},
		"no default":             {"servers: [{url: 'https://z/{v}'}]\n" + doc(path), openapi.Options{}, []string{`! line 1: the server "https://z/{v}" has a variable without a default: say with base_path what goes in front of paths, / for nothing`}},
		"relative":               {"servers: [{url: ../v1}]\n" + doc(path), openapi.Options{}, []string{`! line 1: the server "../v1" is relative to where the document is, which is not known here: say with base_path what goes in front of paths, / for nothing`}},
		"a query":                {"servers: [{url: '/v1?a'}]\n" + doc(path), openapi.Options{}, []string{`! line 1: the server "/v1?a" has a query or a fragment: say with base_path what goes in front of paths, / for nothing`}},
		"no URL":                 {"servers: [{url: 'http://a b/%zz'}]\n" + doc(path), openapi.Options{}, []string{`! line 1: the server "http://a b/%zz" is no URL: say with base_path what goes in front of paths, / for nothing`}},
		"said":                   {"servers: [{url: ../v1}, {url: 'https://a.test/v1'}]\n" + doc(path), openapi.Options{BasePath: "/api/{tenant}/"}, []string{"/api/{tenant}/", "/api/{tenant}/x"}},
		"said to be nothing":     {"servers: [{url: 'https://a.test/v1'}]\n" + doc(path), openapi.Options{BasePath: "/"}, []string{"/", "/x"}},
		"said badly":             {doc(path), openapi.Options{BasePath: "v1"}, []string{`! base_path: a path begins with "/"`}},
		"stripped":               {"servers: [{url: /api/v1}]\n" + doc(path), openapi.Options{StripPrefix: "/api/"}, []string{"/v1/", "/v1/x"}},
		"stripped to the end":    {"servers: [{url: /api}]\n" + doc("  /x: {get: {operationId: x}}\n"), openapi.Options{StripPrefix: "/api/x"}, []string{"/"}},
		"stripped in the middle": {"servers: [{url: /api}]\n" + doc(path), openapi.Options{StripPrefix: "/ap"}, []string{`! line 4: GET /x: strip_prefix: "/api/x" does not begin with "/ap/"`, `! line 5: GET /: strip_prefix: "/api/" does not begin with "/ap/"`}},
		"of the path":            {"servers: [{url: 'https://a.test/v1'}]\n" + doc("  /x: {servers: [{url: 'https://b.test/v2'}], get: {operationId: x}}\n  /: {get: {operationId: root}}\n"), openapi.Options{}, []string{"/v1/", "/v2/x"}},
		"of the operation":       {doc("  /x: {servers: [{url: /v2}], get: {operationId: x, servers: [{url: /v3}]}}\n"), openapi.Options{}, []string{"/v3/x"}},
		"elsewhere":              {"servers: [{url: 'https://a.test/v1'}]\n" + doc("  /x: {get: {operationId: x, servers: [{url: 'https://files.test'}]}}\n  /: {get: {operationId: root}}\n"), openapi.Options{}, []string{"/v1/", "# GET /x left out: its own servers are none of the app's hosts"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, line := range told(t, c.document, &controlplane.App{Hosts: []string{"a.test", "b.test"}}, c.options) {
				if id, path, ok := strings.Cut(line, " GET "); ok && strings.HasPrefix(id, "+") {
					line = path
				}
				if !strings.HasPrefix(line, "# the app had") {
					got = append(got, line)
				}
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTooManyOperations(t *testing.T) {
	t.Parallel()
	var paths strings.Builder
	for i := range openapi.MaxOperations {
		fmt.Fprintf(&paths, "  /a%d: {get: {}}\n", i)
	}
	most := doc(paths.String())
	if got := told(t, most, &controlplane.App{}, openapi.Options{}); len(got) != openapi.MaxOperations+1 {
		t.Errorf("as many as there may be: %d lines, %q", len(got), got[:1])
	}
	if got := told(t, most, &controlplane.App{Operations: []controlplane.Operation{operation("z", "GET", "/z")}}, openapi.Options{}); len(got) != 1 || got[0] != "! the app would have 1001 operations, and has at most 1000" {
		t.Errorf("with one that the app has: %q", got[:1])
	}
	if got := refused(t, most+"  /b: {get: {}}\n"); len(got) != 1 || !strings.Contains(got[0], "more than 1000 operations") {
		t.Errorf("one more: %q", got)
	}
}

func TestVanished(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		has  []controlplane.Operation
		want map[string]string
	}{
		{nil, map[string]string{"write": ""}}, // what an app without operations has; "read" is one of the document's
		{[]controlplane.Operation{operation("old", "GET", "/a"), operation("gone", "GET", "/b")}, map[string]string{"old": "read", "gone": ""}},
	} {
		app := &controlplane.App{Operations: c.has}
		plan, err := parse(t, []byte(doc("  /a: {get: {operationId: read}}\n"))).Plan(app, openapi.Options{Prune: true})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, plan.Vanished(app)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.has, diff)
		}
	}
}
