package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A small universe, so that rules meet.
var (
	somePrincipals = rapid.SampledFrom([]string{
		"anyone", "authenticated", "people", "serviceAccounts", "group:g0", "group:g1", "group:g2", "group:g3",
		"user:a@x.test", "user:b@y.test", "domain:x.test", "domain:y.test", "idp:i0", "idp:i1", "serviceAccount:s0", "serviceAccount:s1",
	})
	someOperations = rapid.SampledFrom([]string{"read", "write", "inv.read", "inv.pay", "inv.*", "*"})
	someRoles      = rapid.SampledFrom([]string{"viewer", "user", "admin", "own"})
	someNetworks   = rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "::/0", "2001:db8::/32", "::ffff:10.0.0.0/104"})
	someAddresses  = rapid.SampledFrom([]string{"", "10.0.0.1", "10.1.2.3", "192.0.2.1", "::ffff:10.1.0.1", "2001:db8::1", "fe80::1%eth0"})
	someHours      = rapid.IntRange(0, 6)
	someGroups     = rapid.SampledFrom([]string{"g0", "g1", "g2", "g3"})
	someValues     = rapid.SampledFrom([]string{"v0", "v1", "v2"})
	someIDPs       = rapid.SampledFrom([]string{"i0", "i1"})
	someAccounts   = rapid.SampledFrom([]string{"s0", "s1"})
	someMails      = rapid.SampledFrom([]string{"", "a@x.test", "A@X.test", "b@y.test", "c@x.test"})
)

func hour(h int) time.Time { return time.Date(2026, 11, 23, h, 0, 0, 0, time.UTC) }

func distinct[T comparable](t *rapid.T, g *rapid.Generator[T], from, to int, label string) []T {
	return rapid.SliceOfNDistinct(g, from, to, rapid.ID).Draw(t, label)
}

func genConditions(t *rapid.T, must bool) (c Conditions) {
	kinds := distinct(t, rapid.IntRange(0, 4), 0, 2, "conditions")
	if must && len(kinds) == 0 {
		kinds = []int{0}
	}
	for _, kind := range kinds {
		switch kind {
		case 0:
			c.SourceCIDRs = distinct(t, someNetworks, 1, 3, "networks")
		case 1:
			c.IDPs = distinct(t, someIDPs, 1, 1, "idps")
		case 2:
			c.MembersOf = distinct(t, someGroups, 1, 2, "members of")
		case 3:
			c.NotBefore = hour(someHours.Draw(t, "from"))
		case 4:
			c.NotAfter = hour(7 + someHours.Draw(t, "until"))
		}
	}
	return c
}

func genRule(t *rapid.T, id string, effects ...Effect) Rule {
	r := Rule{ID: id, Effect: rapid.SampledFrom(effects).Draw(t, "effect"), Principals: distinct(t, somePrincipals, 1, 3, "principals")}
	if rapid.Bool().Draw(t, "by role") {
		r.Roles = distinct(t, someRoles, 1, 2, "roles")
	} else {
		r.Operations = distinct(t, someOperations, 1, 2, "operations")
	}
	r.Conditions = genConditions(t, r.Effect == RequireEffect)
	if rapid.Bool().Draw(t, "says") {
		r.Remediation = "Do this about " + id + "."
	}
	return r
}

func genSource(t *rapid.T) Source {
	s := Source{
		Apps: []*App{{ID: "app", Operations: []Operation{{"read", Read}, {"write", Write}, {"inv.read", Read}, {"inv.pay", Admin}}}, {
			ID:       "other",
			Disabled: rapid.IntRange(0, 9).Draw(t, "disabled") == 0,
		}},
		Roles:           []*Role{{ID: "own", Operations: []string{"inv.*"}, Access: []Access{Write}}},
		Providers:       []string{"i0", "i1"},
		ServiceAccounts: []string{"s0", "s1"},
	}
	for g := range 4 {
		group := Group{ID: fmt.Sprintf("g%d", g)}
		for range rapid.IntRange(0, 3).Draw(t, "members") {
			var m Member
			switch rapid.IntRange(0, 3).Draw(t, "member") {
			case 0:
				m.User = rapid.SampledFrom([]string{"a@x.test", "b@y.test"}).Draw(t, "user")
			case 1:
				m.ServiceAccount = someAccounts.Draw(t, "account")
			case 2:
				if g == 0 {
					continue
				}
				m.Group = fmt.Sprintf("g%d", rapid.IntRange(0, g-1).Draw(t, "part"))
			default:
				m.IDPGroup = IDPGroup{someIDPs.Draw(t, "claim of"), someValues.Draw(t, "claim")}
			}
			group.Members = append(group.Members, m)
		}
		s.Groups = append(s.Groups, &group)
	}
	for p := range rapid.IntRange(1, 3).Draw(t, "policies") {
		policy := Policy{ID: fmt.Sprintf("p%d", p), Apps: distinct(t, rapid.SampledFrom([]string{"app", "other"}), 1, 2, "apps")}
		if !slices.Contains(policy.Apps, "app") {
			policy.Apps = append(policy.Apps, "app") // has every operation that a rule may name
		}
		for r := range rapid.IntRange(1, 4).Draw(t, "rules") {
			policy.Rules = append(policy.Rules, genRule(t, fmt.Sprintf("r%d", r), AllowEffect, AllowEffect, DenyEffect, RequireEffect))
		}
		s.Policies = append(s.Policies, &policy)
	}
	return s
}

