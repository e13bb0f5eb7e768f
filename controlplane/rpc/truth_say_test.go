package rpc_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// saying is a case of the tables in words of the API.
type saying struct {
	question *v1.DecisionQuestion
	draft    []proto.Message
	refused  string // the field that the API refuses, if it does
	why      string // why it does, or why there are no words for the case
}

func (s *saying) request(t *testing.T) *v1.ExplainRequest {
	t.Helper()
	return &v1.ExplainRequest{Parent: "tenants/acme", About: &v1.ExplainRequest_Question{Question: s.question}, Draft: packed(t, s.draft...)}
}

func say(c *policytest.Case) *saying {
	w, q := c.World, &c.Request
	s := &saying{question: questionOf(c), draft: draftOf(c)}
	at := slices.IndexFunc(w.Apps, func(a *policytest.App) bool { return a.ID == q.App })
	if at >= 0 && w.Apps[at].Closed {
		s.why = "the app is closed by an edge that does not understand it: nobody can write that"
		return s
	}
	if field := s.device(); field != "" {
		s.refused, s.why = field, "refused: nothing reports what a device is"
		return s
	}
	who := &q.Who
	switch {
	case at < 0:
		s.question.Host = ""
		s.refused, s.why = "question.app", "refused: there is no such app"
	case emptyList(w):
		s.why = "a list that is there and empty: on the wire it is not there"
	case q.Now.IsZero():
		s.why = "the time is unknown: unset, it is now"
	case who.Kind == policytest.Machine && !slices.Contains(w.ServiceAccounts, who.ServiceAccount):
		s.refused, s.why = "question.service_account", "refused: there is no such service account"
	case who.IDP != "" && !slices.Contains(w.Providers, who.IDP):
		s.refused, s.why = "question.person.identity_provider", "refused: there is no such provider"
	case who.IDP == "" && who.EmailDomainOwned:
		s.why = "an address that a provider vouches for, but not which"
	case who.Kind == policytest.Machine && reads(w, "principal.id") && who.Subject != "serviceAccount:"+who.ServiceAccount:
		s.why = "a machine with an id that is not its own"
	case s.tooLong(q) != "":
		s.refused, s.why = "question."+s.tooLong(q), "refused: larger than a question may say it"
	case len(w.Apps[at].Operations) == 0 && q.Operation != "read" && q.Operation != "write":
		s.why = "no operation of an app that has one for each request"
	case s.question.GetPath() == "" && q.Path != "" && reads(w, "request.path"):
		s.why = "a path, without all else that makes the operation known"
	}
	return s
}

// tooLong is the field of the question that is larger than the API takes it.
func (s *saying) tooLong(q *policytest.Request) string {
	switch who := &q.Who; {
	case len(q.Path) > 8192:
		return "path"
	case len(q.Method) > 32:
		return "method"
	case len(q.Country) > 2:
		return "country"
	case len(who.Subject) > 320:
		return "person.subject"
	case len(who.ACR) > 256:
		return "person.acr"
	case len(who.AMR) > 64:
		return "person.amr"
	}
	return ""
}

// device is the first field of the draft that reads what is known of a device.
func (s *saying) device() string {
	for i, m := range s.draft {
		p, _ := m.(*v1.Policy)
		for j, r := range p.GetRules() {
			if r.GetConditions().GetDevice() != nil {
				return fmt.Sprintf("draft[%d].rules[%d].conditions.device", i, j)
			}
			if strings.Contains(r.GetExpression(), "device.") {
				return fmt.Sprintf("draft[%d].rules[%d].expression", i, j)
			}
		}
	}
	return ""
}

func everyRule(w *policytest.World, is func(*policytest.Rule) bool) bool {
	return slices.ContainsFunc(w.Policies, func(p *policytest.Policy) bool {
		return slices.ContainsFunc(p.Rules, func(r policytest.Rule) bool { return is(&r) })
	})
}

func reads(w *policytest.World, fact string) bool {
	return everyRule(w, func(r *policytest.Rule) bool { return strings.Contains(r.Expression, fact) })
}

