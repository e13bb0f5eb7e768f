package policy

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// without returns a list without the elements of some ids; with, one with an element changed or added.
func without[T any](list []*T, id func(*T) string, gone string) []*T {
	return slices.DeleteFunc(slices.Clone(list), func(v *T) bool { return id(v) == gone })
}

func with[T any](list []*T, id func(*T) string, v *T) []*T {
	return append(without(list, id, id(v)), v)
}

func appID(a *App) string       { return a.ID }
func roleID(r *Role) string     { return r.ID }
func groupID(g *Group) string   { return g.ID }
func policyID(p *Policy) string { return p.ID }
func grantID(g *Grant) string   { return g.ID }

// Whatever changes, one after the other and not always for the better, a program that is made of the one before is the
// one that is made of nothing. (TestProperties says so of chance changes.)
func TestRecompile(t *testing.T) {
	t.Parallel()
	own := func(operations ...string) *Role { return &Role{ID: "own", Operations: operations} }
	source := explained()
	source.Roles = []*Role{own("read"), {ID: "other", Access: []Access{Admin}}}
	source.Memberships = []*Membership{{User: "eve@acme.test", Groups: []string{"staff"}}}
	source.Policies = with(source.Policies, policyID, &Policy{ID: "roles", Apps: []string{"wiki"}, Rules: []Rule{
		{ID: "own", Effect: AllowEffect, Principals: []string{"people"}, Roles: []string{"own"}},
		{ID: "ci", Effect: DenyEffect, Principals: []string{"serviceAccount:ci", "idp:corp"}, Operations: []string{"write"}},
	}})
	program, _ := Compile(source)
	wiki, staff, grant, rail := source.Apps[0], source.Groups[0], source.Grants[0], source.Policies[0]
	for _, step := range []struct {
		name   string
		change func(*Source)
	}{
		{"nothing", func(*Source) {}},
		{"a role is changed", func(s *Source) { s.Roles = with(s.Roles, roleID, own("write")) }},
		{"a role is wrong", func(s *Source) { s.Roles = with(s.Roles, roleID, own("w*")) }},
		{"a role is right again", func(s *Source) { s.Roles = with(s.Roles, roleID, own("admin")) }},
		{"a role is not there", func(s *Source) { s.Roles = without(s.Roles, roleID, "own") }},
		{"a role is predefined", func(s *Source) { s.Roles = with(s.Roles, roleID, &Role{ID: "viewer", Operations: []string{"*"}}) }},
		{"a role is there again", func(s *Source) { s.Roles = []*Role{own("read")} }},
		{"a group is not there", func(s *Source) { s.Groups = without(s.Groups, groupID, "staff") }},
		{"a group is there again", func(s *Source) { s.Groups = with(s.Groups, groupID, staff) }},
		{"a group contains itself", func(s *Source) {
			s.Groups = with(s.Groups, groupID, &Group{ID: "staff", Members: []Member{{Group: "staff"}}})
		}},
		{"a group does not any more", func(s *Source) { s.Groups = with(s.Groups, groupID, staff) }},
		{"a provider is not there", func(s *Source) { s.Providers = []string{"demo"} }},
		{"another is not there", func(s *Source) { s.Providers = []string{"corp"} }},
		{"all are there", func(s *Source) { s.Providers = []string{"demo", "corp"} }},
		{"an account is not there", func(s *Source) { s.ServiceAccounts = nil }},
		{"an account is there", func(s *Source) { s.ServiceAccounts = []string{"ci", "cd"} }},
		{"an operation is not there", func(s *Source) {
			s.Apps = with(s.Apps, appID, &App{ID: "wiki", Operations: []Operation{{"read", Read}}})
		}},
		{"the app is not there", func(s *Source) { s.Apps = nil }},
		{"the app has another label", func(s *Source) {
			s.Apps = with(s.Apps, appID, &App{ID: "wiki", Labels: map[string]string{"env": "test"}, Operations: wiki.Operations})
		}},
		{"the app is as before", func(s *Source) { s.Apps = with(s.Apps, appID, wiki) }},
		{"a grant names nobody", func(s *Source) {
			g := new(*grant)
			g.Principals = []string{"group:nobody"}
			s.Grants = with(s.Grants, grantID, g)
		}},
		{"there is a nobody", func(s *Source) { s.Groups = with(s.Groups, groupID, &Group{ID: "nobody"}) }},
		{"a grant is as before", func(s *Source) { s.Grants = with(s.Grants, grantID, grant) }},
		{"a grant names an app that is not there", func(s *Source) {
			s.Grants = with(s.Grants, grantID, &Grant{ID: "g2", App: "mail", Principals: []string{"people"}, Roles: []string{"viewer"}, NotAfter: grant.NotAfter})
		}},
		{"the app is there", func(s *Source) { s.Apps = with(s.Apps, appID, &App{ID: "mail"}) }},
		{"a membership is of nobody", func(s *Source) {
			s.Memberships = append(slices.Clone(s.Memberships), &Membership{User: "eve", Groups: []string{"staff"}})
		}},
		{"it is of somebody", func(s *Source) { s.Memberships = s.Memberships[:1] }},
		{"an id is there twice", func(s *Source) { s.Grants = append(slices.Clone(s.Grants), new(*grant)) }},
		{"once", func(s *Source) { s.Grants = s.Grants[:len(s.Grants)-1] }},
		{"a policy is there twice", func(s *Source) { s.Policies = append(slices.Clone(s.Policies), new(*rail)) }},
		{"and not at all", func(s *Source) { s.Policies = without(s.Policies, policyID, "rail") }},
		{"a limit is exceeded", func(s *Source) {
			p := &Policy{ID: "big", Apps: []string{"wiki"}, Rules: rulesOf(conditionsOf(100, Conditions{SourceCIDRs: networksOf(2000)})...).Policies[0].Rules}
			s.Policies = with(s.Policies, policyID, p)
		}},
		{"a guard-rail is back", func(s *Source) { s.Policies = with(without(s.Policies, policyID, "big"), policyID, rail) }},
	} {
		step.change(&source)
		var got []Problem
		program, got = program.Recompile(source)
		scratch, want := Compile(source)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: problems -want +got\n%s", step.name, diff)
		}
		if diff := cmp.Diff(scratch.ClosedApps(), program.ClosedApps()); diff != "" {
			t.Fatalf("%s: closed -want +got\n%s", step.name, diff)
		}
		if program.usage != scratch.usage {
			t.Fatalf("%s: uses %+v, want %+v", step.name, program.usage, scratch.usage)
		}
		for _, id := range []Identity{
			{},
			{Kind: Machine, ServiceAccount: "ci"},
			{Kind: Person, IDP: "corp", Email: "eve@acme.test", EmailVerified: true, EmailDomainOwned: true, GroupsComplete: true},
			{Kind: Person, IDP: "demo", Groups: []string{"staff"}},
			{Kind: Person, IDP: "demo", GroupsComplete: true},
		} {
			for _, operation := range []string{"read", "write", "admin", "nosuch"} {
				for _, app := range []string{"wiki", "mail"} {
					r := Request{Operation: operation, Now: corpusTime, Country: "DE", Principal: program.Resolve(id)}
					d := program.Decide(app, &r)
					r.Principal = scratch.Resolve(id)
					if diff := cmp.Diff(scratch.Decide(app, &r), d); diff != "" {
						t.Fatalf("%s: %+v %s %s\n-want +got\n%s", step.name, id, operation, app, diff)
					}
				}
			}
		}
	}
}

