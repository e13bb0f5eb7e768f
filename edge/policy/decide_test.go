package policy

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	w := &world{who: map[string]Identity{}}
	rows := 0
	for _, l := range readLines(t, "testdata/decide.txt") {
		if strings.HasPrefix(l.text, "## ") || w.add(l.text) {
			continue
		}
		rows++
		parts := strings.Split(l.text, " | ")
		if len(parts) != 3 || l.pins == "" {
			t.Fatalf("line %d: not a row", l.number)
		}
		source := w.withRules(parts[0])
		app, id, r := w.parseRequest(t, parts[1])
		for _, s := range []Source{source, reversed(source)} {
			program, problems := Compile(s)
			if len(problems) > 0 {
				t.Fatalf("line %d: %+v", l.number, problems)
			}
			r.Principal = program.Resolve(id)
			if diff := cmp.Diff(parseDecision(t, parts[2]), program.Decide(app, &r)); diff != "" {
				t.Errorf("line %d (%s): -want +got\n%s", l.number, l.pins, diff)
			}
			if want := reference(s, app, id, r); !cmp.Equal(program.Decide(app, &r), want) {
				t.Errorf("line %d: the reference says %+v", l.number, want)
			}
		}
	}
	if rows < 60 {
		t.Errorf("only %d rows", rows)
	}
}

// parseDecision reads: OUTCOME reason [policy.rule] ["remediation"] [until=…].
func parseDecision(t testing.TB, text string) Decision {
	t.Helper()
	var d Decision
	if before, after, ok := strings.Cut(text, ` "`); ok {
		quoted, err := strconv.QuotedPrefix(`"` + after)
		if err != nil {
			t.Fatal(err)
		}
		d.Remediation, _ = strconv.Unquote(quoted)
		text = before + strings.TrimPrefix(`"`+after, quoted)
	}
	fields := strings.Fields(text)
	d.Outcome = map[string]Outcome{"ALLOW": Allow, "DENY": Deny, "AUTHENTICATE": Authenticate}[fields[0]]
	d.Reason = Reason(fields[1])
	for _, f := range fields[2:] {
		if at, ok := strings.CutPrefix(f, "until="); ok {
			d.ValidUntil = instant(at)
		} else {
			d.Policy, d.Rule, _ = strings.Cut(f, ".")
		}
	}
	return d
}

func TestProblems(t *testing.T) {
	t.Parallel()
	type block struct {
		world
		title  string
		want   []line
		closed []string
	}
	var blocks []*block
	for _, l := range readLines(t, "testdata/problems.txt") {
		if title, ok := strings.CutPrefix(l.text, "## "); ok {
			blocks = append(blocks, &block{title: title, world: world{who: map[string]Identity{}}})
			continue
		}
		b := blocks[len(blocks)-1]
		switch {
		case strings.HasPrefix(l.text, "! "):
			b.want = append(b.want, l)
		case strings.HasPrefix(l.text, "closed "):
			b.closed = strings.Fields(l.text)[1:]
		case !b.add(l.text):
			t.Fatalf("line %d: %s", l.number, l.text)
		}
	}
	for _, b := range blocks {
		t.Run(b.title, func(t *testing.T) {
			t.Parallel()
			program, problems := Compile(b.source)
			if len(problems) != len(b.want) {
				t.Fatalf("got %d problems, want %d:\n%+v", len(problems), len(b.want), problems)
			}
			for i, l := range b.want {
				checkProblem(t, l, problems[i])
			}
			if diff := cmp.Diff(b.closed, program.ClosedApps()); diff != "" {
				t.Errorf("closed: -want +got\n%s", diff)
			}
		})
	}
}

func checkProblem(t *testing.T, l line, got Problem) {
	t.Helper()
	fields := strings.SplitN(l.text, " ", 4)
	message, err := strconv.QuotedPrefix(fields[3])
	if err != nil {
		t.Fatalf("line %d: %v", l.number, err)
	}
	suggestion := strings.Trim(strings.TrimPrefix(fields[3], message), ` "`)
	message, _ = strconv.Unquote(message)
	if got.Field != fields[1] || got.Reason != fields[2] || !strings.Contains(got.Message, message) || got.Suggestion != suggestion {
		t.Errorf("line %d (%s): got %+v", l.number, l.pins, got)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	w := demo(t)
	program, _ := Compile(w.source)
	for who, want := range map[string][]string{
		"alice": {"admins", "engineering", "everybody", "staff"},
		"bob":   {"engineering", "everybody", "staff"},
		"ci":    {"bots", "everybody"},
		"carol": nil,
		// Perhaps a member is not a member: an upstream must not be told so.
		"toomany": nil,
	} {
		if diff := cmp.Diff(want, program.Resolve(w.who[who]).Groups()); diff != "" {
			t.Errorf("%s: -want +got\n%s", who, diff)
		}
	}
}

// demo is the world of decide.txt with a rule for each kind of clause.
func demo(t testing.TB) *world {
	t.Helper()
	w := &world{who: map[string]Identity{}}
	for _, l := range readLines(t, "testdata/decide.txt") {
		if !strings.HasPrefix(l.text, "## ") {
			w.add(l.text)
		}
	}
	w.source = w.withRules("ALLOW group:staff,serviceAccount:ci read + ALLOW group:admins,user:root@acme.test * say=\"Ask.\"" +
		" + DENY user:carol@other.test,domain:evil.test * + DENY people write cidr=203.0.113.0/24 + REQUIRE people write in=staff to=2027-01-01T00:00:00Z" +
		" + ALLOW anyone invoices.read + ALLOW idp:demo invoices.pay from=2026-01-01T00:00:00Z")
	return w
}

// A group that was understood in part only: who is not surely in it is perhaps
// in it, and so are the groups that contain it.
func TestBrokenGroupIsUnknown(t *testing.T) {
	t.Parallel()
	w := demo(t)
	source := w.withRules("ALLOW people read + DENY group:staff read + ALLOW group:engineering write")
	i := slices.IndexFunc(source.Groups, func(g *Group) bool { return g.ID == "engineering" })
	source.Groups = slices.Clone(source.Groups)
	engineering := *source.Groups[i]
	source.Groups[i] = &engineering
	engineering.Members = []Member{{User: "no address"}, {IDPGroup: IDPGroup{"demo", "staff"}}}
	program, problems := Compile(source)
	if len(problems) != 1 {
		t.Fatalf("got %+v", problems)
	}
	for operation, want := range map[string]Reason{"read": DenyRule, "write": DenyNoRule} {
		r := Request{Operation: operation, Principal: program.Resolve(w.who["bob"])}
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
	w := demo(t)
	old, _ := Compile(w.source)
	stale := old.Resolve(w.who["bob"])
	changed := w.source
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
	w := demo(t)
	program, _ := Compile(w.source)
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
	w := demo(t)
	program, _ := Compile(w.source)
	for _, who := range []string{"alice", "bob", "carol", "ci", "toomany", "stranger"} {
		principal := program.Resolve(w.who[who])
		for _, operation := range []string{"read", "write", "invoices.read", "invoices.pay", "reset", "nosuch"} {
			if n := testing.AllocsPerRun(100, func() {
				r := Request{Operation: operation, Principal: principal, Now: time.Unix(1764000000, 0)}
				program.Decide("api", &r)
			}); n > 0 {
				t.Errorf("%s %s: %v allocations", who, operation, n)
			}
		}
	}
}