func emptyList(w *policytest.World) bool {
	return everyRule(w, func(r *policytest.Rule) bool {
		c := &r.Conditions
		return slices.ContainsFunc([][]string{r.Roles, r.Operations, c.SourceCIDRs, c.Countries, c.RequiredACR, c.RequiredAMR, c.IDPs, c.MembersOf}, func(list []string) bool {
			return list != nil && len(list) == 0
		}) || c.TimeWindows != nil && len(c.TimeWindows) == 0
	})
}

// questionOf asks by address where all of it is known, as an edge does, and by the operation's name where it is not.
func questionOf(c *policytest.Case) *v1.DecisionQuestion {
	r := &c.Request
	q := &v1.DecisionQuestion{App: r.App, Method: r.Method, Host: r.Host, Country: r.Country}
	if !r.Now.IsZero() {
		q.Time = timestamppb.New(r.Now)
	}
	if declared, ok := operationOf(c); r.Path != "" && 0 < len(r.Method) && len(r.Method) <= len(http.MethodConnect) && r.Host != "" && ok {
		q.Path, q.Operation = r.Path, declared
	} else {
		q.Operation = r.Operation
	}
	if r.SourceIP.IsValid() {
		q.SourceIp = r.SourceIP.String()
	}
	switch who := &r.Who; who.Kind {
	case policytest.Machine:
		q.Principal = &v1.DecisionQuestion_ServiceAccount{ServiceAccount: who.ServiceAccount}
	case policytest.Person:
		q.Principal = &v1.DecisionQuestion_Person{Person: personOf(who)}
	}
	return q
}

// operationOf is the operation that the address of a case is in the draft, and whether that is what the case wants.
func operationOf(c *policytest.Case) (id string, ok bool) {
	for _, a := range c.World.Apps {
		if a.ID != c.Request.App {
			continue
		}
		if slices.ContainsFunc(a.Operations, func(o policytest.Operation) bool { return o.ID == c.Request.Operation }) {
			return c.Request.Operation, true
		}
		if len(a.Operations) > 0 {
			return "", true
		}
	}
	id = "write"
	if c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead {
		id = "read"
	}
	return id, id == c.Request.Operation
}

func personOf(who *policytest.Identity) *v1.QuestionPerson {
	p := &v1.QuestionPerson{
		Subject: who.Subject, IdentityProvider: who.IDP, Email: who.Email, EmailVerified: who.EmailVerified,
		ClaimGroups: who.Groups, ClaimGroupsComplete: who.GroupsComplete, ClaimGroupsAbsent: who.GroupsAbsent,
		Acr: who.ACR, Amr: who.AMR, AmrKnown: who.AMR != nil, AuthTime: stampOf(who.AuthTime),
	}
	if asked := who.Asked; !asked.At.IsZero() {
		p.Asked = &v1.EventAsked{Time: stampOf(asked.At), MaxAge: spanOf(asked.MaxAge), Acr: asked.ACR, Amr: asked.AMR}
	}
	return p
}

func stampOf(at time.Time) *timestamppb.Timestamp {
	if at.IsZero() {
		return nil
	}
	return timestamppb.New(at)
}

