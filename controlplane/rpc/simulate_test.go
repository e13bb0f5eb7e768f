package rpc_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// simulates runs a simulation to its end.
func (c *client) simulates(t *testing.T, r *v1.SimulateRequest) *v1.SimulationSummary {
	t.Helper()
	r.Parent = "tenants/acme"
	stream, err := c.decisions.Simulate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var summary *v1.SimulationSummary
	for stream.Receive() {
		if summary != nil {
			t.Errorf("after the summary comes %v", stream.Msg())
		}
		summary = stream.Msg().GetSummary()
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	return summary
}

// visit is a request of somebody at the demo provider, as an edge records it.
func visit(n int, config int64, who, path, outcome, reason string, groups ...string) *v1.AccessEvent {
	e := &v1.AccessEvent{
		Id: fmt.Sprintf("01HZX3V9Q4T8000000000%05d", n), Seq: int64(n), Time: timestamppb.New(time.Now().Add(-time.Duration(n) * time.Minute)),
		App: "wiki", Operation: "use", Edge: "eu-1", SourceIp: "192.0.2.1",
		Principal: &v1.EventPrincipal{Kind: "user", Subject: "user:" + who, Email: who + "@acme.test", IdentityProvider: "demo"},
		Request:   &v1.EventRequest{Method: "GET", Host: "wiki.acme.test", Path: path},
		Decision: &v1.EventDecision{
			Outcome: outcome, Reason: reason, Config: config,
			Facts: &v1.EventFacts{EmailVerified: true, EmailDomainOwned: true, ClaimGroups: groups},
		},
	}
	if who == "" {
		e.Principal, e.Decision.Facts = &v1.EventPrincipal{Kind: "anonymous"}, &v1.EventFacts{}
	}
	if outcome == "ALLOW" {
		e.Decision.Policy, e.Decision.Rule = "wiki", "staff"
	}
	return e
}

func policyOf(rules ...*v1.Rule) proto.Message {
	return &v1.Policy{Name: office + "policies/wiki", Apps: []string{"wiki"}, Rules: rules}
}

func TestSimulate(t *testing.T) {
	t.Parallel()
	s := setup(t)
	applied := call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: packed(t, wiki()...)})
	config := revisionOf(t, applied.GetRevision())
	auditor := s.member(t, s.acme, "tenants/acme", "auditor", controlplane.Auditor, nil)

	gap := &v1.AccessEvent{Id: "01HZX3V9Q4T800000000000090", Seq: 90, Gap: &v1.EventGap{From: 91, To: 95, Why: "spool_full"}}
	end := visit(12, config, "bob", "/live", "ALLOW", "allow.rule", "engineering")
	end.Stream = &v1.EventStream{Kind: "websocket", Phase: "end"}
	cut := visit(13, config, "dora", "/a", "ALLOW", "allow.rule", "engineering")
	cut.Decision.Facts.Incomplete = true
	own := visit(14, config, "bob", "/.sallyport/me", "ALLOW", "allow.rule")
	own.Decision.Facts = nil
	s.happen(t, "acme", "b1",
		visit(1, config, "bob", "/a", "ALLOW", "allow.rule", "engineering"),
		visit(2, config, "bob", "/b", "ALLOW", "allow.rule", "engineering"),
		visit(3, config, "bob", "/admin/x", "DENY", "deny.no_rule", "engineering"),
		visit(4, config, "ann", "/admin/x", "ALLOW", "allow.rule", "admins", "engineering"),
		visit(5, config, "carol", "/a", "DENY", "deny.no_rule"),
		visit(6, config, "", "/a", "AUTHENTICATE", "identity.none"),
		visit(7, config, "carol", "/b", "ALLOW", "allow.rule"), // today's policy would not
		end, cut, own, gap,
	)
	s.happen(t, "globex", "b1", visit(21, config, "eve", "/a", "ALLOW", "allow.rule"))

	same := auditor.simulates(t, &v1.SimulateRequest{Draft: packed(t, wiki()...)})
	if same.GetEvents() != 11 || same.GetDecided() != 7 || same.GetUnchanged() != 7 || same.GetGains().GetEvents()+same.GetLosses().GetEvents() != 0 {
		t.Errorf("a draft of what is there: %v", same)
	}
	if same.GetDrift() != 1 || same.GetDrifts()[0].GetFrom() != "ALLOW" || same.GetDrifts()[0].GetTo() != "DENY" ||
		same.GetDrifts()[0].GetExamples()[0].GetDecisionId() != "d_01HZX3V9Q4T800000000000007" {
		t.Errorf("drift: %v", same.GetDrifts())
	}
	var counted []string
	for _, c := range slices.Concat(same.GetUndecidable(), same.GetSkipped()) {
		counted = append(counted, fmt.Sprint(c.GetWhy(), " ", c.GetEvents()))
		if c.GetTitle() == "" {
			t.Errorf("%s is not said in words", c.GetWhy())
		}
	}
	if diff := cmp.Diff([]string{"facts_cut 1", "gap 1", "no_rule_asked 1", "stream_end 1"}, counted); diff != "" {
		t.Errorf("what is not decided (-want +got):\n%s", diff)
	}
	if len(same.GetNotes()) != 1 || same.GetRevision() == "" || same.GetTruncated() {
		t.Errorf("notes %q, revision %q", same.GetNotes(), same.GetRevision())
	}

	// Engineers lose the wiki but for one of them, who administers it from now on, and strangers read it.
	changed := auditor.simulates(t, &v1.SimulateRequest{Draft: packed(t, policyOf(
		&v1.Rule{Id: "admins", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"group:admins", "user:bob@acme.test"}, Operations: []string{"admin"}},
		&v1.Rule{Id: "carol", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"user:carol@acme.test"}, Operations: []string{"use"}, Conditions: &v1.Conditions{SourceCidrs: []string{"192.0.2.0/24"}}},
	))})
	told := func(m *v1.SimulationMoves) (list []string) {
		for _, e := range m.GetPeople().GetEntries() {
			list = append(list, fmt.Sprintf("%s %d", e.GetPrincipal().GetEmail(), e.GetEvents()))
		}
		for _, e := range m.GetOperations().GetEntries() {
			list = append(list, fmt.Sprintf("%s %s %d", e.GetApp(), e.GetOperation(), e.GetEvents()))
		}
		for _, e := range m.GetRules().GetEntries() {
			list = append(list, fmt.Sprintf("%s/%s %s %d", e.GetPolicy(), e.GetRule(), e.GetReason(), e.GetEvents()))
		}
		return list
	}
	if diff := cmp.Diff([]string{"carol@acme.test 2", "bob@acme.test 1", "wiki use 3", "wiki/carol allow.rule 2", "wiki/admins allow.rule 1"}, told(changed.GetGains())); diff != "" {
		t.Errorf("gains (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"bob@acme.test 2", "wiki use 2", "/ deny.no_rule 2"}, told(changed.GetLosses())); diff != "" {
		t.Errorf("losses (-want +got):\n%s", diff)
	}
	lost := changed.GetLosses().GetPeople().GetEntries()[0].GetExamples()
	if len(lost) != 2 || lost[0].GetPath() != "/b" || lost[0].GetBefore().GetRule() != "staff" || lost[0].GetAfter().GetReason() != "deny.no_rule" ||
		lost[0].GetDecisionId() != "d_01HZX3V9Q4T800000000000002" {
		t.Errorf("examples: %v", lost)
	}

	// What a person is in that no group named is not known, and counts as neither.
	group := &v1.Group{Name: office + "groups/contractors", Members: []*v1.GroupMember{
		{Member: &v1.GroupMember_IdpGroup{IdpGroup: &v1.IdpGroup{Idp: "demo", Name: "contractors"}}},
	}}
	staff := &v1.Rule{Id: "staff", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"group:engineering", "group:admins", "group:contractors"}, Operations: []string{"use"}}
	unknown := auditor.simulates(t, &v1.SimulateRequest{Draft: packed(t, group, policyOf(staff)), Examples: 1})
	if unknown.GetGains().GetEvents() != 0 || unknown.GetLosses().GetEvents() != 1 || len(unknown.GetUndecidable()) != 2 {
		t.Fatalf("a group that nothing asked for: %v", unknown)
	}
	if c := unknown.GetUndecidable()[0]; c.GetWhy() != "claim_groups_not_recorded" || c.GetEvents() != 2 || len(c.GetExamples()) != 1 ||
		c.GetExamples()[0].GetAfter() != nil || c.GetExamples()[0].GetBefore().GetOutcome() != "DENY" {
		t.Errorf("undecidable: %v", c)
	}

	// By today's policy alone.
	today := auditor.simulates(t, &v1.SimulateRequest{MaxEvents: 7})
	// The newest by id are those that cannot be decided, and three that can.
	if today.GetLosses().GetEvents() != 1 || today.GetUnchanged() != 2 || !today.GetTruncated() || today.GetEvents() != 7 || today.GetDrift() != 0 {
		t.Errorf("today: %v", today)
	}
	none := auditor.simulates(t, &v1.SimulateRequest{App: "wike"})
	if none.GetEvents() != 0 || len(none.GetNotes()) != 1 {
		t.Errorf("an app that is none: %v", none)
	}
	for name, r := range map[string]*v1.SimulateRequest{
		"since":      {Since: timestamppb.Now(), Until: timestamppb.New(time.Now().Add(-time.Hour))},
		"max_events": {MaxEvents: 1_000_001},
		"examples":   {Examples: 21},
	} {
		r.Parent = "tenants/acme"
		stream, err := auditor.decisions.Simulate(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if stream.Receive() {
			t.Errorf("%s: %v", name, stream.Msg())
		}
		if f := read(t, stream.Err()); f.code != connect.CodeInvalidArgument || !slices.Equal(f.fields, []string{name}) {
			t.Errorf("%s: %v", name, stream.Err())
		}
	}
}