func genIdentity(t *rapid.T) Identity {
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return Identity{}
	case 1:
		return Identity{Kind: Machine, ServiceAccount: someAccounts.Draw(t, "account")}
	}
	id := Identity{
		Kind: Person, IDP: someIDPs.Draw(t, "idp"), Email: someMails.Draw(t, "mail"),
		EmailVerified:    rapid.IntRange(0, 2).Draw(t, "verified") > 0,
		EmailDomainOwned: rapid.IntRange(0, 2).Draw(t, "owned") > 0,
		Groups:           distinct(t, someValues, 0, 3, "groups"),
		GroupsComplete:   rapid.IntRange(0, 2).Draw(t, "complete") > 0,
	}
	for _, v := range distinct(t, someValues, 0, 2, "absent") {
		if !slices.Contains(id.Groups, v) {
			id.GroupsAbsent = append(id.GroupsAbsent, v)
		}
	}
	return id
}

func genRequest(t *rapid.T) (app string, r Request) {
	app = rapid.SampledFrom([]string{"app", "app", "app", "other", "nosuch"}).Draw(t, "app")
	r.Operation = rapid.SampledFrom([]string{"read", "write", "inv.read", "inv.pay", ""}).Draw(t, "operation")
	if a := someAddresses.Draw(t, "address"); a != "" {
		r.SourceIP = netip.MustParseAddr(a)
	}
	if h := rapid.IntRange(-1, 14).Draw(t, "hour"); h >= 0 {
		r.Now = hour(h)
	}
	return app, r
}

func compile(t *rapid.T, s Source) *Program {
	program, problems := Compile(s)
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	return program
}

func decide(p *Program, app string, id Identity, r Request) Decision {
	r.Principal = p.Resolve(id)
	return p.Decide(app, &r)
}

func shuffled(t *rapid.T, s Source) Source {
	s.Apps = rapid.Permutation(s.Apps).Draw(t, "apps")
	s.Groups = rapid.Permutation(s.Groups).Draw(t, "groups")
	s.Policies = rapid.Permutation(s.Policies).Draw(t, "policies")
	for i, p := range s.Policies {
		p = new(*p)
		p.Rules = rapid.Permutation(p.Rules).Draw(t, "rules")
		for j := range p.Rules {
			p.Rules[j].Principals = rapid.Permutation(p.Rules[j].Principals).Draw(t, "principals")
		}
		s.Policies[i] = p
	}
	return s
}

// lessKnown makes one fact of a request unknown.
func lessKnown(t *rapid.T, id Identity, r Request) (Identity, Request) {
	switch rapid.IntRange(0, 4).Draw(t, "forget") {
	case 0:
		r.SourceIP = netip.Addr{}
	case 1:
		r.Now = time.Time{}
	case 2:
		id.EmailVerified = false
	case 3:
		id.EmailDomainOwned = false
	case 4:
		// Any value may become unknown, whether it was there or not.
		forgotten := someValues.Draw(t, "value")
		if id.GroupsComplete {
			id.GroupsComplete, id.GroupsAbsent = false, nil
			for _, v := range []string{"v0", "v1", "v2"} {
				if v != forgotten && !slices.Contains(id.Groups, v) {
					id.GroupsAbsent = append(id.GroupsAbsent, v)
				}
			}
		}
		without := func(list []string) []string {
			return slices.DeleteFunc(slices.Clone(list), func(v string) bool { return v == forgotten })
		}
		id.Groups, id.GroupsAbsent = without(id.Groups), without(id.GroupsAbsent)
	}
	return id, r
}

