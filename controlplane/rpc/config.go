package rpc

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

type configs struct{ *api }

func (s configs) Apply(ctx context.Context, r *v1.ApplyRequest) (*v1.ApplyResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), true)
	if err != nil {
		return nil, err
	}
	force := strings.TrimSpace(r.GetForceReason())
	if force == "" && r.GetForceReason() != "" {
		return nil, controlplane.InvalidFields(controlplane.Violation{
			Field: "force_reason", Reason: controlplane.ReasonFieldInvalid, Description: "says why, in words that others can read later",
		})
	}
	items, err := s.itemsOf(scope, "resources", r.GetResources(), r.GetEtags())
	if err != nil {
		return nil, err
	}
	set := &changeset.Set{
		Scope: scope, Items: items, ValidateOnly: r.GetValidateOnly(), RequestID: r.GetRequestId(), Digest: digest(ctx, r),
		ManagedBy: r.GetManagedBy(), Prune: r.GetPrune(), ForceReason: force,
		Remember: func(result *changeset.Result) ([]byte, error) {
			response, err := applyResponse(scope, r, result)
			if err != nil {
				return nil, err
			}
			return proto.Marshal(response)
		},
	}
	result, err := s.Changes.Apply(ctx, callerOf(ctx), set)
	if err != nil {
		return nil, err
	}
	if result.Replayed == nil {
		return applyResponse(scope, r, result)
	}
	response := &v1.ApplyResponse{}
	return response, proto.Unmarshal(result.Replayed, response)
}

// maxWarnings is how many of them an Apply that is only validated is told.
const maxWarnings = 100

func applyResponse(scope controlplane.Scope, r *v1.ApplyRequest, result *changeset.Result) (*v1.ApplyResponse, error) {
	response := &v1.ApplyResponse{Revision: result.Revision.String(), LostReach: lostReach(scope, result.Lost)}
	response.WarningCount = int32(min(len(result.Warnings), math.MaxInt32))
	for _, f := range result.Warnings[:min(len(result.Warnings), maxWarnings)] {
		response.Warnings = append(response.Warnings, findingMessage(scope, f))
	}
	for _, t := range result.Tests {
		if r.GetValidateOnly() || !t.Passed && !t.FailedBefore {
			response.PolicyTests = append(response.PolicyTests, testResult(scope, t))
		}
	}
	for _, c := range result.Changes {
		m, err := changeMessage(c)
		if err != nil {
			return nil, err
		}
		response.Changes = append(response.Changes, m)
	}
	return response, nil
}

func testResult(scope controlplane.Scope, t policy.TestResult) *v1.PolicyTestResult {
	return &v1.PolicyTestResult{
		Name: scope.Name(controlplane.KindPolicyTest, t.Test), Passed: t.Passed, Outcome: v1.Outcome(v1.Outcome_value[t.Outcome]),
		Reason: t.Reason, Policy: t.Policy, Rule: t.Rule, Grant: t.Grant, Explanation: t.Explanation,
		FailedBefore: t.FailedBefore,
	}
}

func lostReach(scope controlplane.Scope, losses []policy.ReachLoss) []*v1.ReachLoss {
	var all []*v1.ReachLoss
	for _, l := range losses {
		m := &v1.ReachLoss{
			Policy: scope.Name(controlplane.KindPolicy, l.Policy), Cause: v1.ReachLoss_Cause(v1.ReachLoss_Cause_value[l.Cause]),
			AppCount: int32(l.AppCount), Exemptions: l.Exemptions, Rules: l.Rules, Example: l.Example,
		}
		for _, id := range l.Apps {
			m.Apps = append(m.Apps, scope.Name(controlplane.KindApp, id))
		}
		all = append(all, m)
	}
	return all
}