func revisionOf(t *testing.T, text string) int64 {
	t.Helper()
	r, ok := controlplane.ParseRevision(text)
	if !ok {
		t.Fatalf("%q is no revision", text)
	}
	return r.Number
}

func TestSummarizeShadow(t *testing.T) {
	t.Parallel()
	s := setup(t)
	stricter := &v1.Policy{Name: office + "policies/stricter", Apps: []string{"wiki"}, Mode: v1.PolicyMode_POLICY_MODE_SHADOW, Rules: []*v1.Rule{
		{Id: "office", Effect: v1.Effect_EFFECT_REQUIRE, Principals: []string{"people"}, Operations: []string{"*"}, Conditions: &v1.Conditions{SourceCidrs: []string{"198.51.100.0/24"}}},
	}}
	call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: packed(t, append(wiki(), stricter)...)})
	seen := func(n int, who, outcome, would string) *v1.AccessEvent {
		e := visit(n, 1, who, "/a", outcome, "allow.rule")
		e.Decision.Shadow = []*v1.EventShadow{{Policy: "other", Outcome: "DENY", Reason: "deny.rule"}, {Policy: "stricter", Outcome: would, Reason: "require.network", Rule: "office"}}
		return e
	}
	s.happen(t, "acme", "b1",
		seen(1, "bob", "ALLOW", "DENY"), seen(2, "bob", "ALLOW", "DENY"), seen(3, "ann", "ALLOW", "ALLOW"), seen(4, "carol", "DENY", "STEP_UP"),
		visit(5, 1, "bob", "/b", "ALLOW", "allow.rule"),
	)
	auditor := s.member(t, s.acme, "tenants/acme", "auditor", controlplane.Auditor, nil)
	ask := func(id string) (*v1.ShadowSummary, error) {
		stream, err := auditor.decisions.SummarizeShadow(t.Context(), &v1.SummarizeShadowRequest{Parent: "tenants/acme", Policy: id})
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		var summary *v1.ShadowSummary
		for stream.Receive() {
			summary = stream.Msg().GetSummary()
		}
		return summary, stream.Err()
	}
	got, err := ask("stricter")
	if err != nil {
		t.Fatal(err)
	}
	if got.GetEvents() != 5 || got.GetSeen() != 4 || got.GetUnchanged() != 1 || got.GetLosses().GetEvents() != 2 || got.GetGains().GetEvents() != 0 || len(got.GetNotes()) != 0 {
		t.Errorf("summary: %v", got)
	}
	if c := got.GetChanges(); len(c) != 1 || c[0].GetFrom() != "DENY" || c[0].GetTo() != "STEP_UP" || c[0].GetExamples()[0].GetPrincipal().GetEmail() != "carol@acme.test" {
		t.Errorf("changes: %v", c)
	}
	lost := got.GetLosses().GetRules().GetEntries()
	if len(lost) != 1 || lost[0].GetPolicy() != "stricter" || lost[0].GetRule() != "office" || len(lost[0].GetExamples()) != 2 {
		t.Errorf("losses: %v", lost)
	}
	if _, err := ask("strictest"); read(t, err).code != connect.CodeNotFound {
		t.Errorf("a policy that there never was: %v", err)
	}
	if got, err := ask("other"); err != nil || len(got.GetNotes()) != 1 {
		t.Errorf("a policy that is deleted: %v, %v", got, err)
	}
}
