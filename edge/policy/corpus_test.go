package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// corpus is a tenant as tenants are: groups of two levels, apps of a few operations whose rules are mostly ALLOWs by
// group, some DENYs and REQUIREs, a guard-rail that reaches a third of them, a grant here and there.
func corpus(apps, rules int) Source {
	s := Source{Providers: []string{"corp", "idp"}, ServiceAccounts: []string{"ci", "cron"}}
	for g := range 200 {
		group := &Group{ID: fmt.Sprintf("g%03d", g), Members: []Member{{IDPGroup: IDPGroup{IDP: "idp", Name: fmt.Sprintf("v%d", g)}}}}
		if g%10 == 9 { // a department of nine teams
			for team := g - 9; team < g; team++ {
				group.Members = append(group.Members, Member{Group: fmt.Sprintf("g%03d", team)})
			}
		}
		s.Groups = append(s.Groups, group)
	}
	for a := range apps {
		id := fmt.Sprintf("app%05d", a)
		app := &App{ID: id, Labels: map[string]string{"env": []string{"prod", "test", "dev"}[a%3]}}
		app.Operations = []Operation{{"admin", Admin}, {"read", Read}, {"write", Write}}
		s.Apps = append(s.Apps, app)
		p := &Policy{ID: id, Apps: []string{id}}
		for r := range rules {
			p.Rules = append(p.Rules, corpusRule(a, r))
		}
		s.Policies = append(s.Policies, p)
		if a%50 == 0 {
			s.Grants = append(s.Grants, &Grant{
				ID: id, App: id, Principals: []string{"user:u7@acme.test"}, Roles: []string{"admin"}, NotAfter: corpusTime.Add(time.Hour),
			})
		}
	}
	s.Policies = append(s.Policies, &Policy{
		ID: "rail", Selector: []LabelRequirement{{Key: "env", Values: []string{"prod"}}},
		Rules: []Rule{
			{ID: "banned", Effect: DenyEffect, Principals: []string{"user:u3@acme.test"}, Operations: []string{"*"}},
			{ID: "office", Effect: RequireEffect, Principals: []string{"people"}, Roles: []string{"admin"}, Conditions: Conditions{Countries: []string{"DE", "FR"}}},
		},
		Exemptions: []Exemption{{ID: "break-glass", Principals: []string{"user:root@acme.test"}}},
	})
	return s
}

var corpusTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func corpusRule(app, r int) Rule {
	rule := Rule{
		ID: fmt.Sprintf("r%05d", r), Effect: AllowEffect, Roles: []string{"viewer"},
		Principals: []string{fmt.Sprintf("group:g%03d", (app+r*7)%200)}, Remediation: "Ask in #access.",
	}
	switch r % 10 {
	case 1:
		rule.Principals = append(rule.Principals, "serviceAccount:ci")
	case 3:
		rule.Effect, rule.Principals = DenyEffect, []string{fmt.Sprintf("user:u%d@acme.test", r)}
	case 5:
		rule.Effect, rule.Conditions.SourceCIDRs = RequireEffect, []string{"10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"}
	case 6:
		rule.Conditions.TimeWindows = []window.Window{{Days: []string{"MONDAY", "TUESDAY"}, Start: "08:00", End: "18:00", Zone: "Europe/Berlin"}}
	case 7:
		rule.Roles = []string{"user"}
	case 8:
		rule.Roles, rule.Conditions.MaxAuthAge = []string{"admin"}, time.Hour
	}
	return rule
}

// asked is a request to an app.
type asked struct {
	app string
	Request
}

// requests are 4,096 of them, that all kinds of outcomes are among.
func requests(tb testing.TB, p *Program, apps int) []asked {
	random := rand.New(rand.NewPCG(1, 2))
	people := []*Principal{p.Resolve(Identity{}), p.Resolve(Identity{Kind: Machine, ServiceAccount: "ci"}), p.Resolve(Identity{Kind: Machine, ServiceAccount: "cron"})}
	for i := range 512 {
		id := Identity{
			Kind: Person, Subject: fmt.Sprint(i), IDP: "idp", Email: fmt.Sprintf("u%d@acme.test", i), EmailVerified: true,
			EmailDomainOwned: true, GroupsComplete: i%50 != 0, AuthTime: corpusTime.Add(-time.Duration(i%120) * time.Minute),
		}
		for range 1 + random.IntN(30) {
			id.Groups = append(id.Groups, fmt.Sprintf("v%d", random.IntN(200)))
		}
		people = append(people, p.Resolve(id))
	}
	list := make([]asked, 4096)
	outcomes := map[Outcome]int{}
	for i := range list {
		r := &list[i]
		r.app = fmt.Sprintf("app%05d", random.IntN(apps))
		r.Principal = people[random.IntN(len(people))]
		if random.IntN(20) == 0 {
			r.Principal = people[0]
		}
		r.Operation = []string{"read", "read", "read", "read", "read", "write", "write", "admin", ""}[random.IntN(9)]
		r.Method, r.Host, r.Path = "GET", "app.acme.test", "/invoices/2026/11"
		r.SourceIP = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		switch random.IntN(8) {
		case 0, 1:
			r.SourceIP = netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i))
		case 2:
			r.SourceIP = netip.MustParseAddr("2001:db9::1")
		}
		r.Country = []string{"DE", "FR", "US", ""}[random.IntN(4)]
		r.Now = corpusTime.Add(time.Duration(random.IntN(3600)) * time.Second)
		outcomes[p.Decide(r.app, &r.Request).Outcome]++
	}
	for _, o := range []Outcome{Deny, Allow, Authenticate, StepUp} {
		if outcomes[o] < 20 {
			tb.Fatalf("%d of the requests come to %v", outcomes[o], o)
		}
	}
	return list
}

// changed is the source with one app written again.
func changed(s Source, app int) Source {
	s.Apps = slices.Clone(s.Apps)
	s.Apps[app] = new(*s.Apps[app])
	return s
}
