// Package report takes in what edges tell of requests and sessions. Everything is idempotent by (edge, boot, tenant,
// sequence), so an edge repeats what it is not sure of; and everything is scoped by the edge's certificate: an edge can
// tell only of tenants that its pool serves, under its own name, with the time of receipt beside its own.
//
// A session that ended becomes a revocation on the urgent lane, because that is what reaches every edge. The package must
// never end a session for any other reason than that an edge of the tenant said so, and never decide anything else.
package report

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// MaxRecords is how many records a batch may have.
const MaxRecords = 1_000

const (
	// enforceWithin is how long a report that ends sessions waits for the other edges, of all its tenants together.
	enforceWithin = 2 * time.Second
	// maxWaiting is for how many tenants at a time: each asks the database.
	maxWaiting = 64
	// longestSession bounds what an edge says of a session's end.
	longestSession = 30 * 24 * time.Hour
	// clockMargin is how much longer than a session its revocation lives: an edge's clock may be behind, and would let the
	// session in again for as long.
	clockMargin = 2 * time.Minute
	// The day of a record decides which partition it is in: a clock that is off by more than this is not believed.
	oldest, newest = 7 * 24 * time.Hour, time.Hour
	maxSID         = 128
	// cookiePrefix begins what edges call one cookie of a session.
	cookiePrefix = "h_"
)

// Config is what the service needs; every field is required.
type Config struct {
	DB *store.DB
	// Enforced waits until all accountable edges have a revision, or for the time given.
	Enforced func(ctx context.Context, tenant controlplane.UID, want controlplane.Revision, within time.Duration) (bool, error)
	Now      func() time.Time
	Log      *slog.Logger
}

// Service stores reports.
type Service struct{ cfg Config }

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg} }

// Edge is who reports: derived from its certificate.
type Edge struct {
	UID  controlplane.UID
	Name string // `edgePools/dev/edges/eu-1`
	Boot string
}

// ID is what records call it: `eu-1`.
func (e Edge) ID() string { return e.Name[strings.LastIndexByte(e.Name, '/')+1:] }

// Batch is what an edge tells of one tenant, ascending by sequence. Sessions and Events share the sequence.
type Batch struct {
	Tenant     controlplane.UID
	Events     []store.AccessEvent
	Sessions   []store.SessionEvent
	ThroughSeq int64 // the last record's
}

// Stored is what came of a batch.
type Stored struct {
	ThroughSeq int64
	Urgent     int64 // the revision that ends the sessions that ended; 0: none did
	Enforced   bool  // every accountable edge has it
}

// Ingest stores batches and returns what came of each; nil for one that could not be stored, which the edge sends again.
// It fails only if none could be: one tenant's trouble must not keep an edge from reporting of the others. Who calls has
// checked that the edge's pool serves the tenants.
func (s *Service) Ingest(ctx context.Context, edge Edge, batches []Batch) ([]*Stored, error) {
	ctx, cancel := leaveTimeToAnswer(ctx)
	defer cancel()
	all := make([]*Stored, len(batches))
	var ended []waiting
	var failure error
	done := 0
	for i, b := range batches {
		revision, err := s.store(ctx, edge, b)
		if err != nil {
			failure = err
			if ctx.Err() != nil {
				break
			}
			s.cfg.Log.ErrorContext(ctx, "store a report", "tenant_uid", string(b.Tenant), "edge", edge.Name, "error", err)
			continue
		}
		done++
		all[i] = &Stored{ThroughSeq: b.ThroughSeq, Urgent: revision.Number}
		if revision.Number > 0 {
			ended = append(ended, waiting{b.Tenant, revision, all[i]})
		}
	}
	if done == 0 && failure != nil {
		return nil, failure
	}
	s.await(ctx, ended)
	return all, nil
}

// leaveTimeToAnswer ends a little before the caller gives up: what is stored but not said is stored again, and again.
func leaveTimeToAnswer(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/10))
}

