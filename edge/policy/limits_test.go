package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// rulesOf is a tenant with one app and one policy.
func rulesOf(rules ...Rule) Source {
	for i := range rules {
		rules[i].ID, rules[i].Effect = fmt.Sprint("r", i), AllowEffect
		if rules[i].Principals == nil {
			rules[i].Principals = []string{"people"}
		}
		if rules[i].Operations == nil {
			rules[i].Operations = []string{"*"}
		}
	}
	return Source{Apps: []*App{{ID: "app"}}, Policies: []*Policy{{ID: "p", Apps: []string{"app"}, Rules: rules}}}
}

func numbered(n int, format string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(format, i)
	}
	return list
}

func networksOf(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("10.%d.%d.%d/32", i>>16&255, i>>8&255, i&255)
	}
	return list
}

func conditionsOf(n int, c Conditions) []Rule {
	rules := make([]Rule, n)
	for i := range rules {
		rules[i].Conditions = c
	}
	return rules
}

// nested is a chain of groups, or a ring.
func nested(n int, ring bool) Source {
	s := rulesOf(Rule{Principals: []string{"group:g000000"}})
	for i := range n {
		g := &Group{ID: fmt.Sprintf("g%06d", i)}
		if i > 0 || ring {
			g.Members = []Member{{Group: fmt.Sprintf("g%06d", (i+n-1)%n)}}
		}
		s.Groups = append(s.Groups, g)
	}
	return s
}

