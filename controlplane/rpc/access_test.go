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
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// accessTenant has a wiki that is for people of engineering, and, from the office, for ann; and ci reads what may be used.
func accessTenant() []proto.Message {
	all := wiki()
	policy := all[len(all)-1].(*v1.Policy)
	policy.Rules = append(
		policy.Rules,
		&v1.Rule{
			Id: "office", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"user:ann@acme.test"}, Operations: []string{"*"},
			Conditions: &v1.Conditions{SourceCidrs: []string{"10.0.0.0/8"}},
		},
		&v1.Rule{Id: "ci", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"serviceAccount:ci"}, Operations: []string{"use"}},
	)
	return all
}

func rows(list []*v1.PrincipalAccess) []string {
	var all []string
	for _, p := range list {
		var rules []string
		for _, r := range p.GetAccess().GetRules() {
			rules = append(rules, strings.TrimSpace(r.GetPolicy()+"/"+r.GetRule()+" "+r.GetText()))
		}
		all = append(all, fmt.Sprintf("%s %s: %s", p.GetPrincipal().GetId(), strings.TrimPrefix(p.GetAccess().GetOutlook().String(), "OUTLOOK_"), strings.Join(rules, "; ")))
	}
	return all
}

func TestWhoCanAccess(t *testing.T) {
	t.Parallel()
	s := setup(t)
	applied := call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: packed(t, accessTenant()...)})
	viewer := s.member(t, s.acme, "tenants/acme", "viewer", controlplane.Viewer, nil)
	who := &v1.WhoCanAccessRequest{Parent: "tenants/acme", App: "wiki", Operation: "use"}
	classes := []string{
		"claim:demo:admins ALLOWED: wiki/staff", "claim:demo:engineering ALLOWED: wiki/staff", "serviceAccount:ci ALLOWED: wiki/ci",
	}
	ann := "user:ann@acme.test DEPENDS: wiki/office if the address is in 10.0.0.0/8"

	got := call(t, viewer.decisions.WhoCanAccess, who)
	if diff := cmp.Diff(append(classes, ann+"; wiki/staff if who asks is one of: group:engineering, group:admins"), rows(got.GetPrincipals())); diff != "" {
		t.Errorf("who may use it (-want +got):\n%s", diff)
	}
	notes := strings.Join(got.GetNotes(), "\n")
	if got.GetRevision() < applied.GetRevision() || !strings.Contains(notes, "only seen") || !strings.Contains(notes, "1 of whom it is not known") {
		t.Errorf("at %s: %s", got.GetRevision(), notes)
	}

	// Who was only seen, for who may know: bob as the last event has him, eve as a session has her, and joe, of a domain of
	// nobody's.
	config := strings.TrimPrefix(applied.GetRevision(), "c")
	tenant, err := s.db.System().TenantUID(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	event := store.AccessEvent{
		ID: "01M849GJJYF75RD8T7VPB6T001", Seq: 1, Time: time.Now().Add(-2 * time.Hour), App: "wiki", Principal: "user:0f2c", Email: "bob@acme.test",
		Outcome: "DENY", Reason: "deny.no_rule", Event: json.RawMessage(fmt.Sprintf(deniedBob, config, itsFacts)),
	}
	if err := s.db.System().InsertEvents(t.Context(), tenant, "01a20889-6fdb-7df8-8489-965a23142e96", "b_1", []store.AccessEvent{event}); err != nil {
		t.Fatal(err)
	}
	var sessions []store.SessionEvent
	for _, name := range []string{"eve@acme.test", "bob@acme.test", "joe@nowhere.test"} {
		sessions = append(sessions, store.SessionEvent{
			Kind: store.SessionBegun, SID: name, Principal: "user:" + name[:3], Email: name, IDP: "demo", Time: time.Now().Add(-time.Hour), ExpireTime: time.Now().Add(time.Hour),
		})
	}
	if err := s.db.System().UpsertSessions(t.Context(), tenant, sessions); err != nil {
		t.Fatal(err)
	}
	all := proto.CloneOf(who)
	all.ShowUnknown, all.PageSize = true, 2
	var listed []*v1.PrincipalAccess
	auditor := s.member(t, s.acme, "tenants/acme", "auditor", controlplane.Auditor, nil)
	for pages := 0; pages == 0 || all.GetPageToken() != ""; pages++ {
		page := call(t, auditor.decisions.WhoCanAccess, all)
		listed, all.PageToken = append(listed, page.GetPrincipals()...), page.GetNextPageToken()
		if pages > 10 || len(page.GetPrincipals()) > 2 || strings.Contains(strings.Join(page.GetNotes(), ""), "only seen") {
			t.Fatalf("page %d: %v", pages, page)
		}
	}
	perhaps := " UNKNOWN: wiki/staff if who asks is one of: group:engineering, group:admins"
	want := append([]string{"idp:demo" + perhaps}, classes...)
	want = append(want, ann+"; wiki/staff if who asks is one of: group:engineering, group:admins", "user:bob@acme.test ALLOWED: wiki/staff", "user:eve@acme.test"+perhaps, "user:joe"+perhaps)
	if diff := cmp.Diff(want, rows(listed)); diff != "" {
		t.Errorf("with those who were seen (-want +got):\n%s", diff)
	}

	// In circumstances that are known; and by a draft.
	who.Circumstances = &v1.Circumstances{SourceIp: "10.1.2.3", Country: "DE", Time: timestamppb.Now()}
	if got := rows(call(t, viewer.decisions.WhoCanAccess, who).GetPrincipals()); got[len(got)-1] != "user:ann@acme.test ALLOWED: wiki/office" {
		t.Errorf("from the office: %q", got)
	}
	draft := &v1.Policy{Name: office + "policies/wiki", Apps: []string{"wiki"}, Rules: []*v1.Rule{
		{Id: "everybody", Effect: v1.Effect_EFFECT_ALLOW, Principals: []string{"anyone"}, Operations: []string{"use"}},
	}}
	who.Draft = packed(t, draft)
	got = call(t, viewer.decisions.WhoCanAccess, who)
	if diff := cmp.Diff([]string{"anyone ALLOWED: wiki/everybody", "idp:demo ALLOWED: wiki/everybody", "serviceAccount:ci ALLOWED: wiki/everybody"}, rows(got.GetPrincipals())); diff != "" {
		t.Errorf("by the draft (-want +got):\n%s", diff)
	}

	for field, r := range map[string]*v1.WhoCanAccessRequest{
		"app":        {Parent: "tenants/acme", App: "wikki", Operation: "use"},
		"operation":  {Parent: "tenants/acme", App: "wiki", Operation: "usee"},
		"page_token": {Parent: "tenants/acme", App: "wiki", Operation: "use", PageToken: "x"},
	} {
		reason := controlplane.ReasonReferenceNotFound
		if field == "page_token" {
			reason = controlplane.ReasonFieldInvalid
		}
		if f := refused(t, viewer.decisions.WhoCanAccess, r, connect.CodeInvalidArgument, reason); !strings.Contains(f.message, field) {
			t.Errorf("%s is not named: %s", field, f.message)
		}
	}
}

