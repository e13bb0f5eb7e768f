package rpc

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/openapi"
	"github.com/sallyport-iap/sallyport/controlplane/operations"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

func (s apps) ImportOperations(ctx context.Context, r *v1.ImportOperationsRequest) (*v1.ImportOperationsResponse, error) {
	scope, id, err := s.named(ctx, controlplane.KindApp, "name", r.GetName())
	if err != nil {
		return nil, err
	}
	result, err := s.Operations.Import(ctx, callerOf(ctx), scope, &operations.Request{
		App: id, Document: r.GetDocument(), Etag: r.GetEtag(), ValidateOnly: r.GetValidateOnly(),
		Options:   openapi.Options{BasePath: r.GetBasePath(), StripPrefix: r.GetStripPrefix(), Prune: r.GetPrune()},
		RequestID: r.GetRequestId(), Digest: digest(ctx, r),
		Remember: func(result *operations.Result) ([]byte, error) {
			response, err := importResponse(scope, result)
			if err != nil {
				return nil, err
			}
			return proto.Marshal(response)
		},
	})
	if err != nil {
		return nil, err
	}
	if result.Replayed == nil {
		return importResponse(scope, result)
	}
	response := &v1.ImportOperationsResponse{}
	return response, proto.Unmarshal(result.Replayed, response)
}

func importResponse(scope controlplane.Scope, result *operations.Result) (*v1.ImportOperationsResponse, error) {
	app, err := encodeAs[*v1.App](scope, result.App)
	if err != nil {
		return nil, err
	}
	response := &v1.ImportOperationsResponse{
		App: app, Title: result.Title, Version: result.Version, Unchanged: int32(result.Plan.Unchanged), Revision: result.Revision.String(),
	}
	for _, c := range result.Plan.Changes {
		action, known := importActions[c.Action]
		if !known {
			return nil, fmt.Errorf("an action %d of an import that has no name", c.Action)
		}
		change := &v1.OperationChange{Action: action, Before: operationMessage(c.Before), After: operationMessage(c.After)}
		if c.Source != nil {
			change.Line, change.Deprecated, change.Public = int32(c.Source.Line), c.Source.Deprecated, c.Source.Public
		}
		response.Changes = append(response.Changes, change)
	}
	for _, n := range result.Notes {
		response.Notes = append(response.Notes, &v1.ImportNote{Warning: n.Warning, Line: int32(n.Line), Subject: n.At, Message: n.Message})
	}
	return response, nil
}

var importActions = map[openapi.Action]v1.OperationChange_Action{
	openapi.Added: v1.OperationChange_ACTION_ADD, openapi.Changed: v1.OperationChange_ACTION_CHANGE,
	openapi.Renamed: v1.OperationChange_ACTION_RENAME, openapi.Removed: v1.OperationChange_ACTION_REMOVE,
	openapi.Kept: v1.OperationChange_ACTION_KEEP,
}

// operationMessage is nil for none.
func operationMessage(o *controlplane.Operation) *v1.Operation {
	if o == nil {
		return nil
	}
	return &v1.Operation{
		Id: o.ID, Methods: o.Methods, Paths: o.Paths, Hosts: o.Hosts, Access: v1.AccessClass(v1.AccessClass_value[o.Access]),
	}
}
