package edgerpc

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/report"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

const (
	maxRecord   = 16 << 10 // of one event as JSON; of a larger one only the most important is stored
	maxBoot     = 64
	maxID       = 64
	maxBatches  = 10_000
	maxOneField = 1 << 10
)

// Report stores what an edge tells. Tenants that its pool does not serve are left out: an edge that has just lost one
// may still hold records of it, and must not be kept from reporting the rest.
func (h *Handlers) Report(ctx context.Context, m *edgev1.ReportRequest) (*edgev1.ReportResponse, error) {
	edge, _, err := h.edge(ctx, false)
	if err != nil {
		return nil, err
	}
	if m.BootId == "" || len(m.BootId) > maxBoot || len(m.Batches) > maxBatches {
		return nil, invalid("boot_id", "must be 1 to 64 bytes, with at most 10,000 batches")
	}
	if h.cfg.Publisher.Ready() != nil {
		return nil, &controlplane.Error{Kind: controlplane.Unavailable, Reason: controlplane.ReasonStoreDown, Message: "starting", RetryAfter: time.Second}
	}
	served := h.cfg.Publisher.Serves(edge.PoolUID)
	from := report.Edge{UID: edge.EdgeUID, Name: edge.Name, Boot: m.BootId}
	var batches []report.Batch
	for i, batch := range m.Batches {
		tenant := controlplane.UID(batch.TenantUid)
		if !slices.Contains(served, tenant) {
			h.cfg.Log.WarnContext(ctx, "edge reported for a tenant that its pool does not serve", "edge", edge.Name, "tenant_uid", batch.TenantUid)
			continue
		}
		b, err := h.batch(from, tenant, batch.Records)
		if err != nil {
			return nil, invalid(fmt.Sprintf("batches[%d].records", i), err.Error())
		}
		batches = append(batches, *b)
	}
	all, err := h.cfg.Reports.Ingest(ctx, from, batches)
	if err != nil {
		return nil, err
	}
	response := &edgev1.ReportResponse{}
	for i, stored := range all {
		if stored == nil {
			continue
		}
		response.Stored = append(response.Stored, &edgev1.Stored{
			TenantUid: string(batches[i].Tenant), ThroughSeq: stored.ThroughSeq, Urgent: stored.Urgent, Enforced: stored.Enforced,
		})
	}
	return response, nil
}

func invalid(field, description string) error {
	return controlplane.InvalidFields(controlplane.Violation{Field: field, Reason: controlplane.ReasonFieldInvalid, Description: description})
}

// batch checks records and sorts them by what they are of.
func (h *Handlers) batch(edge report.Edge, tenant controlplane.UID, records []*edgev1.Record) (*report.Batch, error) {
	if len(records) > report.MaxRecords {
		return nil, fmt.Errorf("must be at most %d", report.MaxRecords)
	}
	b := &report.Batch{Tenant: tenant}
	for _, r := range records {
		if r.Seq <= b.ThroughSeq {
			return nil, fmt.Errorf("must ascend by seq from 1")
		}
		b.ThroughSeq = r.Seq
		switch event := r.Event.(type) {
		case *edgev1.Record_Access:
			e, err := h.accessEvent(edge, r.Seq, event.Access)
			if err != nil {
				return nil, err
			}
			b.Events = append(b.Events, *e)
		case *edgev1.Record_Session:
			e, err := sessionEvent(event.Session)
			if err != nil {
				return nil, err
			}
			b.Sessions = append(b.Sessions, *e)
		default:
			return nil, fmt.Errorf("seq %d has no event", r.Seq)
		}
	}
	return b, nil
}

