package route

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// block is one "##" block of testdata/tables.txt.
type block struct {
	title    string
	spec     Spec
	requests []line
	problems []line
}

type line struct {
	number  int
	text    string // without the rule
	sustain string // the rule it pins
}

func TestTables(t *testing.T) {
	t.Parallel()
	for _, b := range readBlocks(t, "testdata/tables.txt") {
		t.Run(b.title, func(t *testing.T) {
			t.Parallel()
			table, problems := Compile(b.spec)
			if len(problems) != len(b.problems) {
				t.Fatalf("got problems %+v, want %d", problems, len(b.problems))
			}
			for i, l := range b.problems {
				checkProblem(t, l, problems[i])
			}
			for _, l := range b.requests {
				checkRequest(t, l, table)
			}
		})
	}
}

func checkProblem(t *testing.T, l line, got Problem) {
	field, rest, _ := strings.Cut(l.text, " ")
	want := quoted(t, l, strings.TrimSpace(rest))
	if len(want) == 1 {
		want = append(want, "")
	}
	if got.Field != field || !strings.Contains(got.Message, want[0]) || got.Suggestion != want[1] {
		t.Errorf("line %d (%s): got %+v", l.number, l.sustain, got)
	}
}

func checkRequest(t *testing.T, l line, table *Table) {
	fields := strings.Fields(l.text)
	options := Options{AllowEncodedSlash: true, AllowSemicolon: true}
	if fields[0] == "->" {
		p, err := Canonical(fields[1], options)
		if err != nil {
			t.Fatalf("line %d: %v", l.number, err)
		}
		got := "-"
		if i, ok := table.Route(p); ok {
			got = strconv.Itoa(i)
		}
		if got != fields[2] {
			t.Errorf("line %d (%s): got route %s", l.number, l.sustain, got)
		}
		return
	}
	host := "a.test"
	if h, ok := strings.CutPrefix(fields[2], "host="); ok {
		host = h
	}
	p, err := Canonical(fields[1], options)
	if err != nil {
		t.Fatalf("line %d: %v", l.number, err)
	}
	got := "-"
	if id, ok := table.Operation(host, fields[0], p); ok {
		got = id
	}
	if got != fields[len(fields)-1] {
		t.Errorf("line %d (%s): got operation %s", l.number, l.sustain, got)
	}
}

func readBlocks(t *testing.T, file string) []block {
	t.Helper()
	var blocks []block
	for _, l := range readLines(t, file) {
		if title, ok := strings.CutPrefix(l.text, "## "); ok {
			blocks = append(blocks, block{title: title, spec: Spec{Hosts: []string{"a.test", "b.test"}}})
			continue
		}
		b := &blocks[len(blocks)-1]
		fields := strings.Fields(l.text)
		switch fields[0] {
		case "op":
			op := Operation{ID: fields[1], Methods: strings.Split(fields[2], ","), Paths: strings.Split(fields[3], ",")}
			if len(fields) > 4 {
				op.Hosts = strings.Split(strings.TrimPrefix(fields[4], "host="), ",")
			}
			b.spec.Operations = append(b.spec.Operations, op)
		case "route":
			b.spec.Routes = append(b.spec.Routes, fields[1])
		case "!":
			l.text = strings.TrimPrefix(l.text, "! ")
			b.problems = append(b.problems, l)
		default:
			b.requests = append(b.requests, l)
		}
	}
	return blocks
}

// readLines returns the lines of a data file that are not comments. Each has a
// rule after the last " ; " unless it only sets the scene.
func readLines(t testing.TB, file string) []line {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []line
	scanner := bufio.NewScanner(f)
	for n := 1; scanner.Scan(); n++ {
		text := scanner.Text()
		if text == "" || strings.HasPrefix(text, "# ") || text == "#" {
			continue
		}
		l := line{number: n, text: strings.TrimSpace(text)}
		if i := strings.LastIndex(text, " ; "); i >= 0 {
			l.text, l.sustain = strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+3:])
		}
		lines = append(lines, l)
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// quoted returns the Go strings that stand one after another in s.
func quoted(t testing.TB, l line, s string) []string {
	t.Helper()
	var list []string
	for s != "" {
		var text string
		text, s = cutQuoted(t, l, s)
		list = append(list, text)
	}
	return list
}

// cutQuoted splits the Go string off that s begins with.
func cutQuoted(t testing.TB, l line, s string) (text, rest string) {
	t.Helper()
	q, err := strconv.QuotedPrefix(s)
	if err != nil {
		t.Fatalf("line %d: %v: %s", l.number, err, s)
	}
	if text, err = strconv.Unquote(q); err != nil {
		t.Fatalf("line %d: %v", l.number, err)
	}
	return text, strings.TrimSpace(s[len(q):])
}

func TestNilTableKnowsNothing(t *testing.T) {
	t.Parallel()
	var table *Table
	p := Path{Match: "/", Forward: "/"}
	if _, ok := table.Route(p); ok {
		t.Error("a route")
	}
	if _, ok := table.Operation("a.test", "GET", p); ok {
		t.Error("an operation")
	}
}

func TestRequiredFields(t *testing.T) {
	t.Parallel()
	_, problems := Compile(Spec{Hosts: []string{"A.test", "a.test:1"}, Operations: []Operation{{}}})
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprint(p.Field, " ", p.Reason, " ", p.Suggestion))
	}
	want := "hosts[0] FIELD_INVALID a.test, hosts[1] FIELD_INVALID , operations[0].id FIELD_REQUIRED , " +
		"operations[0].methods FIELD_REQUIRED , operations[0].paths FIELD_REQUIRED "
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestPatternLimits(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/" + strings.Repeat("a", maxPattern), strings.Repeat("/a", maxPatternSegments+1)} {
		if _, problems := Compile(Spec{Routes: []string{path}}); len(problems) != 1 {
			t.Errorf("%d bytes: got %v", len(path), problems)
		}
	}
}