// store stores a batch and returns the revision that ends the sessions that ended; the zero Revision if none did.
func (s *Service) store(ctx context.Context, edge Edge, b Batch) (controlplane.Revision, error) {
	now := s.cfg.Now()
	for i := range b.Events {
		e := &b.Events[i]
		e.ReceiveTime = now
		if e.Time.Before(now.Add(-oldest)) || e.Time.After(now.Add(newest)) {
			e.Time = now
		}
	}
	system := s.cfg.DB.System()
	if err := system.InsertEvents(ctx, b.Tenant, edge.UID, edge.Boot, b.Events); err != nil {
		return controlplane.Revision{}, fmt.Errorf("store access events of edge %s: %w", edge.UID, err)
	}
	var ended []store.SessionEvent
	for i := range b.Sessions {
		e := &b.Sessions[i]
		e.Edge = edge.ID()
		if e.ExpireTime.IsZero() || e.ExpireTime.After(now.Add(longestSession)) {
			e.ExpireTime = now.Add(longestSession)
		}
		// One that is past its time, whatever the clock, has nothing left that could be revoked.
		if e.Kind == store.SessionEnded && e.ExpireTime.Add(clockMargin).After(now) {
			ended = append(ended, *e)
		}
	}
	// "Sign out of this app" ends one cookie, "h_…". It becomes a revocation like any end, and is no session to list.
	sessions := slices.DeleteFunc(slices.Clone(b.Sessions), func(e store.SessionEvent) bool { return strings.HasPrefix(e.SID, cookiePrefix) })
	if err := system.UpsertSessions(ctx, b.Tenant, sessions); err != nil {
		return controlplane.Revision{}, fmt.Errorf("store session events of edge %s: %w", edge.UID, err)
	}
	if len(ended) == 0 {
		return controlplane.Revision{}, nil
	}
	return s.revoke(ctx, edge, b.Tenant, ended)
}

// waiting is a revision that ends sessions, and where it is noted that every edge has it.
type waiting struct {
	tenant   controlplane.UID
	revision controlplane.Revision
	stored   *Stored
}

// await waits for all revisions at once, so that an edge which takes none costs a report enforceWithin and no more.
func (s *Service) await(ctx context.Context, ended []waiting) {
	ctx, cancel := context.WithTimeout(ctx, enforceWithin)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(maxWaiting)
	for _, w := range ended {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			enforced, err := s.cfg.Enforced(ctx, w.tenant, w.revision, enforceWithin)
			if err != nil && ctx.Err() == nil {
				// It is committed, so it will be enforced; that we cannot say when is no reason to have it reported again.
				s.cfg.Log.ErrorContext(ctx, "wait for a session's end", "tenant_uid", string(w.tenant), "revision", w.revision.String(), "error", err)
			}
			w.stored.Enforced = err == nil && enforced
			return nil
		})
	}
	_ = group.Wait() // none of them fails
}

// revoke puts the sessions' ends on the urgent lane and returns the revision by which all of them are there.
func (s *Service) revoke(ctx context.Context, edge Edge, tenant controlplane.UID, ended []store.SessionEvent) (controlplane.Revision, error) {
	var through controlplane.Revision
	err := s.cfg.DB.Tenant(ctx, tenant, func(tx *store.TenantTx) error {
		through = controlplane.Revision{Lane: controlplane.Urgent}
		head := tx.Head()
		caller := &controlplane.Caller{
			Actor: edge.Name, ActorKind: "edge", TenantUID: tenant, TenantID: head.ID,
			Method: "sallyport.edge.v1.EdgeService/Report",
		}
		for _, e := range ended {
			subject := "session:" + e.SID
			was, ok, err := tx.RevocationOf(subject)
			if err != nil {
				return err
			}
			if ok {
				through.Number = max(through.Number, was.Urgent)
				continue
			}
			r := &store.Revocation{Subject: subject, Reason: e.Reason, ExpireTime: e.ExpireTime.Add(clockMargin)}
			if err := tx.AddRevocation(r); err != nil {
				return err
			}
			through.Number = max(through.Number, r.Urgent)
			if err := tx.Record(store.Change{Lane: controlplane.Urgent, Caller: caller, Items: []store.ChangeItem{{
				Name: "tenants/" + head.ID + "/revocations/" + string(r.UID), Action: store.Created,
			}}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return controlplane.Revision{}, fmt.Errorf("end sessions of tenant %s: %w", tenant, err)
	}
	return through, nil
}

// ValidSID reports whether a session id can be one of ours.
func ValidSID(sid string) bool {
	if sid == "" || len(sid) > maxSID {
		return false
	}
	for _, c := range []byte(sid) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}