// itemsOf reads the resources of an Apply, from the field that they are in. What is wrong with any of them is told of all
// together.
func (s configs) itemsOf(scope controlplane.Scope, field string, resources []*anypb.Any, expected map[string]string) ([]changeset.Item, error) {
	var items []changeset.Item
	var violations []controlplane.Violation
	etags := map[string]bool{}
	for i, packed := range resources {
		at := fmt.Sprintf("%s[%d]", field, i)
		message, name, found := s.unpack(scope, packed, at)
		if len(found) > 0 {
			violations = append(violations, found...)
			continue
		}
		etags[name.String()] = true
		items = append(items, changeset.Item{
			Kind: name.Kind, ID: name.ID, At: at, Action: changeset.Replace, Etag: expected[name.String()],
			Write: func(*controlplane.Resource) (changeset.Desired, error) { return s.desired(name.ID, at, message) },
		})
	}
	for name := range expected {
		if !etags[name] && len(violations) == 0 {
			violations = append(violations, controlplane.Violation{
				Field: fmt.Sprintf("etags[%q]", name), Reason: controlplane.ReasonFieldInvalid,
				Description: "no resource of this name is given",
			})
		}
	}
	if len(violations) > 0 {
		return nil, controlplane.InvalidFields(violations...)
	}
	return items, nil
}

// unpack reads one resource of an Apply and its name, which must be in the scope.
func (s configs) unpack(scope controlplane.Scope, packed *anypb.Any, at string) (proto.Message, controlplane.Name, []controlplane.Violation) {
	refuse := func(field, reason, description string) (proto.Message, controlplane.Name, []controlplane.Violation) {
		return nil, controlplane.Name{}, []controlplane.Violation{{Field: join(at, field), Reason: reason, Description: description}}
	}
	message, err := packed.UnmarshalNew()
	if err != nil {
		return refuse("", controlplane.ReasonFieldInvalid, "is of a type that is not known here, or is cut")
	}
	kind, ok := kindOf(message.ProtoReflect().Descriptor())
	if !ok || !slices.Contains(changeset.Applicable(scope), kind) {
		return refuse("", controlplane.ReasonFieldInvalid,
			fmt.Sprintf("must be %s, below %s", kindList(changeset.Applicable(scope)), scope.Parent()))
	}
	if found := unknownFields(message.ProtoReflect(), at); len(found) > 0 {
		return nil, controlplane.Name{}, found
	}
	text := getString(message.ProtoReflect(), "name")
	if text == "" {
		return refuse("name", controlplane.ReasonFieldRequired, "is required")
	}
	name, err := controlplane.ParseName(text)
	if err != nil || name.Kind != kind || name.Tenant != scope.ID {
		return refuse("name", controlplane.ReasonFieldInvalid, "must be of the form "+form(kind)+", below the parent of the request")
	}
	return message, name, nil
}

// kindList is kinds in a sentence: `App, Group or Tenant`.
func kindList(kinds []controlplane.Kind) string {
	var text strings.Builder
	for i, kind := range kinds {
		switch {
		case i == 0:
		case i == len(kinds)-1:
			text.WriteString(" or ")
		default:
			text.WriteString(", ")
		}
		text.WriteString(string(kind))
	}
	return text.String()
}

func (s configs) Export(ctx context.Context, r *v1.ExportRequest) (*v1.ExportResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), true)
	if err != nil {
		return nil, err
	}
	found, revision, err := s.Changes.Export(ctx, callerOf(ctx), scope, r.GetManagedBy())
	if err != nil {
		return nil, err
	}
	response := &v1.ExportResponse{Revision: revision.String()}
	for _, resource := range found {
		packed, err := pack(scope, resource)
		if err != nil {
			return nil, err
		}
		response.Resources = append(response.Resources, packed)
	}
	return response, nil
}

// pack is a resource as Apply takes it: its name and what users write. The bytes depend on that only.
func pack(scope controlplane.Scope, r *controlplane.Resource) (*anypb.Any, error) {
	message, err := encode(scope, r)
	if err != nil {
		return nil, err
	}
	m := message.ProtoReflect()
	for _, field := range outputOnly {
		if f := m.Descriptor().Fields().ByName(field); f != nil && field != "name" {
			m.Clear(f)
		}
	}
	packed := &anypb.Any{}
	return packed, anypb.MarshalFrom(packed, message, proto.MarshalOptions{Deterministic: true})
}