func spanOf(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

func draftOf(c *policytest.Case) []proto.Message {
	var all []proto.Message
	for _, id := range c.World.Providers {
		p := &v1.IdentityProvider{Name: office + "identityProviders/" + id, Issuer: "https://idp.example", ClientId: "x"}
		email := c.Request.Who.Email
		if at := strings.LastIndexByte(email, '@'); at >= 0 && c.Request.Who.IDP == id && c.Request.Who.EmailDomainOwned {
			if domain := strings.ToLower(email[at+1:]); !strings.ContainsRune(domain, 'ſ') { // that is no domain's
				p.EmailDomains = []string{domain}
			}
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
		all = append(all, appMessage(c, a))
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
	for _, g := range c.World.Grants {
		if !closed[g.App] {
			all = append(all, &v1.Grant{
				Name: office + "grants/" + g.ID, App: g.App, Principals: g.Principals, Roles: g.Roles, Operations: g.Operations,
				NotBefore: stampOf(g.NotBefore), NotAfter: stampOf(g.NotAfter),
			})
		}
	}
	return all
}

// appMessage gives the app that is asked about another host, so that a host can be unknown, and the operation that is
// asked about the path of the request.
func appMessage(c *policytest.Case, a *policytest.App) *v1.App {
	hosts := []string{a.ID + ".acme.example", a.ID + ".other.acme.example"}
	if a.ID == c.Request.App && c.Request.Host != "" {
		hosts[0] = c.Request.Host
	}
	app := sampleApp(office+"apps/"+a.ID, hosts...)
	app.Disabled, app.Labels = a.Disabled, a.Labels
	for _, o := range a.Operations {
		path := "/is/" + o.ID
		switch {
		case a.ID != c.Request.App || o.ID != c.Request.Operation || c.Request.Path == "":
		case len(c.Request.Path) > 1000: // a pattern is not that long
			path = "/**"
		default:
			path = c.Request.Path
		}
		app.Operations = append(app.Operations, &v1.Operation{
			Id: o.ID, Methods: []string{"*"}, Paths: []string{path}, Access: v1.AccessClass(v1.AccessClass_value["ACCESS_CLASS_"+o.Access]),
		})
	}
	return app
}

// keep takes the apps that cannot be written out of a policy, and reports whether it is about others.
func keep(p *v1.Policy, closed map[string]bool) bool {
	open := func(ids []string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return closed[id] })
	}
	named := len(p.GetApps()) > 0
	p.Apps = open(p.GetApps())
	p.Exemptions = slices.DeleteFunc(p.GetExemptions(), func(e *v1.Exemption) bool {
		some := len(e.GetApps()) > 0
		e.Apps = open(e.GetApps())
		return some && len(e.GetApps()) == 0
	})
	return !named || len(p.GetApps()) > 0
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
	policy := &v1.Policy{Name: office + "policies/" + p.ID, Apps: p.Apps, Mode: v1.PolicyMode(v1.PolicyMode_value["POLICY_MODE_"+p.Mode])}
	for _, l := range p.Selector {
		policy.Selector = append(policy.Selector, &v1.LabelRequirement{Key: l.Key, Values: l.Values, Unset: v1.UnsetLabel(v1.UnsetLabel_value["UNSET_LABEL_"+l.Unset])})
	}
	for _, e := range p.Exemptions {
		policy.Exemptions = append(policy.Exemptions, &v1.Exemption{Id: e.ID, Principals: e.Principals, Apps: e.Apps, NotAfter: stampOf(e.NotAfter)})
	}
	for _, r := range p.Rules {
		rule := &v1.Rule{
			Id: r.ID, Effect: v1.Effect(v1.Effect_value["EFFECT_"+r.Effect]), Principals: r.Principals, Roles: r.Roles, Operations: r.Operations,
			Expression: r.Expression, Description: r.Description, Remediation: r.Remediation,
		}
		if conditions := conditionsMessage(&r.Conditions); !proto.Equal(conditions, &v1.Conditions{}) {
			rule.Conditions = conditions
		}
		policy.Rules = append(policy.Rules, rule)
	}
	return policy
}

func conditionsMessage(n *policytest.Conditions) *v1.Conditions {
	c := &v1.Conditions{
		SourceCidrs: n.SourceCIDRs, Countries: n.Countries, NotBefore: stampOf(n.NotBefore), NotAfter: stampOf(n.NotAfter),
		MaxAuthAge: spanOf(n.MaxAuthAge), RequiredAcr: n.RequiredACR, RequiredAmr: n.RequiredAMR, Idps: n.IDPs, MembersOf: n.MembersOf,
	}
	for _, w := range n.TimeWindows {
		window := &v1.TimeWindow{Start: w.Start, End: w.End, Zone: w.Zone}
		for _, day := range w.Days {
			window.Days = append(window.Days, v1.DayOfWeek(v1.DayOfWeek_value["DAY_OF_WEEK_"+day]))
		}
		c.TimeWindows = append(c.TimeWindows, window)
	}
	if d := n.Device; d != nil {
		c.Device = &v1.DeviceCondition{Managed: d.Managed, Compliant: d.Compliant, Posture: d.Posture, MaxReportAge: spanOf(d.MaxReportAge)}
	}
	return c
}
