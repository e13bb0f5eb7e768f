package rpc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

const office = "tenants/acme/"

// wiki is an app with people in it: engineering uses it, admins administer it.
func wiki() []proto.Message {
	group := func(id string) *v1.Group {
		return &v1.Group{Name: office + "groups/" + id, Members: []*v1.GroupMember{
			{Member: &v1.GroupMember_IdpGroup{IdpGroup: &v1.IdpGroup{Idp: "demo", Name: id}}},
		}}
	}
	app := sampleApp(office+"apps/wiki", "wiki.acme.test")
	app.Operations = []*v1.Operation{
		{Id: "admin", Methods: []string{"*"}, Paths: []string{"/admin/**"}},
		{Id: "use", Methods: []string{"*"}, Paths: []string{"/**"}},
	}
	return []proto.Message{
		&v1.IdentityProvider{Name: office + "identityProviders/demo", Issuer: "https://idp.example", ClientId: "x", EmailDomains: []string{"acme.test"}},
		&v1.ServiceAccount{Name: office + "serviceAccounts/ci"},
		group("engineering"), group("admins"), app,
		&v1.Policy{Name: office + "policies/wiki", Apps: []string{"wiki"}, Rules: []*v1.Rule{
			{Id: "staff", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"group:engineering", "group:admins"}, Operations: []string{"use"}},
			{Id: "admins", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"group:admins"}, Operations: []string{"admin"}, Remediation: "Ask the platform team."},
		}},
	}
}

