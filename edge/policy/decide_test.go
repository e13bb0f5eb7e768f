package policy

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	source, who := demo(t)
	program, _ := Compile(source)
	for name, want := range map[string][]string{
		"alice": {"admins", "duty", "engineering", "everybody", "oncall", "staff"},
		"bob":   {"engineering", "everybody", "staff"},
		"ci":    {"bots", "everybody"},
		"carol": nil,
		// Perhaps a member is not a member: an upstream must not be told so.
		"toomany": {"duty", "oncall"},
	} {
		if diff := cmp.Diff(want, program.Resolve(who[name]).Groups()); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// demo is a tenant with a rule for each kind of clause, and who acts there.
func demo(t testing.TB) (Source, map[string]Identity) {
	t.Helper()
	w, people, err := policytest.LoadWorld(os.DirFS("testdata"), "demo.world")
	if err != nil {
		t.Fatal(err)
	}
	w.Policies = slices.DeleteFunc(w.Policies, func(p *policytest.Policy) bool { return p.Rules == nil })
	who := map[string]Identity{}
	for name, id := range people {
		who[name] = identityOf(&id)
	}
	return sources{}.of(t, w), who
}

// A group that was understood in part only: who is not surely in it is perhaps
// in it, and so are the groups that contain it.
func TestBrokenGroupIsUnknown(t *testing.T) {
	t.Parallel()
	source, who := demo(t)
	rules := []Rule{
		{ID: "a", Effect: AllowEffect, Principals: []string{"people"}, Operations: []string{"read"}},
		{ID: "b", Effect: DenyEffect, Principals: []string{"group:staff"}, Operations: []string{"read"}},
		{ID: "c", Effect: AllowEffect, Principals: []string{"group:engineering"}, Operations: []string{"write"}},
	}
	source.Policies = []*Policy{{ID: "p", Apps: []string{"api"}, Rules: rules}}
	i := slices.IndexFunc(source.Groups, func(g *Group) bool { return g.ID == "engineering" })
	source.Groups = slices.Clone(source.Groups)
	engineering := *source.Groups[i]
	source.Groups[i] = &engineering
	engineering.Members = []Member{{User: "no address"}, {IDPGroup: IDPGroup{IDP: "demo", Name: "staff"}}}
	program, problems := Compile(source)
	if len(problems) != 1 {
		t.Fatalf("got %+v", problems)
	}
	for operation, want := range map[string]Reason{"read": DenyRule, "write": DenyNoRule} {
		r := Request{Operation: operation, Principal: program.Resolve(who["bob"])}
		if d := program.Decide("api", &r); d.Outcome != Deny || d.Reason != want {
			t.Errorf("%s: got %+v", operation, d)
		}
	}
	r := Request{Operation: "write", Principal: program.Resolve(Identity{Kind: Person, IDP: "demo", Groups: []string{"staff"}})}
	if d := program.Decide("api", &r); d.Outcome != Allow {
		t.Errorf("a sure member is one: got %+v", d)
	}
}

// A principal is bound to its program; another program's groups have other
// numbers. Deciding with a stale one must not read the wrong bits.
func TestStalePrincipalIsResolvedAgain(t *testing.T) {
	t.Parallel()
	changed, who := demo(t)
	old, _ := Compile(changed)
	stale := old.Resolve(who["bob"])
	changed.Groups = append(slices.Clone(changed.Groups), &Group{ID: "a-new-first"}, &Group{ID: "b-another"})
	program, problems := Compile(changed)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := Request{Operation: "read", Principal: stale}
	if d := program.Decide("api", &r); d.Outcome != Allow {
		t.Errorf("got %+v", d)
	}
	r = Request{Operation: "reset", Principal: stale}
	if d := program.Decide("api", &r); d.Outcome != Deny {
		t.Errorf("got %+v", d)
	}
}

func TestNoPrincipalIsAStranger(t *testing.T) {
	t.Parallel()
	source, _ := demo(t)
	program, _ := Compile(source)
	if d := program.Decide("api", &Request{Operation: "read"}); d.Outcome != Authenticate {
		t.Errorf("got %+v", d)
	}
	if d := (Decision{}); d.Outcome != Deny {
		t.Errorf("the zero decision is %v", d.Outcome)
	}
}

func TestOutcomeString(t *testing.T) {
	t.Parallel()
	for o, want := range map[Outcome]string{Allow: "ALLOW", Deny: "DENY", Authenticate: "AUTHENTICATE", 99: "DENY"} {
		if got := o.String(); got != want {
			t.Errorf("%d: got %s", o, got)
		}
	}
}

func TestDefaultAccess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		methods []string
		want    Access
	}{
		{[]string{"GET"}, Read},
		{[]string{"GET", "HEAD"}, Read},
		{[]string{"GET", "POST"}, Write},
		{[]string{"*"}, Write},
		{[]string{"WEBSOCKET"}, Write},
		{[]string{"OPTIONS"}, Write},
	} {
		if got := DefaultAccess(c.methods); got != c.want {
			t.Errorf("%v: got %s", c.methods, got)
		}
	}
}

func TestCanonicalEmail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"bob@acme.test": "bob@acme.test", "Bob@ACME.test": "bob@acme.test", "b+x@a.b.c": "b+x@a.b.c",
		"": "", "bob": "", "@acme.test": "", "bob@": "", "bob@acme": "", "a@b@c.test": "", "bob @acme.test": "",
		"bob@acme.test.": "", "bob@-acme.test": "", "bob@ac_me.test": "", "bob@acme.test ": "",
		strings.Repeat("a", 250) + "@a.test": "",
	} {
		if got, ok := CanonicalEmail(in); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", in, got, ok)
		}
	}
}

func TestDecideAllocatesNothing(t *testing.T) {
	source, who := demo(t)
	program, _ := Compile(source)
	for _, name := range []string{"alice", "bob", "carol", "ci", "toomany", "stranger"} {
		principal := program.Resolve(who[name])
		for _, operation := range []string{"read", "write", "invoices.read", "invoices.pay", "reset", "nosuch"} {
			if n := testing.AllocsPerRun(100, func() {
				r := Request{Operation: operation, Principal: principal, Now: time.Unix(1764000000, 0)}
				program.Decide("api", &r)
			}); n > 0 {
				t.Errorf("%s %s: %v allocations", name, operation, n)
			}
		}
	}
}
