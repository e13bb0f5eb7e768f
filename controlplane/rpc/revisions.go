package rpc

import (
	"context"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/revision"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

type revisions struct{ *api }

func (s revisions) GetRevision(ctx context.Context, r *v1.GetRevisionRequest) (*v1.Revision, error) {
	scope, err := s.parent(ctx, r.GetParent(), true)
	if err != nil {
		return nil, err
	}
	state, err := s.Revisions.Get(ctx, callerOf(ctx), scope.UID)
	if err != nil {
		return nil, err
	}
	return &v1.Revision{Config: state.Config.String(), Urgent: state.Urgent.String(), Edges: edgeRevisions(state.Edges)}, nil
}

func (s revisions) Wait(ctx context.Context, r *v1.WaitRequest) (*v1.WaitResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), true)
	if err != nil {
		return nil, err
	}
	request := revision.WaitRequest{Tenant: scope.UID, Timeout: revision.DefaultTimeout}
	if r.Timeout != nil {
		request.Timeout = r.GetTimeout().AsDuration()
	}
	request.Revision, _ = controlplane.ParseRevision(r.GetRevision()) // its form is in the proto
	if pool, ok := strings.CutPrefix(r.GetScope(), "edgePools/"); ok && pool != "" {
		request.Pool = pool
	} else if r.GetScope() != "" {
		return nil, invalidName("scope", form(controlplane.KindEdgePool))
	}
	result, err := s.Revisions.Wait(ctx, callerOf(ctx), request)
	if err != nil {
		return nil, err
	}
	return &v1.WaitResponse{
		Result: waitResults[result.Result], Pending: edgeRevisions(result.Pending), Unreachable: edgeRevisions(result.Unreachable),
		ClosedApps: result.ClosedApps, EnforceTime: timestamp(result.EnforceTime), CommitTime: timestamp(result.CommitTime),
	}, nil
}

var waitResults = map[revision.Result]v1.WaitResult{
	revision.Enforced:       v1.WaitResult_WAIT_RESULT_ENFORCED,
	revision.EnforcedExcept: v1.WaitResult_WAIT_RESULT_ENFORCED_EXCEPT,
	revision.Pending:        v1.WaitResult_WAIT_RESULT_PENDING,
}

func edgeRevisions(edges []revision.EdgeRevision) []*v1.EdgeRevision {
	var messages []*v1.EdgeRevision
	for _, e := range edges {
		messages = append(messages, &v1.EdgeRevision{
			Edge: e.Edge, Config: e.Config.String(), Urgent: e.Urgent.String(),
			SeenTime: timestamp(e.SeenTime), ClosesBy: timestamp(e.ClosesBy), Refused: e.Refused,
		})
	}
	return messages
}