// A program goes on as it is, whatever is made of it.
func TestRecompileLeavesTheProgram(t *testing.T) {
	t.Parallel()
	source := explained()
	source.Roles = []*Role{{ID: "own", Operations: []string{"read"}}}
	source.Policies = with(source.Policies, policyID, &Policy{ID: "own", Apps: []string{"wiki"}, Rules: []Rule{
		{ID: "own", Effect: AllowEffect, Principals: []string{"people"}, Roles: []string{"own"}},
	}})
	program, problems := Compile(source)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := Request{Operation: "read", Now: corpusTime, Principal: program.Resolve(Identity{Kind: Person, IDP: "demo", GroupsComplete: true})}
	before := program.Decide("wiki", &r)
	for name, change := range map[string]func(*Source){
		"an app twice": func(s *Source) { s.Apps = append(slices.Clone(s.Apps), &App{ID: "wiki"}) },
		"a role twice": func(s *Source) {
			s.Roles = append(slices.Clone(s.Roles), &Role{ID: "own", Operations: []string{"write"}})
		},
		"a group twice": func(s *Source) { s.Groups = append(slices.Clone(s.Groups), &Group{ID: s.Groups[0].ID}) },
	} {
		s := source
		change(&s)
		if after, problems := program.Recompile(s); len(problems) == 0 || name != "a group twice" && len(after.ClosedApps()) == 0 {
			t.Errorf("%s: %v, closed: %v", name, problems, after.ClosedApps())
		}
		if diff := cmp.Diff(before, program.Decide("wiki", &r)); diff != "" || len(program.ClosedApps()) > 0 {
			t.Errorf("%s: the program before changes (-before +after):\n%s", name, diff)
		}
		if again, problems := program.Recompile(source); len(problems) > 0 || len(again.ClosedApps()) > 0 {
			t.Errorf("%s: made again as it was: %v, closed: %v", name, problems, again.ClosedApps())
		}
	}
}
