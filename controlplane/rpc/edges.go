package rpc

import (
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// edges come by enrolling, and tell what they do: their status is not part of what is written.
type edges struct{ *api }

func (s edges) GetEdge(ctx context.Context, r *v1.GetEdgeRequest) (*v1.Edge, error) {
	edge, err := get[*v1.Edge](ctx, s.api, r)
	if err != nil {
		return nil, err
	}
	return edge, s.fill(ctx, edge)
}

func (s edges) ListEdges(ctx context.Context, r *v1.ListEdgesRequest) (*v1.ListEdgesResponse, error) {
	page, next, err := list[*v1.Edge](ctx, s.api, r)
	if err != nil {
		return nil, err
	}
	return &v1.ListEdgesResponse{Edges: page, NextPageToken: next}, s.fill(ctx, page...)
}

func (s edges) UpdateEdge(ctx context.Context, r *v1.UpdateEdgeRequest) (*v1.Edge, error) {
	edge, err := update[*v1.Edge](ctx, s.api, r)
	if err != nil {
		return nil, err
	}
	return edge, s.fill(ctx, edge)
}

func (s edges) DeleteEdge(ctx context.Context, r *v1.DeleteEdgeRequest) (*v1.DeleteEdgeResponse, error) {
	revision, err := remove(ctx, s.api, controlplane.KindEdge, r)
	return &v1.DeleteEdgeResponse{Revision: revision}, err
}

func (s edges) CreateJoinToken(ctx context.Context, r *v1.CreateJoinTokenRequest) (*v1.CreateJoinTokenResponse, error) {
	_, pool, err := s.named(ctx, controlplane.KindEdgePool, "parent", r.GetParent())
	if err != nil {
		return nil, err
	}
	secret, expires, err := s.Fleet.CreateJoinToken(ctx, callerOf(ctx), pool, r.GetEdgeId(), r.GetLifetime().AsDuration())
	return &v1.CreateJoinTokenResponse{Secret: secret, ExpireTime: timestamp(expires)}, err
}

// fill adds what the edges last told.
func (s edges) fill(ctx context.Context, edges ...*v1.Edge) error {
	var uids []controlplane.UID
	for _, e := range edges {
		uids = append(uids, controlplane.UID(e.GetUid()))
	}
	told, err := s.Fleet.Status(ctx, uids...)
	for _, e := range edges {
		if status, ok := told[controlplane.UID(e.GetUid())]; ok {
			e.Status = &v1.EdgeStatus{Connected: status.Connected, SeenTime: timestamp(status.SeenTime), Version: status.Version, Departed: status.Departed}
		}
	}
	return err
}
