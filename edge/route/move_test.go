package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever request is one operation before and another after, some move tells of the two; and what a move tells is so,
// but where patterns with different stars meet.
func TestMovesEqualRequests(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hosts := []string{"a.test", "b.test"}
		before, after := Spec{Hosts: hosts, Operations: genOperations(t, 3)}, Spec{Hosts: hosts, Operations: genOperations(t, 3)}
		after.Operations = append(after.Operations, before.Operations[0])
		after.Operations[len(after.Operations)-1].ID = "kept"
		was, bad := Compile(before)
		is, worse := Compile(after)
		if len(bad)+len(worse) > 0 {
			return
		}
		moves, whole := Moves(before, after, func(int, int) bool { return true })
		if !whole {
			t.Fatal("too much")
		}
		stars := false
		for _, op := range slices.Concat(before.Operations, after.Operations) {
			stars = stars || strings.Contains(strings.ReplaceAll(strings.Join(op.Paths, " ")+" ", "/** ", " "), "*")
		}
		operation := func(table *Table, host, method, path string) string {
			id, _ := table.Operation(host, method, Path{Match: path, Forward: path})
			return id
		}
		told := map[string]bool{}
		for _, m := range moves {
			from, to := before.Operations[m.From].ID, after.Operations[m.To].ID
			told[from+" "+to] = true
			if got, now := operation(was, m.Host, m.Method, m.Path), operation(is, m.Host, m.Method, m.Path); !stars && (got != from || now != to) {
				t.Fatalf("%+v: %s is %s", m, got, now)
			}
		}
		for range 30 {
			path := "/" + strings.Join(rapid.SliceOfN(pathSegment, 0, 4).Draw(t, "path"), "/")
			if rapid.Bool().Draw(t, "slash") {
				path = strings.TrimSuffix(path, "/") + "/"
			}
			host, method := hostName.Draw(t, "host"), rapid.SampledFrom([]string{"GET", "HEAD", "POST", WebSocket, "PROPFIND"}).Draw(t, "method")
			from, to := operation(was, host, method, path), operation(is, host, method, path)
			if from != "" && to != "" && !told[from+" "+to] {
				t.Fatalf("%s %s%s: %s is %s, and no move of %v tells", method, host, path, from, to, moves)
			}
		}
	})
}

// A thousand operations of an app are compared when all are renamed; what is far more is said to be too much.
func TestMovesAreBounded(t *testing.T) {
	t.Parallel()
	spec := func(operations, paths int, id string) Spec {
		s := Spec{Hosts: []string{"a.test"}}
		for i := range operations {
			op := Operation{ID: fmt.Sprint(id, i), Methods: []string{"GET"}}
			for j := range paths {
				op.Paths = append(op.Paths, fmt.Sprintf("/%d/%d/{x}", i, j))
			}
			s.Operations = append(s.Operations, op)
		}
		return s
	}
	all := func(int, int) bool { return true }
	if moves, whole := Moves(spec(1000, 1, "a"), spec(1000, 1, "b"), all); !whole || len(moves) != 1000 {
		t.Errorf("%d moves, whole %v", len(moves), whole)
	}
	if _, whole := Moves(spec(1000, 10, "a"), spec(1000, 10, "b"), all); whole {
		t.Error("100,000,000 pairs are compared")
	}
}