func TestWhatCanAccess(t *testing.T) {
	t.Parallel()
	s := setup(t)
	call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: packed(t, accessTenant()...)})
	viewer := s.member(t, s.acme, "tenants/acme", "viewer", controlplane.Viewer, nil)
	what := func(r *v1.WhatCanAccessRequest) (got []string, notes string) {
		r.Parent, r.PageSize = "tenants/acme", 1
		for {
			page := call(t, viewer.decisions.WhatCanAccess, r)
			for _, o := range page.GetOperations() {
				got = append(got, o.GetApp()+"/"+o.GetOperation()+" "+strings.TrimPrefix(o.GetAccess().GetOutlook().String(), "OUTLOOK_"))
			}
			notes += strings.Join(page.GetNotes(), "\n")
			if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
				return got, notes
			}
		}
	}
	ann := &v1.QuestionPerson{IdentityProvider: "demo", Email: "ann@acme.test", EmailVerified: true, ClaimGroupsComplete: true}
	for name, c := range map[string]struct {
		request *v1.WhatCanAccessRequest
		want    []string
		note    string
	}{
		"a stranger":             {&v1.WhatCanAccessRequest{}, nil, ""},
		"a machine":              {&v1.WhatCanAccessRequest{Principal: &v1.WhatCanAccessRequest_ServiceAccount{ServiceAccount: "ci"}}, []string{"wiki/use ALLOWED"}, ""},
		"a person from anywhere": {&v1.WhatCanAccessRequest{Principal: &v1.WhatCanAccessRequest_Person{Person: ann}}, []string{"wiki/admin DEPENDS", "wiki/use DEPENDS"}, ""},
		"a person of the office": {
			&v1.WhatCanAccessRequest{Principal: &v1.WhatCanAccessRequest_Person{Person: ann}, Circumstances: &v1.Circumstances{SourceIp: "10.0.0.1"}},
			[]string{"wiki/admin ALLOWED", "wiki/use ALLOWED"},
			"",
		},
		"somebody": {
			&v1.WhatCanAccessRequest{Principal: &v1.WhatCanAccessRequest_Person{Person: &v1.QuestionPerson{IdentityProvider: "demo"}}}, nil, "hang on what is not said",
		},
	} {
		got, notes := what(c.request)
		if diff := cmp.Diff(c.want, got); diff != "" || !strings.Contains(notes, c.note) {
			t.Errorf("%s (-want +got):\n%s\n%s", name, diff, notes)
		}
	}
	refused(t, viewer.decisions.WhatCanAccess, &v1.WhatCanAccessRequest{
		Parent: "tenants/acme", Principal: &v1.WhatCanAccessRequest_ServiceAccount{ServiceAccount: "cd"},
	}, connect.CodeInvalidArgument, controlplane.ReasonReferenceNotFound)

	// Who is disabled has nothing, and that is said; by Explain too.
	call(t, s.acme.configs.Apply, &v1.ApplyRequest{Parent: "tenants/acme", Resources: packed(t, &v1.ServiceAccount{Name: office + "serviceAccounts/ci", Disabled: true})})
	ci := &v1.WhatCanAccessRequest{Principal: &v1.WhatCanAccessRequest_ServiceAccount{ServiceAccount: "ci"}}
	if got, notes := what(ci); len(got) > 0 || !strings.Contains(notes, "ci is disabled") {
		t.Errorf("disabled: %q, %s", got, notes)
	}
	explained := viewer.asks(t, &v1.DecisionQuestion{App: "wiki", Operation: "use", Principal: &v1.DecisionQuestion_ServiceAccount{ServiceAccount: "ci"}})
	if explained.GetOutcome() != "AUTHENTICATE" || explained.GetReason() != "identity.disabled" {
		t.Errorf("disabled: %v", explained)
	}
}