func packed(t testing.TB, resources ...proto.Message) []*anypb.Any {
	t.Helper()
	var all []*anypb.Any
	for _, r := range resources {
		a, err := anypb.New(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func engineer() *v1.DecisionQuestion_Person {
	return &v1.DecisionQuestion_Person{Person: &v1.QuestionPerson{
		IdentityProvider: "demo", Email: "bob@acme.test", EmailVerified: true, ClaimGroups: []string{"engineering"}, ClaimGroupsComplete: true,
	}}
}

func (c *client) asks(t *testing.T, q *v1.DecisionQuestion, draft ...proto.Message) *v1.ExplainResponse {
	t.Helper()
	return call(t, c.decisions.Explain, &v1.ExplainRequest{Parent: "tenants/acme", About: &v1.ExplainRequest_Question{Question: q}, Draft: packed(t, draft...)})
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := setup(t)
	applied := call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: packed(t, wiki()...)})
	viewer := s.member(t, s.acme, "tenants/acme", "viewer", controlplane.Viewer, nil)

	got := viewer.asks(t, &v1.DecisionQuestion{Host: "wiki.acme.test", Path: "/admin/?q=1", Principal: engineer()})
	if got.GetOutcome() != "DENY" || got.GetReason() != "deny.no_rule" || got.GetOperation() != "admin" || got.GetApp() != "wiki" {
		t.Errorf("bob administers: %v", got)
	}
	if got.GetRevision() < applied.GetRevision() || len(got.GetNotes()) != 0 {
		t.Errorf("decided by %s, %q; applied was %s", got.GetRevision(), got.GetNotes(), applied.GetRevision())
	}
	if diff := cmp.Diff([]string{"engineering"}, got.GetGroups()); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	var rules []string
	for _, r := range got.GetRules() {
		rules = append(rules, r.GetPolicy()+"/"+r.GetRule()+" "+r.GetEffect().String()+" "+r.GetScope().String())
		for _, c := range r.GetClauses() {
			if c.GetText() == "" || c.GetTruth() == v1.Truth_TRUTH_UNSPECIFIED {
				t.Errorf("a clause says nothing: %v", c)
			}
		}
	}
	if diff := cmp.Diff([]string{"wiki/admins EFFECT_ALLOW TRUTH_FALSE", "wiki/staff EFFECT_ALLOW TRUTH_FALSE"}, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	told := &v1.DecisionAnswer{
		Outcome: "DENY", Reason: "deny.no_rule", Title: got.GetTitle(), Remediation: "Ask the platform team.", App: "wiki", Operation: "admin",
	}
	if diff := cmp.Diff(told, got.GetTold(), protocmp.Transform()); diff != "" {
		t.Errorf("what bob is told (-want +got):\n%s", diff)
	}

	for name, c := range map[string]struct {
		question *v1.DecisionQuestion
		outcome  string
		reason   string
		rule     string
		note     string
	}{
		"an engineer uses it": {&v1.DecisionQuestion{App: "wiki", Operation: "use", Principal: engineer()}, "ALLOW", "allow.rule", "staff", ""},
		"a stranger":          {&v1.DecisionQuestion{App: "wiki", Operation: "use"}, "AUTHENTICATE", "identity.none", "", ""},
		"a machine":           {&v1.DecisionQuestion{App: "wiki", Operation: "use", Principal: &v1.DecisionQuestion_ServiceAccount{ServiceAccount: "ci"}}, "DENY", "deny.no_rule", "", ""},
		"a path of no reading": {
			&v1.DecisionQuestion{App: "wiki", Path: "/a/../b", Principal: engineer()}, "REFUSED", "request.ambiguous_path", "", "",
		},
		"an address of others": {
			&v1.DecisionQuestion{App: "wiki", Operation: "use", Principal: &v1.DecisionQuestion_Person{Person: &v1.QuestionPerson{
				IdentityProvider: "demo", Email: "bob@globex.test", EmailVerified: true, ClaimGroupsComplete: true,
			}}}, "DENY", "deny.no_rule", "", "demo would not sign this person in",
		},
		"a person of no provider": {
			&v1.DecisionQuestion{App: "wiki", Operation: "use", Principal: &v1.DecisionQuestion_Person{Person: &v1.QuestionPerson{Email: "bob@acme.test"}}},
			"DENY", "deny.no_rule", "", "is not said",
		},
	} {
		got := viewer.asks(t, c.question)
		if got.GetOutcome() != c.outcome || got.GetReason() != c.reason || got.GetRule() != c.rule || !strings.Contains(strings.Join(got.GetNotes(), "\n"), c.note) {
			t.Errorf("%s: %v", name, got)
		}
		if c.note == "" && len(got.GetNotes()) > 0 {
			t.Errorf("%s: %q", name, got.GetNotes())
		}
	}
	for field, q := range map[string]*v1.DecisionQuestion{
		"question.app":                      {App: "wikki", Operation: "use"},
		"question.operation":                {App: "wiki", Operation: "usee"},
		"question.host":                     {Host: "other.acme.test", Path: "/"},
		"question.service_account":          {App: "wiki", Operation: "use", Principal: &v1.DecisionQuestion_ServiceAccount{ServiceAccount: "cd"}},
		"question.person.identity_provider": {App: "wiki", Operation: "use", Principal: &v1.DecisionQuestion_Person{Person: &v1.QuestionPerson{IdentityProvider: "x"}}},
		"question.source_ip":                {App: "wiki", Operation: "use", SourceIp: "10.0.0"},
	} {
		reason := controlplane.ReasonReferenceNotFound
		if field == "question.host" || field == "question.source_ip" {
			reason = controlplane.ReasonFieldInvalid
		}
		f := refused(t, viewer.decisions.Explain, &v1.ExplainRequest{Parent: "tenants/acme", About: &v1.ExplainRequest_Question{Question: q}}, connect.CodeInvalidArgument, reason)
		if !strings.Contains(f.message, field) {
			t.Errorf("%s is not named: %s", field, f.message)
		}
	}
}

// A draft is checked as Apply checks it, whoever asks, and leaves nothing behind.
func TestExplainADraft(t *testing.T) {
	t.Parallel()
	s := setup(t)
	call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: packed(t, wiki()...)})
	viewer := s.member(t, s.acme, "tenants/acme", "viewer", controlplane.Viewer, nil)
	before := call(t, s.acme.configs.Export, &v1.ExportRequest{Parent: "tenants/acme"})
	draft := &v1.Policy{Name: office + "policies/wiki", Apps: []string{"wiki"}, Rules: []*v1.Rule{
		{Id: "everybody", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"people"}, Operations: []string{"*"}},
	}}
	q := &v1.DecisionQuestion{App: "wiki", Operation: "admin", Principal: engineer()}
	if got := viewer.asks(t, q, draft); got.GetOutcome() != "ALLOW" || got.GetRule() != "everybody" {
		t.Errorf("with the draft: %v", got)
	}
	if got := viewer.asks(t, q); got.GetOutcome() != "DENY" {
		t.Errorf("after the draft: %v", got)
	}
	after := call(t, s.acme.configs.Export, &v1.ExportRequest{Parent: "tenants/acme"})
	if diff := cmp.Diff(before, after, protocmp.Transform()); diff != "" {
		t.Errorf("asking has changed something (-before +after):\n%s", diff)
	}
	draft.Rules[0].Principals = []string{"group:enginering"}
	f := refused(t, viewer.decisions.Explain, &v1.ExplainRequest{
		Parent: "tenants/acme", About: &v1.ExplainRequest_Question{Question: q}, Draft: packed(t, draft),
	}, connect.CodeInvalidArgument, controlplane.ReasonReferenceNotFound)
	if !strings.Contains(f.message, "draft[0].rules[0].principals[0]") {
		t.Errorf("the place is not named: %s", f.message)
	}
}

