package policy

import (
	"fmt"
	"slices"
	"testing"
)

// A rule is at the operations that its roles and names pick, however many there are of each.
func TestPlace(t *testing.T) {
	t.Parallel()
	var operations []Operation
	for i := range 300 {
		operations = append(operations, Operation{fmt.Sprintf("%c.%d", 'a'+i*7%5, i*i%1009), []Access{Read, Write, Admin}[i%3]})
	}
	selectors := []*selector{
		{names: []string{"*"}},
		{names: []string{"a.*"}},
		{names: []string{"b.*", "c.1", "c.100", "nosuch", "z.*", "a"}},
		{access: []Access{Read, Admin}},
		{access: []Access{Write}, names: []string{"e.*"}},
		{},
	}
	p := newPlacing(operations)
	for i := range 1 << len(selectors) {
		r := &rule{effect: allows}
		for j, s := range selectors {
			if i>>j&1 == 1 {
				r.picks = append(r.picks, s)
			}
		}
		placed := p.place([]*unit{{rules: []*rule{r}}})
		for _, op := range operations {
			want := slices.ContainsFunc(r.picks, func(s *selector) bool { return s.picks(op) })
			if got := len(placed.get(op.ID).first.rules) == 1; got != want {
				t.Fatalf("%s of %+v: %v, want %v", op.ID, r.picks, got, want)
			}
		}
	}
}

// What a role picks is found once for an app, and all that is looked at is counted.
func TestPlacingIsCounted(t *testing.T) {
	t.Parallel()
	s := rulesOf(make([]Rule, 300)...)
	s.Apps[0].Operations = nil
	for _, id := range numbered(1000, "operation-%d") {
		s.Apps[0].Operations = append(s.Apps[0].Operations, Operation{id, Read})
	}
	for i, id := range numbered(64, "role%d") {
		s.Roles = append(s.Roles, &Role{ID: id, Operations: numbered(256, "operation-x"+fmt.Sprint(i)+"-%d")})
		for j := range s.Policies[0].Rules {
			r := &s.Policies[0].Rules[j]
			r.Operations, r.Roles = nil, append(r.Roles, id)
		}
	}
	program, problems := Compile(s)
	a, _ := program.apps.Get("app")
	if want := 300*1000 + 300*64 + 64*256; len(problems) > 0 || a.usage.placements != want {
		t.Errorf("%d placements, want %d; %v", a.usage.placements, want, problems)
	}
	p := newPlacing(s.Apps[0].Operations)
	p.place(a.units)
	if len(p.picked) != 64 {
		t.Errorf("%d sets of operations, want one for each role", len(p.picked))
	}
	// Names that are no role's are counted for each rule.
	for i := range s.Policies[0].Rules {
		s.Policies[0].Rules[i].Roles, s.Policies[0].Rules[i].Operations = nil, slices.Repeat([]string{"read"}, 256)
	}
	s.Apps[0].Operations = nil // read and write
	program, problems = Compile(s)
	a, _ = program.apps.Get("app")
	if want := 300*2 + 300 + 300*256; len(problems) > 0 || a.usage.placements != want {
		t.Errorf("%d placements, want %d; %v", a.usage.placements, want, problems)
	}
}
