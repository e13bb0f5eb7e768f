package rpc_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// What is too much is refused, with the limit named. It is not parallel, or what others allocate would be counted: the
// work that a bomb makes is bounded by its bytes, and by the deadline of the call, so no clock is asked.
func TestBombs(t *testing.T) {
	s := setup(t)
	s.acme.must(t, "ConfigService/Apply", apply([]object{appWith("api", nil)}, nil))
	networks := func(from, n int) []any {
		list := make([]any, n)
		for i := range list {
			at := from + i
			list[i] = fmt.Sprintf("%x:%x::/32", at>>10, at&1023) // short: a million fit into a request
		}
		return list
	}
	rules := func(n int, rule func(i int) object) []object {
		list := make([]any, n)
		for i := range list {
			list[i] = with(object{"id": fmt.Sprint("r", i), "effect": "EFFECT_ALLOW", "principals": []any{"people"}, "operations": []any{"read"}}, rule(i))
		}
		return []object{typed("Policy", "policies/p", object{"apps": []any{"api"}, "rules": list})}
	}
	one := func(key string, value any) []object {
		return rules(1, func(int) object { return object{key: value} })
	}
	nested := func(depth int) (all []object) {
		for i := range depth {
			members := []any{object{"user": "ann@acme.test"}}
			if i > 0 {
				members = append(members, object{"group": fmt.Sprint("g", i-1)})
			}
			all = append(all, typed("Group", fmt.Sprint("groups/g", i), object{"members": members}))
		}
		return all
	}
	searching := func(n, segments int) []object {
		return rules(n, func(i int) object {
			return object{"expression": fmt.Sprintf("request.path.startsWith(%q) && session.amr.exists(a, a == 'hwk' || a == 'x%d')", strings.Repeat("/a", segments), i)}
		})
	}
	people := func(n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = fmt.Sprintf("user:u%d@acme.test", i)
		}
		return list
	}
	for _, c := range []struct {
		name      string
		resources []object
		code      string
		field     string // of a violation, if there are any
		says      string
	}{
		{"networks of a rule", one("conditions", object{"source_cidrs": networks(0, 10_001)}), "invalid_argument", "resources[0].rules[0].conditions.source_cidrs", "10000"},
		{"a million networks of a tenant", rules(100, func(i int) object {
			return object{"conditions": object{"source_cidrs": networks(i*10_000, 10_000)}}
		}), "invalid_argument", "", "100,000"},
		{"rules", rules(1001, func(int) object { return nil }), "invalid_argument", "resources[0].rules", "1000"},
		{"principals", one("principals", people(257)), "invalid_argument", "resources[0].rules[0].principals", "256"},
		{"an expression's length", one("expression", strings.Repeat("true || ", 1<<20)+"true"), "invalid_argument", "resources[0].rules[0].expression", "4096"},
		{"an expression's depth", one("expression", strings.Repeat("(", 1000)+"true"+strings.Repeat(")", 1000)), "invalid_argument", "resources[0].rules[0].expression", "32"},
		{"an expression's cost", one("expression", "session.amr.all(a, session.amr.all(b, session.amr.all(c, a == b || b == c)))"), "invalid_argument", "resources[0].rules[0].expression", "10000"},
		{"a pattern that repeats", one("expression", `request.path.matches("(a{1,1000}b{1,1000}){1000}")`), "invalid_argument", "resources[0].rules[0].expression", ""},
		{"a pattern that backtracks", one("expression", `request.path.matches("`+strings.Repeat("a?", 128)+`")`), "invalid_argument", "resources[0].rules[0].expression", "10000"},
		{"many, of one operation", searching(200, 1000), "invalid_argument", "", "100000"},
		{"many, of a tenant", searching(1000, 1000), "invalid_argument", "", "2,000,000"},
		{"many that are allowed", searching(20, 1000), "", "", ""},
		{"wildcards of a path", []object{with(appWith("api", nil), object{"operations": []any{
			object{"id": "o", "methods": []any{"*"}, "paths": []any{"/" + strings.Repeat("*a", 4000)}},
		}})}, "invalid_argument", "resources[0].operations[0].paths[0]", ""},
		{"groups in groups", nested(33), "invalid_argument", "", "32"},
		{"more groups in groups", nested(1000), "invalid_argument", "", "32"},
		{"a text", one("remediation", strings.Repeat("a", 10<<20)), "invalid_argument", "resources[0].rules[0].remediation", "1024"},
		{"all of it", one("remediation", strings.Repeat("a", 17<<20)), "resource_exhausted", "", "16777216"},
	} {
		t.Run(c.name, func(t *testing.T) {
			request, err := json.Marshal(apply(c.resources, object{"validate_only": true}))
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := s.acme.send(t, "ConfigService/Apply", request)
			runtime.ReadMemStats(&after)
			if a.code() != c.code || !strings.Contains(a.body, c.says) {
				t.Errorf("want %q that says %q, got %d %.1000s", c.code, c.says, a.status, a.body)
			}
			if c.field != "" && !strings.Contains(strings.Join(a.violated(), " "), c.field) {
				t.Errorf("want a violation of %s, got %.1000s", c.field, a.violated())
			}
			if c.code != "" && len(a.body) > 1<<20 {
				t.Errorf("the answer has %d bytes", len(a.body))
			}
			allocated := int(after.TotalAlloc - before.TotalAlloc)
			t.Logf("%d MiB allocated in all, for a request of %d KiB", allocated>>20, len(request)>>10)
			if most := 256<<20 + 128*len(request); allocated > most {
				t.Errorf("%d bytes are allocated for a request of %d; %d were generous", allocated, len(request), most)
			}
		})
	}
}
