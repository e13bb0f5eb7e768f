package rpc_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// leastCases is how many cases of the tables the API can say by now. It only grows.
const leastCases = 319

// The truth about policy, as it is written for the engine, holds for who asks through the API: each case is a question about
// a draft that is the whole world, in a tenant without anything.
func TestTablesThroughExplain(t *testing.T) {
	t.Parallel()
	cases, err := policytest.Load(os.DirFS("../../edge/policy/testdata"), "scope.txt", "conditions.txt", "expressions.txt", "procedure.txt", "rails.txt", "peers.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := setup(t)
	asked := 0
	for _, c := range cases {
		if !sayable(&c) {
			continue
		}
		asked++
		got := s.acme.asks(t, questionOf(&c), draftOf(&c)...)
		want := decided{c.Want.Outcome, c.Want.Reason, c.Want.Policy, c.Want.Rule, ""}
		if !c.Want.ValidUntil.IsZero() {
			want.validUntil = c.Want.ValidUntil.UTC().String()
		}
		is := decided{got.GetOutcome(), got.GetReason(), got.GetPolicy(), got.GetRule(), ""}
		if got.GetValidUntil() != nil {
			is.validUntil = got.GetValidUntil().AsTime().String()
		}
		if want != is {
			t.Errorf("%s:%d: %s\ngot  %v\nwant %v", c.File, c.Line, c.Text, is, want)
		}
		if c.Want.Remediation != "" {
			if diff := cmp.Diff(c.Want.Remediation, got.GetTold().GetRemediation()); diff != "" {
				t.Errorf("%s:%d: %s\nremediation (-want +got):\n%s", c.File, c.Line, c.Text, diff)
			}
		}
	}
	if asked < leastCases {
		t.Errorf("%d of %d cases can be said, and it were %d", asked, len(cases), leastCases)
	}
	t.Logf("%d of %d cases", asked, len(cases))
}

type decided struct{ outcome, reason, policy, rule, validUntil string }

// sayable reports whether a case has nothing that the API has no words for: what has no field in the protos yet, what is
// refused at write, and what a question has to say (a time, an app that is there).
func sayable(c *policytest.Case) bool {
	w, q := c.World, &c.Request
	app := slices.IndexFunc(w.Apps, func(a *policytest.App) bool { return a.ID == q.App })
	if app < 0 || w.Apps[app].Closed || q.Now.IsZero() || len(w.Grants) > 0 || q.Device != nil {
		return false
	}
	declared := w.Apps[app].Operations
	known := slices.ContainsFunc(declared, func(o policytest.Operation) bool { return o.ID == q.Operation }) ||
		len(declared) == 0 && (q.Operation == "read" || q.Operation == "write") || len(declared) > 0 && q.Operation == ""
	if !known {
		return false
	}
	who := &q.Who
	switch {
	case who.Kind == policytest.Machine && !slices.Contains(w.ServiceAccounts, who.ServiceAccount),
		who.Kind == policytest.Person && who.IDP == "" && who.EmailDomainOwned,
		who.IDP != "" && !slices.Contains(w.Providers, who.IDP):
		return false
	}
	return !slices.ContainsFunc(w.Policies, func(p *policytest.Policy) bool {
		return p.Mode == "SHADOW" || len(p.Selector) > 0 || len(p.Exemptions) > 0 || slices.ContainsFunc(p.Rules, func(r policytest.Rule) bool {
			n := r.Conditions
			return r.Expression != "" || n.Countries != nil || n.TimeWindows != nil || n.Device != nil || n.MaxAuthAge != 0 || n.RequiredACR != nil || n.RequiredAMR != nil
		})
	})
}

func questionOf(c *policytest.Case) *v1.DecisionQuestion {
	r := &c.Request
	q := &v1.DecisionQuestion{App: r.App, Operation: r.Operation, Country: r.Country, Time: timestamppb.New(r.Now)}
	if r.Operation == "" {
		q.Path = "/none"
	}
	if r.SourceIP.IsValid() {
		q.SourceIp = r.SourceIP.String()
	}
	switch who := &r.Who; who.Kind {
	case policytest.Machine:
		q.Principal = &v1.DecisionQuestion_ServiceAccount{ServiceAccount: who.ServiceAccount}
	case policytest.Person:
		p := &v1.QuestionPerson{
			Subject: who.Subject, IdentityProvider: who.IDP, Email: who.Email, EmailVerified: who.EmailVerified,
			ClaimGroups: who.Groups, ClaimGroupsComplete: who.GroupsComplete, ClaimGroupsAbsent: who.GroupsAbsent,
			Acr: who.ACR, Amr: who.AMR, AmrKnown: who.AMR != nil,
		}
		if !who.AuthTime.IsZero() {
			p.AuthTime = timestamppb.New(who.AuthTime)
		}
		q.Principal = &v1.DecisionQuestion_Person{Person: p}
	}
	return q
}

func draftOf(c *policytest.Case) []proto.Message {
	var all []proto.Message
	for _, id := range c.World.Providers {
		p := &v1.IdentityProvider{Name: office + "identityProviders/" + id, Issuer: "https://idp.example", ClientId: "x"}
		if _, domain, ok := strings.Cut(c.Request.Who.Email, "@"); ok && c.Request.Who.IDP == id && c.Request.Who.EmailDomainOwned {
			p.EmailDomains = []string{strings.ToLower(domain)}
		}
		all = append(all, p)
	}
	for _, id := range c.World.ServiceAccounts {
		all = append(all, &v1.ServiceAccount{Name: office + "serviceAccounts/" + id})
	}
	closed := map[string]bool{} // an edge closes what it does not understand; nobody can write that
	for _, a := range c.World.Apps {
		if a.Closed {
			closed[a.ID] = true
			continue
		}
		app := sampleApp(office+"apps/"+a.ID, a.ID+".acme.test")
		app.Disabled, app.Labels = a.Disabled, a.Labels
		for _, o := range a.Operations {
			app.Operations = append(app.Operations, &v1.Operation{
				Id: o.ID, Methods: []string{"*"}, Paths: []string{"/is/" + o.ID}, Access: v1.AccessClass(v1.AccessClass_value["ACCESS_CLASS_"+o.Access]),
			})
		}
		all = append(all, app)
	}
	for _, r := range c.World.Roles {
		role := &v1.Role{Name: office + "roles/" + r.ID, Operations: r.Operations}
		for _, a := range r.Access {
			role.Access = append(role.Access, v1.AccessClass(v1.AccessClass_value["ACCESS_CLASS_"+a]))
		}
		all = append(all, role)
	}
	for _, g := range c.World.Groups {
		all = append(all, groupMessage(g, c.World.Memberships))
	}
	for _, p := range c.World.Policies {
		if policy := policyMessage(p); keep(policy, closed) {
			all = append(all, policy)
		}
	}
	return all
}

// keep takes the apps that cannot be written out of a policy, and reports whether there are others.
func keep(p *v1.Policy, closed map[string]bool) bool {
	p.Apps = slices.DeleteFunc(slices.Clone(p.GetApps()), func(id string) bool { return closed[id] })
	return len(p.GetApps()) > 0
}

// groupMessage has memberships among the members: they mean the same.
func groupMessage(g *policytest.Group, memberships []*policytest.Membership) *v1.Group {
	group := &v1.Group{Name: office + "groups/" + g.ID}
	for _, m := range g.Members {
		member := &v1.GroupMember{}
		switch {
		case m.User != "":
			member.Member = &v1.GroupMember_User{User: m.User}
		case m.ServiceAccount != "":
			member.Member = &v1.GroupMember_ServiceAccount{ServiceAccount: m.ServiceAccount}
		case m.Group != "":
			member.Member = &v1.GroupMember_Group{Group: m.Group}
		default:
			member.Member = &v1.GroupMember_IdpGroup{IdpGroup: &v1.IdpGroup{Idp: m.IDPGroup.IDP, Name: m.IDPGroup.Name}}
		}
		group.Members = append(group.Members, member)
	}
	for _, m := range memberships {
		if slices.Contains(m.Groups, g.ID) {
			group.Members = append(group.Members, &v1.GroupMember{Member: &v1.GroupMember_User{User: m.User}})
		}
	}
	return group
}

func policyMessage(p *policytest.Policy) *v1.Policy {
	policy := &v1.Policy{Name: office + "policies/" + p.ID, Apps: p.Apps}
	for _, r := range p.Rules {
		rule := &v1.Rule{
			Id: r.ID, Effect: v1.Effect(v1.Effect_value["EFFECT_"+r.Effect]), Principals: r.Principals, Roles: r.Roles, Operations: r.Operations,
			Description: r.Description, Remediation: r.Remediation,
		}
		n := r.Conditions
		conditions := &v1.Conditions{SourceCidrs: n.SourceCIDRs, Idps: n.IDPs, MembersOf: n.MembersOf}
		if !n.NotBefore.IsZero() {
			conditions.NotBefore = timestamppb.New(n.NotBefore)
		}
		if !n.NotAfter.IsZero() {
			conditions.NotAfter = timestamppb.New(n.NotAfter)
		}
		if !proto.Equal(conditions, &v1.Conditions{}) {
			rule.Conditions = conditions
		}
		policy.Rules = append(policy.Rules, rule)
	}
	return policy
}