// accessEvent is the stored form of one event: its row, and the whole of it as the API's JSON. Who reported it, and when
// it came, is ours to say.
func (h *Handlers) accessEvent(edge report.Edge, seq int64, e *sallyportv1.AccessEvent) (*store.AccessEvent, error) {
	now := h.cfg.Now()
	if e == nil || len(e.Id) > maxID {
		return nil, fmt.Errorf("seq %d has no event, or an id that is too long", seq)
	}
	if e.Id == "" {
		e.Id = ulid.Make().String() // a gap has none of its own
	}
	stamp := func(e *sallyportv1.AccessEvent) {
		e.Edge, e.Boot, e.Seq, e.ReceiveTime = edge.ID(), edge.Boot, seq, timestamppb.New(now)
	}
	stamp(e)
	form := protojson.MarshalOptions{UseProtoNames: true}
	body, err := form.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("seq %d is not valid text", seq)
	}
	for _, without := range lighter {
		if len(body) <= maxRecord {
			break
		}
		e = without(e)
		stamp(e)
		if body, err = form.Marshal(e); err != nil {
			return nil, fmt.Errorf("seq %d is not valid text", seq)
		}
	}
	return &store.AccessEvent{
		ID: e.Id, Seq: seq, Time: timeOf(e.Time, now), App: e.App, Principal: e.GetPrincipal().GetSubject(),
		Email: e.GetPrincipal().GetEmail(), Outcome: e.GetDecision().GetOutcome(), Reason: e.GetDecision().GetReason(),
		Event: json.RawMessage(body),
	}, nil
}

// lighter makes a record that is too large smaller, as often as it takes. Who did what, and what was decided, stays as long
// as there is a record at all: what a caller can make large must not keep them out of the audit.
var lighter = []func(*sallyportv1.AccessEvent) *sallyportv1.AccessEvent{
	func(e *sallyportv1.AccessEvent) *sallyportv1.AccessEvent {
		if r := e.Request; r != nil {
			r.Path, r.UserAgent = "", ""
		}
		if d := e.Decision; d != nil {
			d.Shadow = nil
			if d.Facts != nil {
				d.Facts.Path, d.Facts.Incomplete = "", true
			}
		}
		return e
	},
	func(e *sallyportv1.AccessEvent) *sallyportv1.AccessEvent {
		if d := e.Decision; d != nil {
			d.Groups = nil
			if d.Facts != nil {
				d.Facts = &sallyportv1.EventFacts{Incomplete: true}
			}
		}
		return e
	},
	func(e *sallyportv1.AccessEvent) *sallyportv1.AccessEvent {
		return &sallyportv1.AccessEvent{Id: e.Id, Time: e.Time, Gap: &sallyportv1.EventGap{From: e.Seq, To: e.Seq, Why: "record_too_large"}}
	},
}

var sessionKinds = map[edgev1.SessionEventKind]store.SessionEventKind{
	edgev1.SessionEventKind_SESSION_EVENT_KIND_BEGUN: store.SessionBegun,
	edgev1.SessionEventKind_SESSION_EVENT_KIND_SEEN:  store.SessionSeen,
	edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED: store.SessionEnded,
}

func sessionEvent(e *edgev1.SessionEvent) (*store.SessionEvent, error) {
	kind, ok := sessionKinds[e.Kind]
	if !ok || !report.ValidSID(e.Sid) {
		return nil, fmt.Errorf("a session event has no kind or no valid sid")
	}
	for _, field := range []string{e.Principal, e.Email, e.IdentityProvider, e.Ip, e.Host, e.Reason} {
		if len(field) > maxOneField {
			return nil, fmt.Errorf("a field of a session event is over 1 KiB")
		}
	}
	return &store.SessionEvent{
		Kind: kind, SID: e.Sid, Principal: e.Principal, Email: e.Email, IDP: e.IdentityProvider,
		Time: timeOf(e.Time, time.Now()), ExpireTime: timeOf(e.ExpireTime, time.Time{}), IP: e.Ip, Host: e.Host, Reason: e.Reason,
	}, nil
}

func timeOf(t *timestamppb.Timestamp, fallback time.Time) time.Time {
	if t == nil || !t.IsValid() {
		return fallback
	}
	return t.AsTime()
}
