package rpc

import (
	"context"
	"math"
	"time"

	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/decision"
	"github.com/sallyport-iap/sallyport/controlplane/lint"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

type decisions struct{ *api }

func (s decisions) Explain(ctx context.Context, r *v1.ExplainRequest) (*v1.ExplainResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return nil, err
	}
	draft, err := s.draft(scope, r.GetDraft())
	if err != nil {
		return nil, err
	}
	var answer *decision.Answer
	if id := r.GetDecisionId(); id != "" {
		answer, err = s.Decisions.ExplainStored(ctx, callerOf(ctx), scope, draft, id)
	} else {
		answer, err = s.Decisions.Explain(ctx, callerOf(ctx), scope, draft, question(r.GetQuestion()))
	}
	if err != nil {
		return nil, err
	}
	response := explained(answer)
	if answer.Event != nil {
		response.Event, err = eventMessage(answer.Event)
	}
	return response, err
}

// maxFindings is how many findings one answer has.
const maxFindings = 1000

func (s decisions) Lint(ctx context.Context, r *v1.LintRequest) (*v1.LintResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return nil, err
	}
	draft, err := s.draft(scope, r.GetDraft())
	if err != nil {
		return nil, err
	}
	found, revision, err := s.Decisions.Lint(ctx, callerOf(ctx), scope, draft)
	if err != nil {
		return nil, err
	}
	response := &v1.LintResponse{Total: int32(min(len(found), math.MaxInt32)), Revision: revision.String()}
	for _, f := range found[:min(len(found), maxFindings)] {
		response.Findings = append(response.Findings, findingMessage(scope, f))
	}
	return response, nil
}

func findingMessage(scope controlplane.Scope, f lint.Finding) *v1.LintFinding {
	return &v1.LintFinding{
		Severity: v1.LintFinding_Severity(v1.LintFinding_Severity_value["SEVERITY_"+string(f.Severity)]),
		Code:     f.Code, Resource: scope.Name(f.Kind, f.ID), Field: f.Field, Message: f.Message, Advice: f.Advice,
	}
}

// draft reads resources in the form of Apply; nil if there are none.
func (a *api) draft(scope controlplane.Scope, resources []*anypb.Any) (*changeset.Set, error) {
	if len(resources) == 0 {
		return nil, nil
	}
	items, err := configs{a}.itemsOf(scope, "draft", resources, nil)
	if err != nil {
		return nil, err
	}
	return &changeset.Set{Scope: scope, Items: items}, nil
}

func question(q *v1.DecisionQuestion) *policy.Question {
	asked := &policy.Question{
		App: q.GetApp(), Operation: q.GetOperation(), Method: q.GetMethod(), Host: q.GetHost(), Path: q.GetPath(),
		SourceIP: q.GetSourceIp(), Country: q.GetCountry(), Who: policy.Principal{ServiceAccount: q.GetServiceAccount()},
	}
	if q.GetTime() != nil {
		asked.Time = q.GetTime().AsTime()
	}
	asked.Who.Person = personOf(q.GetPerson())
	return asked
}

// personOf returns nil for nil.
func personOf(p *v1.QuestionPerson) *policy.Person {
	if p == nil {
		return nil
	}
	person := &policy.Person{
		Subject: p.GetSubject(), Provider: p.GetIdentityProvider(), Email: p.GetEmail(), EmailVerified: p.GetEmailVerified(),
		Groups: p.GetClaimGroups(), GroupsComplete: p.GetClaimGroupsComplete(), GroupsAbsent: p.GetClaimGroupsAbsent(),
		ACR: p.GetAcr(), AMR: p.GetAmr(),
		Asked: policy.AskedFor{MaxAge: p.GetAsked().GetMaxAge().AsDuration(), ACR: p.GetAsked().GetAcr(), AMR: p.GetAsked().GetAmr()},
	}
	if p.GetAuthTime() != nil {
		person.AuthTime = p.GetAuthTime().AsTime()
	}
	if p.GetAsked().GetTime() != nil {
		person.Asked.At = p.GetAsked().GetTime().AsTime()
	}
	if p.GetAmrKnown() && person.AMR == nil {
		person.AMR = []string{}
	}
	return person
}

func explained(a *decision.Answer) *v1.ExplainResponse {
	r := &v1.ExplainResponse{Title: a.Title(), Revision: a.Revision.String(), Notes: a.Notes}
	if a.Before != nil {
		r.Outcome, r.Reason = a.Before.Outcome.String(), string(a.Before.Reason)
		if r.GetOutcome() == "DENY" {
			r.Outcome = "REFUSED"
		}
		r.Steps = []*v1.DecisionStep{{Text: a.Detail}}
		r.Told = &v1.DecisionAnswer{Outcome: r.GetOutcome(), Reason: r.GetReason(), Title: r.GetTitle()}
		return r
	}
	if a.Explanation == nil {
		r.Outcome, r.Reason, r.App = a.Event.Outcome, a.Event.Reason, a.Event.App
		r.Told = &v1.DecisionAnswer{Outcome: r.GetOutcome(), Reason: r.GetReason(), Title: r.GetTitle()}
		return r
	}
	r.Outcome, r.Reason, r.Policy, r.Rule, r.Grant = a.Outcome.String(), string(a.Reason), a.Policy, a.Rule, a.Grant
	r.ValidUntil = timestamp(a.ValidUntil)
	r.Who, r.App, r.Operation, r.Groups = a.Who, a.App, a.Operation, a.Groups
	if r.GetOutcome() == "STEP_UP" {
		r.StepUp = &v1.DecisionNeed{MaxAge: duration(a.StepUp.MaxAge), Acr: a.StepUp.ACR, Amr: a.StepUp.AMR}
	}
	for _, step := range a.Steps {
		r.Steps = append(r.Steps, &v1.DecisionStep{Number: int32(step.Number), Text: step.Text})
	}
	for _, rule := range a.Rules {
		v := &v1.RuleVerdict{
			Policy: rule.Policy, Rule: rule.Rule, Grant: rule.Grant, Effect: v1.Effect(v1.Effect_value["EFFECT_"+string(rule.Effect)]),
			Shadow: rule.Mode == "SHADOW", GuardRail: rule.GuardRail, Description: rule.Description,
			Scope: truth(rule.Scope.String()), Requirement: truth(rule.Requirement.String()),
			Counts: rule.Counts, Decisive: rule.Decisive, Exemption: rule.Exemption,
		}
		for _, c := range rule.Clauses {
			v.Clauses = append(v.Clauses, &v1.ClauseVerdict{Field: c.Field, Truth: truth(c.Truth.String()), Wanted: c.Wanted, Seen: c.Seen, Text: c.Text})
		}
		r.Rules = append(r.Rules, v)
	}
	for _, shadow := range a.Shadow {
		r.Shadow = append(r.Shadow, &v1.EventShadow{Policy: shadow.Policy, Outcome: shadow.Outcome.String(), Reason: string(shadow.Reason), Rule: shadow.Rule})
	}
	told := a.Person()
	r.Told = &v1.DecisionAnswer{
		Outcome: told.Outcome.String(), Reason: string(told.Reason), Title: told.Title, Remediation: told.Remediation,
		App: told.App, Operation: told.Operation, Facts: told.Facts,
	}
	return r
}

// truth is a truth by its name.
func truth(name string) v1.Truth {
	return map[string]v1.Truth{"true": v1.Truth_TRUTH_TRUE, "unknown": v1.Truth_TRUTH_UNKNOWN, "false": v1.Truth_TRUTH_FALSE}[name]
}

// duration returns nil for none.
func duration(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}
