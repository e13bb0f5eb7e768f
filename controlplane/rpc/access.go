package rpc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/access"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

func (s decisions) WhoCanAccess(ctx context.Context, r *v1.WhoCanAccessRequest) (*v1.WhoCanAccessResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return nil, err
	}
	draft, err := s.draft(scope, r.GetDraft())
	if err != nil {
		return nil, err
	}
	of, q, err := accessQuery(r, r.GetCircumstances(), r.GetShowUnknown())
	if err != nil {
		return nil, err
	}
	page, revision, err := s.Decisions.WhoCan(ctx, callerOf(ctx), scope, draft, r.GetApp(), r.GetOperation(), q)
	if err != nil {
		return nil, err
	}
	response := &v1.WhoCanAccessResponse{NextPageToken: pageToken(of, page.Next), Revision: revision.String(), Notes: page.Notes}
	for _, p := range page.Principals {
		response.Principals = append(response.Principals, &v1.PrincipalAccess{Access: accessMessage(p.Access), Principal: &v1.AccessPrincipal{
			Kind: v1.AccessPrincipal_Kind(v1.AccessPrincipal_Kind_value["KIND_"+string(p.Kind)]), Id: p.ID, IdentityProvider: p.Provider,
			Subject: p.Subject, Email: p.Email, Groups: p.Groups, SeenTime: timestamp(p.Seen),
		}})
	}
	return response, nil
}

func (s decisions) WhatCanAccess(ctx context.Context, r *v1.WhatCanAccessRequest) (*v1.WhatCanAccessResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return nil, err
	}
	draft, err := s.draft(scope, r.GetDraft())
	if err != nil {
		return nil, err
	}
	of, q, err := accessQuery(r, r.GetCircumstances(), r.GetShowUnknown())
	if err != nil {
		return nil, err
	}
	who := &policy.Principal{ServiceAccount: r.GetServiceAccount(), Person: personOf(r.GetPerson())}
	page, met, revision, err := s.Decisions.WhatCan(ctx, callerOf(ctx), scope, draft, who, q)
	if err != nil {
		return nil, err
	}
	response := &v1.WhatCanAccessResponse{
		NextPageToken: pageToken(of, page.Next), Revision: revision.String(), Notes: met.Notes,
		Who: met.Request.Principal.String(), Groups: met.Request.Principal.Groups(),
	}
	if page.LeftOut > 0 {
		response.Notes = append(response.Notes, fmt.Sprintf("Left out: %d operations that hang on what is not said of who asks, such as the groups.", page.LeftOut))
	}
	for _, o := range page.Operations {
		response.Operations = append(response.Operations, &v1.OperationAccess{App: o.App, Operation: o.Operation, Access: accessMessage(o.Access)})
	}
	return response, nil
}

// accessRequest is the request of a list.
type accessRequest interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}

// accessQuery reads a page's place and circumstances; of says which list it is.
func accessQuery(r accessRequest, c *v1.Circumstances, showUnknown bool) (of string, q access.Query, err error) {
	list := proto.Clone(r)
	fields := list.ProtoReflect().Descriptor().Fields()
	list.ProtoReflect().Clear(fields.ByName("page_size"))
	list.ProtoReflect().Clear(fields.ByName("page_token"))
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(list)
	if err != nil {
		return "", q, err
	}
	sum := sha256.Sum256(data)
	of = string(r.ProtoReflect().Descriptor().Name()) + " " + hex.EncodeToString(sum[:16])
	q = access.Query{ShowUnknown: showUnknown, Limit: size(r.GetPageSize()), Circumstances: access.Circumstances{Country: c.GetCountry()}}
	if c.GetTime() != nil {
		q.Time = c.GetTime().AsTime()
	}
	if text := c.GetSourceIp(); text != "" {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return "", q, controlplane.InvalidFields(controlplane.Violation{
				Field: "circumstances.source_ip", Reason: controlplane.ReasonFieldInvalid, Description: "is not an address",
			})
		}
		q.SourceIP = ip.Unmap()
	}
	q.After, err = after(of, r.GetPageToken())
	return of, q, err
}

func accessMessage(a *access.Access) *v1.Access {
	m := &v1.Access{
		Outlook: v1.Access_Outlook(v1.Access_Outlook_value["OUTLOOK_"+string(a.Outlook)]), Outcome: a.Outcome, Reason: a.Reason, MoreRules: int32(a.MoreRules),
	}
	for _, rule := range a.Rules {
		r := &v1.AccessRule{
			Effect: v1.Effect(v1.Effect_value["EFFECT_"+rule.Effect]), Policy: rule.Policy, Rule: rule.Rule, Grant: rule.Grant,
			Groups: rule.Groups, Text: rule.Text,
		}
		for _, c := range rule.Conditions {
			r.Conditions = append(r.Conditions, &v1.AccessCondition{Field: c.Field, Text: c.Text})
		}
		m.Rules = append(m.Rules, r)
	}
	return m
}

// maxTestResults is how many results one answer has.
const maxTestResults = 1000

func (s policyTests) RunPolicyTests(ctx context.Context, r *v1.RunPolicyTestsRequest) (*v1.RunPolicyTestsResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return nil, err
	}
	draft, err := s.draft(scope, r.GetDraft())
	if err != nil {
		return nil, err
	}
	results, revision, err := s.Decisions.Test(ctx, callerOf(ctx), scope, draft)
	if err != nil {
		return nil, err
	}
	response := &v1.RunPolicyTestsResponse{Total: int32(len(results)), Revision: revision.String()}
	var failed, passed []*v1.PolicyTestResult
	for _, t := range results {
		if t.Passed {
			passed = append(passed, testResult(scope, t))
		} else {
			failed = append(failed, testResult(scope, t))
		}
	}
	response.Failed = int32(len(failed))
	response.Results = append(failed, passed...)
	response.Results = response.Results[:min(len(response.Results), maxTestResults)]
	return response, nil
}