// recorded stores an access event as an edge reports it, and returns its decision id.
func (s *service) recorded(t *testing.T, seq int64, event string) string {
	t.Helper()
	tenant, err := s.db.System().TenantUID(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprintf("01M849GJJYF75RD8T7VPB6T%03d", seq)
	e := store.AccessEvent{ID: id, Seq: seq, Time: time.Now(), App: "wiki", Outcome: "DENY", Reason: "deny.no_rule", Event: json.RawMessage(event)}
	if err := s.db.System().InsertEvents(t.Context(), tenant, "01a20889-6fdb-7df8-8489-965a23142e96", "b_1", []store.AccessEvent{e}); err != nil {
		t.Fatal(err)
	}
	return "d_" + id
}

const deniedBob = `{"id":"x","time":"2026-11-23T09:00:00Z","app":"wiki","operation":"admin",
	"principal":{"kind":"user","subject":"user:0f2c","email":"bob@acme.test","identity_provider":"demo"},"source_ip":"192.0.2.7",
	"request":{"method":"GET","host":"wiki.acme.test","path":"/admin/"},
	"decision":{"outcome":"DENY","reason":"deny.no_rule","config":"%s","groups":["engineering"]%s}}`

const preflighted = `{"id":"x","time":"2026-11-23T09:00:00Z","app":"wiki","operation":"use","principal":{"kind":"anonymous"},
	"request":{"method":"OPTIONS","host":"wiki.acme.test","path":"/"},
	"decision":{"outcome":"ALLOW","reason":"allow.public","config":"%s","facts":{}}}`

// itsFacts are without method and path, as those that rules read are the request's own.
const itsFacts = `,"facts":{"email_verified":true,"email_domain_owned":true,"claim_groups":["engineering"]}`

func TestExplainWhatWasDecided(t *testing.T) {
	t.Parallel()
	s := setup(t)
	applied := call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: packed(t, wiki()...)})
	config := strings.TrimPrefix(applied.GetRevision(), "c")
	whole := s.recorded(t, 1, fmt.Sprintf(deniedBob, config, itsFacts))
	half := s.recorded(t, 2, fmt.Sprintf(deniedBob, config, ""))
	elsewhere := s.recorded(t, 3, fmt.Sprintf(deniedBob, "9999", itsFacts))

	// Since then everything has changed: the rules, the groups, and what the operations are.
	everybody := &v1.Policy{Name: office + "policies/wiki", Apps: []string{"wiki"}, Rules: []*v1.Rule{
		{Id: "everybody", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"people"}, Operations: []string{"*"}},
	}}
	app := sampleApp(office+"apps/wiki", "wiki.acme.test")
	call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: packed(t, everybody, app)})
	for _, group := range []string{"engineering", "admins"} {
		call(t, s.acme.groups.DeleteGroup, &v1.DeleteGroupRequest{Name: office + "groups/" + group})
	}
	call(t, s.acme.apps.CreateApp, &v1.CreateAppRequest{Parent: "tenants/acme", AppId: "later", App: sampleApp("", "later.acme.test")})

	auditor := s.member(t, s.acme, "tenants/acme", "auditor", controlplane.Auditor, nil)
	explain := func(id string, draft ...proto.Message) *v1.ExplainResponse {
		return call(t, auditor.decisions.Explain, &v1.ExplainRequest{Parent: "tenants/acme", About: &v1.ExplainRequest_DecisionId{DecisionId: id}, Draft: packed(t, draft...)})
	}
	got := explain(whole)
	if got.GetOutcome() != "DENY" || got.GetReason() != "deny.no_rule" || got.GetRevision() != applied.GetRevision() || len(got.GetNotes()) != 0 ||
		len(got.GetRules()) != 2 || len(got.GetGroups()) != 1 || got.GetEvent().GetDecision().GetConfig() == 0 {
		t.Errorf("by the policy of then: %v", got)
	}
	reads := proto.CloneOf(everybody)
	reads.Rules[0].Expression = `request.path == "/admin/" && request.method == "GET" && request.host == "wiki.acme.test"`
	if got := explain(whole, reads); got.GetOutcome() != "ALLOW" {
		t.Errorf("by a draft that reads the request: %v", got)
	}
	if got := explain(whole, everybody); got.GetOutcome() != "ALLOW" || got.GetRule() != "everybody" {
		t.Errorf("by a draft: %v", got)
	}
	if got := explain(half); got.GetReason() != "deny.no_rule" || !strings.Contains(strings.Join(got.GetNotes(), "\n"), "recorded only part") {
		t.Errorf("by half of the facts: %v", got)
	}
	asks := s.recorded(t, 4, fmt.Sprintf(preflighted, config))
	if got := explain(asks); got.GetOutcome() != "AUTHENTICATE" || len(got.GetNotes()) != 1 || !strings.Contains(got.GetNotes()[0], "cors_preflight") {
		t.Errorf("of a preflight: %v", got)
	}
	if got := explain(elsewhere); !strings.Contains(strings.Join(got.GetNotes(), "\n"), "by the policy of today") {
		t.Errorf("of a history that is not here: %v", got)
	}
	refused(t, auditor.decisions.Explain, &v1.ExplainRequest{Parent: "tenants/acme", About: &v1.ExplainRequest_DecisionId{DecisionId: "d_01M849GJJYF75RD8T7VPB6T999"}}, connect.CodeNotFound, controlplane.ReasonNotFound)
	viewer := s.member(t, s.acme, "tenants/acme", "viewer", controlplane.Viewer, nil)
	refused(t, viewer.decisions.Explain, &v1.ExplainRequest{Parent: "tenants/acme", About: &v1.ExplainRequest_DecisionId{DecisionId: whole}}, connect.CodePermissionDenied, controlplane.ReasonRoleRequired)
	refused(t, s.globex.decisions.Explain, &v1.ExplainRequest{Parent: "tenants/globex", About: &v1.ExplainRequest_DecisionId{DecisionId: whole}}, connect.CodeNotFound, controlplane.ReasonNotFound)
}
