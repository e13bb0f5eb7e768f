package incremental

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Each table says for ever what it said when it was made, whatever is made of it.
func TestTable(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	table, want := NewTable[int](), map[string]int{}
	type version struct {
		table Table[int]
		want  map[string]int
	}
	var versions []version
	for range 200 {
		versions = append(versions, version{table, maps.Clone(want)})
		d := table.Edit()
		for range random.IntN(50) {
			name := fmt.Sprint(random.IntN(500))
			if random.IntN(3) == 0 {
				d.Remove(name)
				delete(want, name)
			} else {
				n := random.Int()
				d.Set(name, n)
				want[name] = n
			}
		}
		table = d.Table
	}
	for i, v := range versions {
		if got := maps.Collect(v.table.All); !maps.Equal(got, v.want) || v.table.Size() != len(v.want) {
			t.Fatalf("version %d: %d names, of which %d; want %d", i, v.table.Size(), len(got), len(v.want))
		}
		for name, n := range v.want {
			if got, ok := v.table.Get(name); !ok || got != n {
				t.Fatalf("version %d: %q is %d, %v; want %d", i, name, got, ok, n)
			}
		}
		if _, ok := v.table.Get("nothing"); ok {
			t.Error("there is nothing")
		}
	}
	d := table.Edit()
	if d.Same(&table) || !table.Same(&table) {
		t.Error("a draft is not the table")
	}
}

// What is gone and come makes the list after of the list before, whatever their order.
func TestDifference(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	id := func(s *string) string { return (*s)[:1] }
	var before []*string
	for range 2000 {
		after := slices.Clone(before)
		for range random.IntN(4) {
			switch i := random.IntN(len(after) + 1); {
			case random.IntN(2) == 0 || i == len(after):
				after = slices.Insert(after, i, new(string(rune('a'+random.IntN(26)))+fmt.Sprint(random.Int())))
			default:
				after = slices.Delete(after, i, i+1)
			}
		}
		if random.IntN(5) > 0 {
			slices.SortStableFunc(after, func(a, b *string) int { return strings.Compare(id(a), id(b)) })
		}
		d := Difference(before, after, id)
		if !slices.IsSortedFunc(d.List, func(a, b *string) int { return strings.Compare(id(a), id(b)) }) {
			t.Fatal("not in order")
		}
		all := map[*string]bool{}
		for _, s := range slices.Concat(d.List, d.Twice) {
			all[s] = true
		}
		if len(all) != len(after) || slices.ContainsFunc(after, func(s *string) bool { return !all[s] }) {
			t.Fatalf("%d of %d", len(all), len(after))
		}
		made := map[*string]bool{}
		for _, s := range before {
			made[s] = true
		}
		for _, s := range d.Gone {
			delete(made, s)
		}
		for _, s := range d.Come {
			made[s] = true
		}
		if len(made) != len(d.List) || slices.ContainsFunc(d.List, func(s *string) bool { return !made[s] }) {
			t.Fatalf("made of what was before: %d, want %d", len(made), len(d.List))
		}
		if d.Changed() != (len(d.Gone)+len(d.Come)+len(d.Twice) > 0) {
			t.Error("changed is not changed")
		}
		before = d.List
	}
}

func BenchmarkSet(b *testing.B) {
	d := NewTable[int]().Edit()
	for i := range 100_000 {
		d.Set(fmt.Sprint(i), i)
	}
	table := d.Table
	b.ReportAllocs()
	for b.Loop() {
		table.Edit().Set("54321", 0)
	}
}
