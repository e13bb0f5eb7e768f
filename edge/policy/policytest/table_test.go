package policytest

import (
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var tables = []string{"scope.txt", "conditions.txt", "expressions.txt", "procedure.txt", "rails.txt", "peers.txt"}

func truth(t *testing.T) []Case {
	t.Helper()
	cases, err := Load(os.DirFS("../testdata"), tables...)
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// Every row says which words of the specification it is about, and every
// sentence of it is what some row is about.
func TestSpecification(t *testing.T) {
	t.Parallel()
	cases := truth(t)
	specification, err := LoadSpecification(os.DirFS("../testdata"), "specification.md")
	if err != nil {
		t.Fatal(err)
	}
	pinned := map[string]int{}
	for _, c := range cases {
		quoted := specification.Quoted(c.Pins)
		if quoted == nil {
			t.Errorf("%s:%d: nothing is quoted by %q", c.File, c.Line, c.Pins)
		}
		for _, sentence := range quoted {
			pinned[sentence]++
		}
	}
	for _, sentence := range specification {
		if pinned[sentence] == 0 {
			t.Errorf("no row is about: %s", sentence)
		}
	}
	t.Logf("%d cases for %d sentences", len(cases), len(specification))
	if len(cases) < 300 {
		t.Errorf("only %d cases", len(cases))
	}
}

// Rows that say the same twice are one row too many.
func TestNoRowTwice(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, c := range truth(t) {
		row, _, _ := cut(c.Text, " ; ")
		key := c.File + "\n" + row
		if !strings.HasPrefix(row, "- |") && seen[key] > 0 {
			t.Errorf("%s:%d: as line %d", c.File, c.Line, seen[key])
		}
		seen[key] = c.Line
	}
}

// Examples of others: enough of them, from enough of them, and each says whose and
// which document it is of.
func TestPeers(t *testing.T) {
	t.Parallel()
	heading := regexp.MustCompile(`^(?:([^,:]+), (?:the [^,:]+|"[^"]+"[^:]*|[^:]*example[^:]*)|(RFC [0-9]+)): .{5,}$`)
	rows, examples, peers := 0, map[string]bool{}, map[string]bool{}
	for _, c := range truth(t) {
		if c.File != "peers.txt" {
			continue
		}
		rows++
		examples[c.Section] = true
		names := heading.FindStringSubmatch(c.Section)
		if names == nil {
			t.Errorf("line %d: whose example is %q?", c.Line, c.Section)
			continue
		}
		peers[names[1]+names[2]] = true
	}
	if len(examples) < 30 || len(peers) < 20 || rows < 100 {
		t.Errorf("%d rows, %d examples of %d", rows, len(examples), len(peers))
	}
	t.Logf("%d rows, %d examples of %d", rows, len(examples), len(peers))
}

func TestLoad(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"a.world": {Data: []byte("app api read:READ tier=prod\ngroup g = user(a@b.test) idp(p,v)\nwho a = person idp=p mail=a@b.test trusted\n")},
		"t.txt": {Data: []byte(`# A comment.
world a.world
policy rail for set(tier)=prod,test
## One
rail.x: DENY people,group:g @viewer window=MON-WED@09:00-17:00@UTC device=managed,posture:disk say="No; it's | \"no\" + so." expr=` + "`a || b + c | d ; e`" +
			` + GRANT anyone * to=1h | a read ip=? auth=-10m device=!managed,disk asked.age=5m | STEP_UP r.s p.q "Do + it." age=5m amr=x until=1m shadow=s:DENY:deny.rule:r ; words (a note)
`)},
	}
	cases, err := Load(fsys, "t.txt")
	if err != nil {
		t.Fatal(err)
	}
	isFalse := false
	want := Case{
		File: "t.txt", Line: 5, Section: "One", Text: cases[0].Text, Pins: "words (a note)",
		World: &World{
			Apps:   []*App{{ID: "api", Labels: map[string]string{"tier": "prod"}, Operations: []Operation{{"read", "READ"}}}},
			Groups: []*Group{{ID: "g", Members: []Member{{User: "a@b.test"}, {IDPGroup: IDPGroup{"p", "v"}}}}},
			Policies: []*Policy{{
				ID: "rail", Mode: "ENFORCED", Selector: []LabelRequirement{{"tier", []string{"prod", "test"}, "NO_MATCH"}},
				Rules: []Rule{{
					ID: "x", Effect: "DENY", Principals: []string{"people", "group:g"}, Roles: []string{"viewer"},
					Conditions: Conditions{
						TimeWindows: []Window{{[]string{"MONDAY", "TUESDAY", "WEDNESDAY"}, "09:00", "17:00", "UTC"}},
						Device:      &DeviceCondition{Managed: true, Posture: []string{"disk"}},
					},
					Expression: "a || b + c | d ; e", Remediation: `No; it's | "no" + so.`,
				}},
			}},
			Grants: []*Grant{{ID: "g2", App: "api", Principals: []string{"anyone"}, Operations: []string{"*"}, NotAfter: noon.Add(time.Hour)}},
		},
		Request: Request{
			App: "api", Operation: "read", Method: "GET", Host: "api.acme.test", Path: "/", Now: noon,
			Device: &Device{Managed: &isFalse, Posture: map[string]bool{"disk": true}},
			Who: Identity{
				Kind: Person, IDP: "p", Email: "a@b.test", EmailVerified: true, EmailDomainOwned: true, GroupsComplete: true,
				AuthTime: noon.Add(-10 * time.Minute), Asked: Asked{MaxAge: 5 * time.Minute},
			},
		},
		Want: Decision{
			Outcome: "STEP_UP", Reason: "r.s", Policy: "p", Rule: "q", Remediation: "Do + it.", Need: "age=5m0s amr=x", ValidUntil: noon.Add(time.Minute),
		},
		Shadow: []Shadowed{{"s", "DENY", "deny.rule", "r"}},
	}
	if diff := cmp.Diff([]Case{want}, cases, cmp.Comparer(sameAddress)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A table with a mistake in it proves nothing, so each is refused with its place.
func TestMistakes(t *testing.T) {
	t.Parallel()
	const head = "app api read:READ\nwho a = person idp=p\n"
	for _, row := range []string{
		"ALLOW people read | a read | ALLOW allow.rule p.r1",
		"ALLOW people read | nobody read | ALLOW allow.rule ; x",
		"ALLOW people | a read | ALLOW allow.rule ; x",
		"ALLOW people read colour=red | a read | ALLOW allow.rule ; x",
		"ALLOW people read from=soon | a read | ALLOW allow.rule ; x",
		"ALLOW people read say=no | a read | ALLOW allow.rule ; x",
		"ALLOW people read window=MON | a read | ALLOW allow.rule ; x",
		"ALLOW people read age=long | a read | ALLOW allow.rule ; x",
		"ALLOW people read device=new | a read | ALLOW allow.rule ; x",
		"GRANT people | a read | ALLOW allow.rule ; x",
		"GRANT people read since=1h | a read | ALLOW allow.rule ; x",
		"p.e: EXEMPT people why=so | a read | ALLOW allow.rule ; x",
		"ALLOW people read | a read ip=here | ALLOW allow.rule ; x",
		"ALLOW people read | a read mood=good | ALLOW allow.rule ; x",
		"ALLOW people read | a read | PERMIT allow.rule ; x",
		"ALLOW people read | a read | ALLOW allow.rule colour=red ; x",
		"ALLOW people read | a | ALLOW allow.rule ; x",
		"app b blue", "policy p api blue", "who b person", "who b = person blue", "world nowhere.txt", "group g",
	} {
		_, err := Load(fstest.MapFS{"t.txt": {Data: []byte(head + row)}}, "t.txt")
		if err == nil || !strings.Contains(err.Error(), "t.txt:3: ") {
			t.Errorf("%s: %v", row, err)
		}
	}
}

func sameAddress(a, b netip.Addr) bool { return a == b }
