package sallyport_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/edge/policy"
)

// said is a string in the code that is, or looks like, a reason code.
type said struct {
	reason string
	line   int
}

// reasonsIn finds the strings that begin like a reason of the closed list, and whatever a constant named Reason… in one of
// the edge's pure leaves is: those cannot import the list.
func reasonsIn(f source) []said {
	families := map[string]bool{}
	for _, r := range policy.Reasons() {
		family, _, _ := strings.Cut(string(r), ".")
		families[family] = true
	}
	dotted := regexp.MustCompile(`^([a-z_]+)(\.[a-z_]+)+$`)
	leaf := slices.Contains([]string{"edge/route", "edge/header", "edge/facts"}, f.dir)
	var found []said
	add := func(literal ast.Expr, always bool) {
		b, ok := literal.(*ast.BasicLit)
		if !ok || b.Kind != token.STRING {
			return
		}
		text, err := strconv.Unquote(b.Value)
		if m := dotted.FindStringSubmatch(text); err == nil && (always || m != nil && families[m[1]] && !strings.HasSuffix(text, ".json")) {
			found = append(found, said{text, f.fset.Position(b.Pos()).Line})
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if leaf && strings.HasPrefix(name.Name, "Reason") && i < len(n.Values) {
					add(n.Values[i], true)
				}
			}
		case *ast.BasicLit:
			add(n, false)
		}
		return true
	})
	return found
}

// TestReasons wants every reason code that any package gives to be of the closed list. A code that is not has no status, no
// title and no remedy, and nobody's dashboards know it.
func TestReasons(t *testing.T) {
	t.Parallel()
	in := map[string]int{}
	for _, f := range parse(t, ".") {
		// edge/policy keeps the list, and what is below it has names of other kinds with dots; a policy test has a field request.
		if f.test || matches([]string{"edge/policy/...", "controlplane", "controlplane/policy"}, f.dir) {
			continue
		}
		for _, s := range reasonsIn(f) {
			in[f.dir]++
			if !slices.Contains(policy.Reasons(), policy.Reason(s.reason)) {
				t.Errorf("%s:%d: %q is no reason of edge/policy's list: add it there, with its status, title and remedy", f.path, s.line, s.reason)
			}
		}
	}
	for _, dir := range []string{"edge/route", "edge/header", "edge/session"} {
		if in[dir] == 0 {
			t.Errorf("%s: no reasons were found, and it gives some", dir)
		}
	}
}

// TestReasonsAreFound plants reasons, and wants those that are none to be seen.
func TestReasonsAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dir, text string
		want      []string
	}{
		{"edge/header", `const ReasonOdd = "odd"`, []string{"odd"}},
		{"edge/header", `const other = "odd"`, nil},
		{"edge/session", `var r = f("identity.too_loud", "identity.json", "identity", "other.thing")`, []string{"identity.too_loud"}},
		{"cmd/x", "const r = `deny.a.b`", []string{"deny.a.b"}},
	} {
		f := source{dir: c.dir, fset: token.NewFileSet()}
		var err error
		if f.ast, err = parser.ParseFile(f.fset, "x.go", "package x\n"+c.text, 0); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range reasonsIn(f) {
			got = append(got, s.reason)
		}
		if !slices.Equal(slices.Compact(got), c.want) {
			t.Errorf("%s: %s: found %q, want %q", c.dir, c.text, fmt.Sprint(got), c.want)
		}
	}
}
