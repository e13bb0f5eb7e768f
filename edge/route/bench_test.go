package route

import (
	"fmt"
	"testing"
)

func BenchmarkOperation(b *testing.B) {
	spec := Spec{}
	for i := range 200 {
		spec.Operations = append(spec.Operations,
			Operation{ID: fmt.Sprintf("a%d", i), Methods: []string{"GET"}, Paths: []string{fmt.Sprintf("/v1/things%d/{id}", i)}},
			Operation{ID: fmt.Sprintf("b%d", i), Methods: []string{"*"}, Paths: []string{fmt.Sprintf("/v1/things%d/**", i)}})
	}
	table, problems := Compile(spec)
	if problems != nil {
		b.Fatal(problems)
	}
	b.ReportAllocs()
	for b.Loop() {
		p, err := Canonical("/v1/things77/42?expand=all", Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, ok := table.Operation("a.test", "GET", p); !ok {
			b.Fatal("no operation")
		}
	}
}
