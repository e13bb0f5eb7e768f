package rpc

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/revocation"
	"github.com/sallyport-iap/sallyport/controlplane/session"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

type sessions struct{ *api }

func (s sessions) GetSession(ctx context.Context, r *v1.GetSessionRequest) (*v1.Session, error) {
	scope, sid, err := s.below(ctx, "name", r.GetName(), "sessions")
	if err != nil {
		return nil, err
	}
	found, err := s.Sessions.Get(ctx, callerOf(ctx), scope, sid)
	if err != nil {
		return nil, err
	}
	return sessionMessage(scope, found), nil
}

func (s sessions) ListSessions(ctx context.Context, r *v1.ListSessionsRequest) (*v1.ListSessionsResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return nil, err
	}
	of := fmt.Sprintf("sessions %s %s %v", r.GetParent(), r.GetPrincipal(), r.GetShowEnded())
	q := session.Query{Principal: r.GetPrincipal(), ShowEnded: r.GetShowEnded(), Limit: size(r.GetPageSize()) + 1}
	if q.AfterTime, q.AfterSID, err = afterSession(of, r.GetPageToken()); err != nil {
		return nil, err
	}
	found, err := s.Sessions.List(ctx, callerOf(ctx), scope, q)
	if err != nil {
		return nil, err
	}
	page, token := next(of, found, q.Limit-1, func(s session.Session) string { return s.BeginTime.Format(time.RFC3339Nano) + " " + s.SID })
	response := &v1.ListSessionsResponse{NextPageToken: token}
	for _, found := range page {
		response.Sessions = append(response.Sessions, sessionMessage(scope, &found))
	}
	return response, nil
}

// afterSession reads where a page of sessions begins: they are in the order of their beginnings.
func afterSession(of, pageToken string) (began time.Time, sid string, err error) {
	last, err := after(of, pageToken)
	if err != nil || last == "" {
		return began, "", err
	}
	text, sid, _ := strings.Cut(last, " ")
	began, err = time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return began, "", controlplane.InvalidFields(controlplane.Violation{
			Field: "page_token", Reason: controlplane.ReasonFieldInvalid,
			Description: "is not a next_page_token",
		})
	}
	return began, sid, nil
}

func (s sessions) RevokeSession(ctx context.Context, r *v1.RevokeSessionRequest) (*v1.RevokeSessionResponse, error) {
	scope, sid, err := s.below(ctx, "name", r.GetName(), "sessions")
	if err != nil {
		return nil, err
	}
	revision, err := s.Revocations.EndSession(ctx, callerOf(ctx), scope, sid)
	return &v1.RevokeSessionResponse{Revision: revision.String()}, err
}

func sessionMessage(scope controlplane.Scope, s *session.Session) *v1.Session {
	return &v1.Session{
		Name: scope.Parent() + "/sessions/" + s.SID, Principal: s.Principal, Email: s.Email, IdentityProvider: s.IDP,
		BeginTime: timestamp(s.BeginTime), BeginIp: s.BeginIP, BeginEdge: s.BeginEdge,
		SeenTime: timestamp(s.SeenTime), ExpireTime: timestamp(s.ExpireTime), EndTime: timestamp(s.EndTime), EndReason: s.EndReason, Hosts: s.Hosts,
	}
}

type revocations struct{ *api }

func (s revocations) GetRevocation(ctx context.Context, r *v1.GetRevocationRequest) (*v1.Revocation, error) {
	scope, id, err := s.below(ctx, "name", r.GetName(), "revocations")
	if err != nil {
		return nil, err
	}
	found, err := s.Revocations.Get(ctx, callerOf(ctx), scope, id)
	if err != nil {
		return nil, err
	}
	return revocationMessage(scope, found), nil
}

func (s revocations) ListRevocations(ctx context.Context, r *v1.ListRevocationsRequest) (*v1.ListRevocationsResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return nil, err
	}
	of, limit := "revocations "+r.GetParent(), size(r.GetPageSize())
	from, err := after(of, r.GetPageToken())
	if err != nil {
		return nil, err
	}
	found, err := s.Revocations.List(ctx, callerOf(ctx), scope, from, limit+1)
	if err != nil {
		return nil, err
	}
	page, token := next(of, found, limit, func(r *revocation.Revocation) string { return r.ID })
	response := &v1.ListRevocationsResponse{NextPageToken: token}
	for _, found := range page {
		response.Revocations = append(response.Revocations, revocationMessage(scope, found))
	}
	return response, nil
}

func (s revocations) CreateRevocation(ctx context.Context, r *v1.CreateRevocationRequest) (*v1.Revocation, error) {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return nil, err
	}
	made, replayed, err := s.Revocations.Create(ctx, callerOf(ctx), scope, revocation.Request{
		Subject: r.GetRevocation().GetSubject(), Reason: r.GetRevocation().GetReason(), ValidateOnly: r.GetValidateOnly(),
		RequestID: r.GetRequestId(), Digest: digest(ctx, r),
		Remember: func(made *revocation.Revocation) ([]byte, error) {
			return proto.Marshal(revocationMessage(scope, made))
		},
	})
	if err != nil {
		return nil, err
	}
	if replayed == nil {
		return revocationMessage(scope, made), nil
	}
	message := &v1.Revocation{}
	return message, proto.Unmarshal(replayed, message)
}

func revocationMessage(scope controlplane.Scope, r *revocation.Revocation) *v1.Revocation {
	return &v1.Revocation{
		Name: revocation.Name(scope, r.ID), Subject: r.Subject, Reason: r.Reason,
		CreateTime: timestamp(r.CreateTime), ExpireTime: timestamp(r.ExpireTime), Revision: r.Revision.String(),
	}
}