// Whatever somebody writes, compiling it ends soon and takes little more memory than reading it; what exceeds a limit
// is refused with the limit.
func TestLimits(t *testing.T) {
	t.Parallel()
	manyApps := func(apps, operations int, rules ...Rule) Source {
		s := rulesOf(rules...)
		s.Apps = nil
		s.Policies[0].Apps, s.Policies[0].Selector = nil, []LabelRequirement{{Key: "env", Values: []string{"prod"}}}
		for i := range s.Policies[0].Rules {
			s.Policies[0].Rules[i].Effect = DenyEffect
		}
		var list []Operation
		for _, id := range numbered(operations, "operation%d") {
			list = append(list, Operation{id, Read})
		}
		for _, id := range numbered(apps, "app%05d") {
			s.Apps = append(s.Apps, &App{ID: id, Operations: list})
		}
		return s
	}
	for name, test := range map[string]struct {
		source func() Source
		want   string // of some problem
	}{
		"rules":      {func() Source { return rulesOf(make([]Rule, 1001)...) }, "1001, and at most 1000 "},
		"principals": {func() Source { return rulesOf(Rule{Principals: numbered(257, "user:u%d@a.test")}) }, "at most 256 "},
		"operations": {func() Source { return rulesOf(Rule{Operations: numbered(257, "o%d")}) }, "at most 256 "},
		"long names": {func() Source { return rulesOf(Rule{Principals: []string{strings.Repeat("user:", 2e6)}}) }, "is not a principal"},
		"text":       {func() Source { return rulesOf(Rule{Remediation: strings.Repeat("x", 10e6)}) }, "at most 1024 bytes"},
		"expression": {func() Source { return rulesOf(Rule{Expression: strings.Repeat("(", 10e6)}) }, "4096"},
		"a million networks": {
			func() Source { return rulesOf(conditionsOf(1, Conditions{SourceCIDRs: networksOf(1e6)})...) }, "1000000, and at most 10000 ",
		},
		"a million networks in 100 rules": {
			func() Source { return rulesOf(conditionsOf(100, Conditions{SourceCIDRs: networksOf(1e4)})...) }, "at most 100,000 source_cidrs",
		},
		"a million networks in as many lists as rules": {
			func() Source { return rulesOf(conditionsOf(1000, Conditions{SourceCIDRs: networksOf(1000)})...) }, "at most 100,000 source_cidrs",
		},
		"windows": {
			func() Source {
				return rulesOf(conditionsOf(1000, Conditions{TimeWindows: slices.Repeat([]window.Window{{Start: "09:00", End: "17:00", Zone: "Europe/Berlin"}}, 64)})...)
			}, "at most 10,000 time_windows",
		},
		"expressions": {
			func() Source {
				rules := make([]Rule, 1000)
				for i := range rules {
					rules[i].Expression = fmt.Sprintf("request.path == %q", fmt.Sprint(i))
				}
				s := rulesOf(rules...)
				for i := range 11 {
					p := new(*s.Policies[0])
					p.ID = fmt.Sprint("p", i)
					s.Policies = append(s.Policies, p)
				}
				return s
			}, "at most 10,000 expressions",
		},
		"bytes of expressions": {
			func() Source {
				return rulesOf(expressions(1000, `request.path == "%d`+strings.Repeat("a", 2000)+`"`)...)
			}, "at most 2,000,000 bytes",
		},
		"nesting":           {func() Source { return nested(33, false) }, "at most 32 deep"},
		"a chain of groups": {func() Source { return nested(100_000, false) }, "at most 32 deep"},
		"a ring of groups":  {func() Source { return nested(100_000, true) }, "contains itself: g000000 → g099999 →"},
		"a chain on a ring of groups": {
			func() Source {
				s := nested(20_000, false)
				s.Groups[0].Members = []Member{{Group: s.Groups[0].ID}}
				return s
			}, "contains itself: g000000 → g000000",
		},
		"groups in all groups": {
			func() Source {
				s := nested(1000, false)
				for i, g := range s.Groups {
					for j := range i {
						g.Members = append(g.Members, Member{Group: s.Groups[j].ID})
					}
				}
				return s
			}, "at most 32 deep",
		},
		"names that do not exist": {
			func() Source {
				s := nested(20_000, false)
				var rules []Rule
				for range 1000 {
					rules = append(rules, Rule{Principals: numbered(256, "group:h%06d")})
				}
				s.Policies = rulesOf(rules...).Policies
				return s
			}, `group "h000000" does not exist`,
		},
		"a guard-rail for everything": {
			func() Source {
				var rules []Rule
				for range 1000 {
					rules = append(rules, Rule{Principals: numbered(256, "user:u%d@a.test")})
				}
				return manyApps(10_000, 100, rules...)
			}, "at most 10,000,000 principals",
		},
		"operations of an app": {func() Source { return manyApps(1, 1001, Rule{}) }, "at most 1000 "},
		"labels": {
			func() Source {
				s := manyApps(1, 1, Rule{})
				s.Policies[0].Selector = make([]LabelRequirement, 17)
				return s
			}, "17 labels, and at most 16 ",
		},
		"exemptions": {
			func() Source {
				s := manyApps(1, 1, Rule{})
				s.Policies[0].Exemptions = make([]Exemption, 257)
				return s
			}, "at most 256 ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := test.source()
			start := time.Now()
			program, problems := Compile(source)
			took := time.Since(start)
			if !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.Message, test.want) }) {
				t.Errorf("no problem says %q: %.2000s", test.want, fmt.Sprintf("%+v", problems))
			}
			if len(program.ClosedApps()) == 0 && !strings.Contains(name, "group") && name != "nesting" {
				t.Error("no app is closed")
			}
			if len(problems) > 1000 {
				t.Errorf("%d problems", len(problems))
			}
			t.Logf("%v, %d problems", took, len(problems))
			// Many times what it takes here, and a small part of what it takes without the limit.
			if took > time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// Every SHADOW policy costs a decision, and room in the record, of each request: only so many are judged, and an app stays
// open whatever there is too much of what decides nothing.
func TestShadowsAreLimited(t *testing.T) {
	t.Parallel()
	s := rulesOf(Rule{})
	request := &Request{Operation: "read", Now: time.Now()}
	for i := range 20 {
		s.Policies = append(s.Policies, &Policy{ID: fmt.Sprintf("s%02d", i), Mode: Shadow, Apps: []string{"app"}, Rules: s.Policies[0].Rules})
	}
	before, problems := Compile(s)
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "20 policies in SHADOW mode") || !strings.Contains(problems[0].Message, "at most 16 ") {
		t.Errorf("problems: %v", problems)
	}
	judged := before.Shadow("app", request, nil)
	if len(judged) != maxShadows || judged[15].Policy != "s15" || len(before.ClosedApps()) > 0 {
		t.Errorf("judged %v, closed %v", judged, before.ClosedApps())
	}
	s.Policies = append(slices.Clone(s.Policies[:3]), s.Policies[7:]...)
	after, problems := before.Recompile(s)
	if judged := after.Shadow("app", request, nil); len(problems) > 0 || len(judged) != maxShadows || judged[15].Policy != "s19" {
		t.Errorf("with fewer: %v, %v", judged, problems)
	}
}