// properties holds, for one source and a few requests, everything that doc.go
// promises.
func properties(t *rapid.T) {
	source := genSource(t)
	program := compile(t, source)
	// Not after shuffled, which works in place.
	tighter := source
	tighter.Policies = append(slices.Clone(source.Policies),
		&Policy{ID: rapid.SampledFrom([]string{"a", "z"}).Draw(t, "where"), Apps: []string{"app"}, Rules: []Rule{genRule(t, "more", DenyEffect, RequireEffect)}})
	tight := compile(t, tighter)
	type question struct {
		app string
		id  Identity
		r   Request
		d   Decision
	}
	var asked []question
	for range 8 {
		id := genIdentity(t)
		app, r := genRequest(t)
		d := decide(program, app, id, r)
		want := reference(source, app, id, r)
		want.ValidUntil = d.ValidUntil // need not be the least
		if !cmp.Equal(d, want) {
			t.Fatalf("%s %+v %+v\ngot  %+v\nwant %+v", app, id, r, d, want)
		}
		if d.Outcome == Authenticate && id.Kind != Anonymous {
			t.Fatalf("an identity is asked for one: %+v", d)
		}
		if decide(tight, app, id, r).Outcome == Allow && d.Outcome != Allow {
			t.Fatalf("%s %+v %+v\na restriction allows more", app, id, r)
		}
		id2, r2 := lessKnown(t, id, r)
		if decide(program, app, id2, r2).Outcome == Allow && d.Outcome != Allow {
			t.Fatalf("%s\n%+v %+v\n%+v %+v\nknowing less allows more", app, id, r, id2, r2)
		}
		if d.ValidUntil.After(r.Now) {
			before := r
			before.Now = d.ValidUntil.Add(-1)
			if got := decide(program, app, id, before); !cmp.Equal(got, d) {
				t.Fatalf("%s %+v %+v\n%+v changes before its time: %+v", app, id, r, d, got)
			}
		}
		asked = append(asked, question{app, id, r, d})
	}
	again := compile(t, shuffled(t, source))
	for _, q := range asked {
		if got := decide(again, q.app, q.id, q.r); !cmp.Equal(got, q.d) {
			t.Fatalf("%s %+v %+v\nthe order of writing matters: %+v, %+v", q.app, q.id, q.r, q.d, got)
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, properties)
}

func FuzzProperties(f *testing.F) { f.Fuzz(rapid.MakeFuzz(properties)) }

// spoil spoils one thing of a source in a way that Compile must report.
func spoil(t *rapid.T, s Source) Source {
	s.Policies = slices.Clone(s.Policies)
	i := rapid.IntRange(0, len(s.Policies)-1).Draw(t, "policy")
	p := new(*s.Policies[i])
	s.Policies[i] = p
	p.Rules = slices.Clone(p.Rules)
	r := &p.Rules[rapid.IntRange(0, len(p.Rules)-1).Draw(t, "rule")]
	switch rapid.IntRange(0, 7).Draw(t, "fault") {
	case 0:
		r.Principals = []string{"group:gone"}
	case 1:
		r.Effect = "SHADOW"
	case 2:
		r.Conditions.SourceCIDRs = []string{"10.0.0.1/8"}
	case 3:
		r.Roles, r.Operations = []string{"gone"}, nil
	case 4:
		r.Roles, r.Operations = nil, []string{"gone"}
	case 5:
		r.Conditions.MembersOf = []string{}
	case 6:
		s.Roles = []*Role{{ID: "own", Operations: []string{"inv*"}}}
	case 7:
		s.Groups = slices.Clone(s.Groups)
		i := rapid.IntRange(0, 3).Draw(t, "group")
		g := new(*s.Groups[i])
		s.Groups[i] = g
		g.Members = slices.Clone(g.Members)
		if len(g.Members) == 0 {
			g.Members = []Member{{}}
		} else {
			g.Members[rapid.IntRange(0, len(g.Members)-1).Draw(t, "member")] = Member{User: "nobody"}
		}
	}
	return s
}

// What was not understood allows nothing that it would have refused.
func TestFaultySourceNeverAllowsMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		source := genSource(t)
		program := compile(t, source)
		faulty, problems := Compile(spoil(t, source))
		if len(problems) == 0 {
			t.Fatal("no problem is reported")
		}
		for range 8 {
			id := genIdentity(t)
			app, r := genRequest(t)
			if decide(faulty, app, id, r).Outcome == Allow && decide(program, app, id, r).Outcome != Allow {
				t.Fatalf("%s %+v %+v is allowed by what is left", app, id, r)
			}
		}
	})
}
