package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/audit"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

type audits struct{ *api }

func (s audits) ListAccessEvents(ctx context.Context, r *v1.ListAccessEventsRequest) (*v1.ListAccessEventsResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return nil, err
	}
	q := audit.EventQuery{
		ID: strings.TrimPrefix(r.GetDecisionId(), "d_"), App: r.GetApp(), Principal: r.GetPrincipal(),
		Outcome: r.GetOutcome(), Limit: size(r.GetPageSize()) + 1,
	}
	of := fmt.Sprintf("accessEvents %s %s %s %s %s", r.GetParent(), q.ID, q.App, q.Principal, q.Outcome)
	last, err := after(of, r.GetPageToken())
	if err != nil {
		return nil, err
	}
	if err := q.After.UnmarshalText([]byte(last)); err != nil {
		return nil, pageTokenError()
	}
	found, err := s.Audit.Events(ctx, callerOf(ctx), scope, q)
	if err != nil {
		return nil, err
	}
	page, token := next(of, found, q.Limit-1, func(e audit.Event) string { return e.Place().String() })
	response := &v1.ListAccessEventsResponse{NextPageToken: token}
	for _, e := range page {
		m, err := eventMessage(&e)
		if err != nil {
			return nil, err
		}
		response.AccessEvents = append(response.AccessEvents, m)
	}
	return response, nil
}

// TailAccessEvents sends the response's header once it knows where it begins, so that a client which has it misses nothing.
func (s audits) TailAccessEvents(ctx context.Context, r *v1.TailAccessEventsRequest, stream *connect.ServerStream[v1.TailAccessEventsResponse]) error {
	scope, err := s.parent(ctx, r.GetParent(), false)
	if err != nil {
		return err
	}
	ready := func() error { return stream.Send(nil) }
	return s.Audit.TailEvents(ctx, asker(ctx, scope, ready), scope, r.GetApp(), r.GetOutcome(), func(e *audit.Event) error {
		m, err := eventMessage(e)
		if err != nil {
			return err
		}
		return stream.Send(&v1.TailAccessEventsResponse{AccessEvent: m})
	})
}

func (s audits) ListChanges(ctx context.Context, r *v1.ListChangesRequest) (*v1.ListChangesResponse, error) {
	scope, err := s.parent(ctx, r.GetParent(), true)
	if err != nil {
		return nil, err
	}
	of, limit := "changes "+r.GetParent(), size(r.GetPageSize())
	last, err := after(of, r.GetPageToken())
	if err != nil {
		return nil, err
	}
	before, _ := controlplane.ParseRevision(last) // none at the beginning
	found, err := s.Audit.Changes(ctx, callerOf(ctx), scope, before, limit+1)
	if err != nil {
		return nil, err
	}
	page, token := next(of, found, limit, func(c audit.Change) string { return c.Revision.String() })
	response := &v1.ListChangesResponse{NextPageToken: token}
	for _, c := range page {
		m, err := configChange(scope, &c)
		if err != nil {
			return nil, err
		}
		response.Changes = append(response.Changes, m)
	}
	return response, nil
}

// TailChanges sends the response's header once it knows where it begins.
func (s audits) TailChanges(ctx context.Context, r *v1.TailChangesRequest, stream *connect.ServerStream[v1.TailChangesResponse]) error {
	scope, err := s.parent(ctx, r.GetParent(), true)
	if err != nil {
		return err
	}
	ready := func() error { return stream.Send(nil) }
	return s.Audit.TailChanges(ctx, asker(ctx, scope, ready), scope, func(c *audit.Change) error {
		m, err := configChange(scope, c)
		if err != nil {
			return err
		}
		return stream.Send(&v1.TailChangesResponse{Change: m})
	})
}

// asker goes through the gates again, with the credential that opened the tail.
func asker(ctx context.Context, scope controlplane.Scope, ready func() error) audit.Asker {
	e := eventOf(ctx)
	return audit.Asker{Caller: e.caller, Ready: ready, Again: func(ctx context.Context) error {
		caller, err := e.again(ctx)
		if err != nil {
			return err
		}
		return caller.Enter(scope.UID)
	}}
}

// eventMessage reads a stored event. A field that this version does not know was stored by a newer one, and is left out.
func eventMessage(e *audit.Event) (*v1.AccessEvent, error) {
	m := &v1.AccessEvent{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(e.Event, m); err != nil {
		return nil, fmt.Errorf("read access event %s: %w", e.ID, err)
	}
	m.ReceiveTime = timestamp(e.ReceiveTime)
	return m, nil
}

func configChange(scope controlplane.Scope, c *audit.Change) (*v1.ConfigChange, error) {
	notes, err := changeset.ReadNotes(c.Notes)
	if err != nil {
		return nil, fmt.Errorf("read change %s: %w", c.Revision, err)
	}
	m := &v1.ConfigChange{
		Revision: c.Revision.String(), Time: timestamp(c.Time), Actor: c.Actor, ActorKind: c.ActorKind, Ip: c.IP,
		RequestId: c.RequestID, Method: c.Method, Hash: hex.EncodeToString(c.Hash),
		LostReach: lostReach(scope, notes.LostReach),
	}
	if f := notes.Forced; f != nil {
		m.Forced = &v1.ForcedChange{Reason: f.Reason}
		for _, id := range f.Tests {
			m.Forced.FailedTests = append(m.Forced.FailedTests, scope.Name(controlplane.KindPolicyTest, id))
		}
	}
	for _, item := range c.Items {
		fields, err := changeset.Differences(item.Before, item.After)
		if err != nil {
			return nil, fmt.Errorf("read change %s: %w", c.Revision, err)
		}
		told, err := changeMessage(changeset.Change{Name: item.Name, Action: item.Action, Fields: fields, Before: item.Before, After: item.After})
		if err != nil {
			return nil, fmt.Errorf("read change %s: %w", c.Revision, err)
		}
		m.Changes = append(m.Changes, told)
	}
	return m, nil
}

func changeMessage(c changeset.Change) (*v1.Change, error) {
	m := &v1.Change{Name: c.Name, Action: v1.Change_Action(v1.Change_Action_value["ACTION_"+string(c.Action)]), Fields: c.Fields}
	var err error
	if m.Before, err = structOf(c.Before); err != nil {
		return nil, err
	}
	m.After, err = structOf(c.After)
	return m, err
}

func structOf(data json.RawMessage) (*structpb.Struct, error) {
	if len(data) == 0 {
		return nil, nil
	}
	s := &structpb.Struct{}
	return s, protojson.Unmarshal(data, s)
}