// What one request could take is counted: for all rules of an operation, and for each time that they are judged.
func TestWork(t *testing.T) {
	t.Parallel()
	zones := strings.Fields(`Africa/Abidjan Africa/Cairo Africa/Lagos America/Anchorage America/Bogota America/Caracas America/Chicago America/Denver
		America/Halifax America/Lima America/New_York America/Phoenix America/Santiago America/Sao_Paulo Asia/Tokyo Asia/Dubai Asia/Kolkata Asia/Karachi
		Asia/Dhaka Asia/Bangkok Asia/Shanghai Asia/Seoul Asia/Tehran Asia/Kabul Asia/Kathmandu Asia/Yangon Australia/Sydney Australia/Perth`)
	var windows []window.Window
	for _, zone := range zones {
		windows = append(windows, window.Window{Start: "09:00", End: "17:00", Zone: zone})
	}
	pattern := Rule{Expression: `request.path.matches("(a?){20}#")`} // 16,800 units
	exempt := func(n int) []Exemption {
		list := make([]Exemption, n)
		for i := range list {
			list[i] = Exemption{ID: fmt.Sprint(i), Principals: []string{"user:a@a.test"}}
		}
		return list
	}
	rail := func(s Source, exemptions int) Source {
		p := s.Policies[0]
		p.Apps, p.Selector, p.Exemptions = nil, []LabelRequirement{{Key: "env", Values: []string{"prod"}}}, exempt(exemptions)
		for i := range p.Rules {
			p.Rules[i].Effect = DenyEffect
		}
		return s
	}
	const half = `request.path.matches("^(a?){9}#")` // some 8,000 units
	shadowed := func(n int, rules ...Rule) Source {
		s := rulesOf(rules...)
		for i := range n {
			p := new(*rulesOf(Rule{}).Policies[0])
			p.ID, p.Mode = fmt.Sprint("s", i), Shadow
			s.Policies = append(s.Policies, p)
		}
		return s
	}
	for name, test := range map[string]struct {
		source  Source
		refused bool // with the limit
		open    bool // all the same
	}{
		"as many rules as can be":      {rulesOf(make([]Rule, maxRules)...), false, true},
		"an ordinary expression each":  {rulesOf(expressions(maxRules, `principal.domain == "a.test" && request.path.startsWith("/%d/")`)...), false, true},
		"a pattern of great cost":      {rulesOf(pattern), true, false}, // by its own limit
		"some patterns":                {rulesOf(expressions(5, `request.path.matches("^/(admin|internal|debug%d)/")`)...), false, true},
		"many patterns":                {rulesOf(expressions(20, `request.path.matches("^/(admin|internal|debug%d)/")`)...), true, false},
		"windows in some zones":        {rulesOf(conditionsOf(50, Conditions{TimeWindows: windows})...), false, true},
		"windows in many zones, twice": {shadowed(1, conditionsOf(300, Conditions{TimeWindows: windows})...), true, true},
		"a guard-rail":                 {rail(rulesOf(make([]Rule, 100)...), 100), false, true},
		"a guard-rail full of holes":   {rail(rulesOf(make([]Rule, 500)...), 200), true, false},
		"judged beside 4 shadows":      {shadowed(4, Rule{Expression: half}), false, true},
		"judged beside each of 13":     {shadowed(13, Rule{Expression: half}), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, problems := Compile(test.source)
			refused := slices.ContainsFunc(problems, func(p Problem) bool {
				return strings.HasSuffix(p.Field, "expression") || strings.Contains(p.Message, "100000 is the limit")
			})
			if refused != test.refused || len(problems) > 0 && !refused {
				t.Errorf("problems: %v", problems)
			}
			if open := len(program.ClosedApps()) == 0; open != test.open {
				t.Errorf("open: %v", open)
			}
		})
	}
}

func expressions(n int, format string) []Rule {
	rules := make([]Rule, n)
	for i := range rules {
		rules[i].Expression = fmt.Sprintf(format, i)
	}
	return rules
}
