package policy

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// corpus is a tenant with apps of some rules each: mostly ALLOWs by group, a
// few DENYs and REQUIREs, a network here and there.
func corpus(apps, rules int) Source {
	s := Source{Providers: []string{"idp"}}
	for g := range 200 {
		s.Groups = append(s.Groups, &Group{ID: fmt.Sprintf("g%03d", g), Members: []Member{{IDPGroup: IDPGroup{"idp", fmt.Sprintf("v%d", g)}}}})
	}
	for a := range apps {
		id := fmt.Sprintf("app%05d", a)
		s.Apps = append(s.Apps, &App{ID: id, Operations: []Operation{{"read", Read}, {"write", Write}, {"admin", Admin}}})
		p := Policy{ID: id, Apps: []string{id}}
		for r := range rules {
			rule := Rule{ID: fmt.Sprintf("r%05d", r), Effect: AllowEffect, Roles: []string{"viewer"}, Principals: []string{fmt.Sprintf("group:g%03d", (a+r*7)%200)}}
			switch r % 10 {
			case 3:
				rule.Effect, rule.Principals = DenyEffect, []string{fmt.Sprintf("user:u%d@acme.test", r)}
			case 5:
				rule.Effect, rule.Conditions.SourceCIDRs = RequireEffect, []string{"10.0.0.0/8", "192.0.2.0/24"}
			case 7:
				rule.Roles = []string{"user"}
			}
			p.Rules = append(p.Rules, rule)
		}
		s.Policies = append(s.Policies, &p)
	}
	return s
}

func BenchmarkDecide(b *testing.B) {
	for _, size := range []struct{ apps, rules int }{{1, 10}, {1, 1000}, {10000, 10}} {
		b.Run(fmt.Sprintf("apps=%d/rules=%d", size.apps, size.rules), func(b *testing.B) {
			program, problems := Compile(corpus(size.apps, size.rules))
			if len(problems) > 0 {
				b.Fatal(problems)
			}
			var who []*Principal
			for i := range 64 {
				who = append(who, program.Resolve(Identity{
					Kind: Person, IDP: "idp", Email: fmt.Sprintf("u%d@acme.test", i), EmailVerified: true,
					EmailDomainOwned: true, GroupsComplete: true, Groups: []string{fmt.Sprintf("v%d", i), fmt.Sprintf("v%d", i*3%200)},
				}))
			}
			r := Request{SourceIP: netip.MustParseAddr("10.1.2.3"), Now: time.Unix(1764000000, 0)}
			var apps []string
			for i := range min(size.apps, 1024) {
				apps = append(apps, fmt.Sprintf("app%05d", i*size.apps/min(size.apps, 1024)))
			}
			operations := []string{"read", "write"}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				r.Principal, r.Operation = who[i%len(who)], operations[i%2]
				program.Decide(apps[i%len(apps)], &r)
				i++
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	source := corpus(10000, 10)
	b.ReportAllocs()
	for b.Loop() {
		Compile(source)
	}
}

func BenchmarkResolve(b *testing.B) {
	program, _ := Compile(corpus(1, 1000))
	id := Identity{
		Kind: Person, IDP: "idp", Email: "u3@acme.test", EmailVerified: true, EmailDomainOwned: true, GroupsComplete: true,
		Groups: []string{"v1", "v2", "v3", "nothing"},
	}
	b.ReportAllocs()
	for b.Loop() {
		program.Resolve(id)
	}
}
