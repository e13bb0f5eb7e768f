package sallyport_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sallyport-iap/sallyport"

// source is a Go file, read without regard to build tags.
type source struct {
	path, dir string // from the top, with slashes; the top itself is "."
	test      bool
	lines     int
	ast       *ast.File
	fset      *token.FileSet
	uses      []use
}

// use is an import ("./edge/policy", "os") or a name of an imported package ("os.Getenv").
type use struct {
	what string
	name bool
	line int
}

func (f source) imports(what string) bool {
	return slices.ContainsFunc(f.uses, func(u use) bool { return u.what == what })
}

// walk visits all files that people write: not what is generated, installed, built, or kept by a tool.
func walk(root string, visit func(at string) error) error {
	return fs.WalkDir(os.DirFS(root), ".", func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			name := entry.Name()
			hidden := name != "." && name != ".ci" && strings.HasPrefix(name, ".")
			if hidden || name == "node_modules" || at == "bin" || at == "proto/gen" || at == "web/dist" {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || at == ".git" { // a file in a linked worktree
			return nil
		}
		return visit(at)
	})
}

// parse reads the Go files below root.
func parse(t *testing.T, root string) []source {
	t.Helper()
	var files []source
	err := walk(root, func(at string) error {
		if path.Ext(at) != ".go" || strings.Contains(at, "testdata/") {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(at)))
		if err != nil {
			return err
		}
		f := source{
			path: at, dir: path.Dir(at), test: strings.HasSuffix(at, "_test.go"),
			lines: bytes.Count(text, []byte("\n")), fset: token.NewFileSet(),
		}
		if f.ast, err = parser.ParseFile(f.fset, at, text, parser.ParseComments); err != nil {
			return err
		}
		f.uses = usesOf(f)
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

func usesOf(f source) []use {
	var uses []use
	packages := map[string]string{} // the file's name for it → import path
	for _, spec := range f.ast.Imports {
		what, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused it
		}
		name := path.Base(what)
		if majorVersion.MatchString(name) {
			name = path.Base(path.Dir(what))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if rest, ok := strings.CutPrefix(what, module); ok {
			what = "." + rest
		}
		packages[name] = what
		uses = append(uses, use{what: what, line: f.fset.Position(spec.Pos()).Line})
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if on, ok := selector.X.(*ast.Ident); ok && packages[on.Name] != "" {
				uses = append(uses, use{
					what: packages[on.Name] + "." + selector.Sel.Name, name: true, line: f.fset.Position(selector.Pos()).Line,
				})
			}
		}
		return true
	})
	return uses
}

// breaches lists who uses what a law forbids, and the law's reason.
func breaches(files []source, laws []law) []string {
	var found []string
	for _, f := range files {
		for _, l := range laws {
			if f.test && !l.tests || !matches(l.in, f.dir) || matches(l.except, f.dir) {
				continue
			}
			for _, u := range f.uses {
				itself := u.what == "./"+f.dir // an external test of the package
				if itself || !u.matches(l.never) || u.matches(l.but) {
					continue
				}
				found = append(found, fmt.Sprintf("%s:%d: %s may not use %s: %s", f.path, u.line, f.dir, u.what, l.why))
			}
		}
	}
	return found
}

func (u use) matches(patterns []string) bool {
	if u.name {
		return slices.Contains(patterns, u.what)
	}
	return matches(patterns, u.what)
}

func matches(patterns []string, what string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		top, below := strings.CutSuffix(pattern, "...")
		return what == pattern || below && (strings.HasPrefix(what, top) || what+"/" == top)
	})
}

// ours is packages of ours as a law's import paths.
func ours(dir string, more ...[]string) []string {
	paths := []string{"./" + dir}
	for _, dir := range slices.Concat(more...) {
		paths = append(paths, "./"+dir)
	}
	return paths
}

// skips returns the lines where the file skips tests.
func skips(f source) []int {
	var lines []int
	ast.Inspect(f.ast, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, selector.Sel.Name) {
			return true
		}
		if on, ok := selector.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, on.Name) {
			lines = append(lines, f.fset.Position(selector.Pos()).Line)
		}
		return true
	})
	return lines
}

var exportedName = regexp.MustCompile(`^(.*)\.([A-Z]\w*)$`)

// planted is a tree with one package in dir, whose third line uses what is not allowed. Patterns are made concrete.
func planted(t *testing.T, dir, what string) []source {
	t.Helper()
	root := t.TempDir()
	dir, what = strings.Replace(dir, "...", "planted", 1), strings.Replace(what, "...", "planted", 1)
	if rest, ok := strings.CutPrefix(what, "./"); ok {
		what = module + "/" + rest
	}
	text := fmt.Sprintf("package planted\n\nimport _ %q\n", what)
	if name := exportedName.FindStringSubmatch(what); name != nil {
		text = fmt.Sprintf("package planted; import used %q\n\nvar _ = used.%s\n", name[1], name[2])
	}
	if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, dir, "planted.go"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return parse(t, root)
}
