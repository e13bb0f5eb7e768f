package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The reference: what the documentation says, as short as it can be said.

// refMatch matches decoded segments and returns how specific each was.
func refMatch(pattern, path []string) (kinds string, ok bool) {
	switch {
	case len(pattern) == 1 && pattern[0] == "**":
		return "0", true
	case len(pattern) == 0 || len(path) == 0:
		return "1", len(pattern) == len(path)
	case pattern[0] == path[0] && !strings.ContainsAny(pattern[0], "*{"):
		kinds = "4"
	case strings.Contains(pattern[0], "*") && refGlob(pattern[0], path[0]):
		kinds = "3"
	case strings.HasPrefix(pattern[0], "{") && path[0] != "":
		kinds = "2"
	default:
		return "", false
	}
	rest, ok := refMatch(pattern[1:], path[1:])
	return kinds + rest, ok
}

func refGlob(glob, text string) bool {
	if glob == "" {
		return text == ""
	}
	if glob[0] == '*' {
		return refGlob(glob[1:], text) || text != "" && refGlob(glob, text[1:])
	}
	return text != "" && glob[0] == text[0] && refGlob(glob[1:], text[1:])
}

// refRanks returns how specific each match of an operation is.
func refRanks(op Operation, host, method, path string) (ranks []string) {
	if len(op.Hosts) > 0 && !slices.Contains(op.Hosts, host) {
		return nil
	}
	byName := "1"
	if !slices.Contains(op.Methods, method) && !(method == "HEAD" && slices.Contains(op.Methods, "GET")) {
		if !slices.Contains(op.Methods, "*") || !slices.Contains(anyMethod[:], method) {
			return nil
		}
		byName = "0"
	}
	for _, pattern := range op.Paths {
		if kinds, ok := refMatch(strings.Split(pattern, "/")[1:], strings.Split(path, "/")[1:]); ok {
			ranks = append(ranks, kinds+byName)
		}
	}
	return ranks
}

// refBest returns the ids of the operations that nothing beats.
func refBest(ops []Operation, host, method, path string) (ids []string) {
	best := ""
	for _, op := range ops {
		for _, rank := range refRanks(op, host, method, path) {
			if rank > best {
				best, ids = rank, nil
			}
			if rank == best && !slices.Contains(ids, op.ID) {
				ids = append(ids, op.ID)
			}
		}
	}
	return ids
}

// Few letters, so that patterns meet.
var (
	patternSegment = rapid.SampledFrom([]string{"a", "b", "ab", "aa", "*", "a*", "*a", "*b*", "a*b", "*a*b", ".*", "*.", "{x}", "{y}"})
	pathSegment    = rapid.SampledFrom([]string{"a", "b", "ab", "aa", "abb", "x", "a.b", ".a", "b.", "..."})
	hostName       = rapid.SampledFrom([]string{"a.test", "b.test"})
)

func genPattern(t *rapid.T) string {
	p := "/" + strings.Join(rapid.SliceOfN(patternSegment, 0, 3).Draw(t, "pattern"), "/")
	switch rapid.IntRange(0, 4).Draw(t, "end") {
	case 0:
		return strings.TrimSuffix(p, "/") + "/**"
	case 1:
		return strings.TrimSuffix(p, "/") + "/"
	}
	return p
}

func genOperations(t *rapid.T, most int) []Operation {
	var ops []Operation
	for i := range rapid.IntRange(1, most).Draw(t, "operations") {
		ops = append(ops, Operation{
			ID:      fmt.Sprintf("op%d", i),
			Methods: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"*", "GET", "HEAD", "POST", WebSocket, "PROPFIND"}), 1, 2, rapid.ID).Draw(t, "methods"),
			Paths:   rapid.SliceOfN(rapid.Custom(genPattern), 1, 3).Draw(t, "paths"),
			Hosts:   rapid.SliceOfNDistinct(hostName, 0, 1, rapid.ID).Draw(t, "hosts"),
		})
	}
	return ops
}

// The table answers as the reference does. Where the reference finds two
// answers, Compile has refused; where Compile refuses, the two operations that it
// names are equal for the example that it names.
func TestTableEqualsReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ops := genOperations(t, 5)
		table, problems := Compile(Spec{Hosts: []string{"a.test", "b.test"}, Operations: ops})
		for _, p := range problems {
			checkExample(t, ops, p)
		}
		for range 30 {
			path := "/" + strings.Join(rapid.SliceOfN(pathSegment, 0, 4).Draw(t, "path"), "/")
			if rapid.Bool().Draw(t, "slash") {
				path = strings.TrimSuffix(path, "/") + "/"
			}
			host := hostName.Draw(t, "host")
			method := rapid.SampledFrom([]string{"GET", "HEAD", "POST", WebSocket, "PROPFIND", "FOO"}).Draw(t, "method")
			want := refBest(ops, host, method, path)
			if len(want) > 1 {
				if len(problems) == 0 {
					t.Fatalf("%s %s%s is %v, and was not refused", method, host, path, want)
				}
				continue
			}
			if len(problems) > 0 {
				continue
			}
			id, ok := table.Operation(host, method, Path{Match: path, Forward: path})
			if ok != (len(want) == 1) || ok && id != want[0] {
				t.Fatalf("%s %s%s: got %q, want %v", method, host, path, id, want)
			}
		}
	})
}

func checkExample(t *rapid.T, ops []Operation, p Problem) {
	_, request, ok := strings.Cut(p.Message, "specific for ")
	if !ok {
		t.Fatalf("not a tie: %+v", p)
	}
	method, target, _ := strings.Cut(request, " ")
	host, path, _ := strings.Cut(target, "/")
	if host == "" {
		host = "a.test"
	}
	if c, err := Canonical("/"+path, Options{}); err != nil || c.Match != "/"+path {
		t.Fatalf("%+v: the example is not canonical: %v", p, err)
	}
	var ranks [][]string
	for _, op := range ops {
		if strings.Contains(p.Message, fmt.Sprintf("operation %q", op.ID)) {
			ranks = append(ranks, refRanks(op, host, method, "/"+path))
		}
	}
	if len(ranks) != 2 || !slices.ContainsFunc(ranks[0], func(r string) bool { return slices.Contains(ranks[1], r) }) {
		t.Fatalf("%+v: the example is no tie: %v", p, ranks)
	}
}
