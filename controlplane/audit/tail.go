package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

const (
	maxTails = 64                     // at a time, of one process
	poll     = 250 * time.Millisecond // what a tail is late at most
	page     = 200
	// overlap is how far back a tail looks for events that were stored before those that it has seen, by transactions that
	// ended after them.
	overlap = 5 * time.Second
)

// tail calls next again and again until the context ends. ready is called once next has found out where the tail begins.
func (s *Service) tail(ctx context.Context, ready func() error, next func() error) error {
	select {
	case s.tails <- struct{}{}:
		defer func() { <-s.tails }()
	default:
		return &controlplane.Error{
			Kind: controlplane.Exhausted, Reason: controlplane.ReasonQuota, RetryAfter: time.Minute,
			Message: "too many tails are open", Metadata: map[string]string{"quota": "tails", "limit": fmt.Sprint(maxTails)},
		}
	}
	if err := next(); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if err := next(); err != nil {
			return err
		}
	}
}

// TailChanges sends each change that is committed from now on, in the order of its lane, until the context ends.
func (s *Service) TailChanges(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, ready func() error, send func(*Change) error) error {
	if err := caller.Enter(scope.UID); err != nil {
		return err
	}
	var at []controlplane.Revision // newest that was sent, of each lane
	return s.tail(ctx, ready, func() error {
		var found []Change
		err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
			head := tx.Head()
			now := []controlplane.Revision{head.Revision(controlplane.Config), head.Revision(controlplane.Urgent)}
			if at == nil {
				at = now
			}
			found = nil
			for i := range at {
				if at[i] == now[i] {
					continue
				}
				changes, err := tx.ChangesSince(at[i], page)
				if err != nil {
					return err
				}
				found = append(found, changes...)
			}
			return nil
		})
		if err != nil {
			return err
		}
		slices.SortStableFunc(found, func(a, b Change) int { return a.Time.Compare(b.Time) })
		for i := range found {
			if err := send(&found[i]); err != nil {
				return err
			}
			for lane := range at {
				if at[lane].Lane == found[i].Revision.Lane {
					at[lane] = found[i].Revision
				}
			}
		}
		return nil
	})
}

// TailEvents sends each access event that arrives from now on, until the context ends.
func (s *Service) TailEvents(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, app, outcome string, ready func() error, send func(*Event) error) error {
	if err := caller.Enter(scope.UID); err != nil {
		return err
	}
	t := &eventTail{
		seen: map[string]time.Time{}, newest: time.Now().Add(-overlap),
		query: store.AccessEventQuery{App: app, Outcome: outcome, Limit: page},
	}
	return s.tail(ctx, ready, func() error {
		var found []Event
		err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
			var err error
			found, err = t.read(tx)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range t.fresh(found) {
			if err := send(&e); err != nil {
				return err
			}
		}
		return nil
	})
}

// eventTail remembers which of the newest events it has seen. What its first reading finds is before its beginning.
type eventTail struct {
	query  store.AccessEventQuery
	begun  bool
	newest time.Time // when the newest that was seen arrived
	seen   map[string]time.Time
}

// read returns what arrived since a little before the newest that was seen.
func (t *eventTail) read(tx *store.TenantTx) ([]Event, error) {
	q := t.query
	q.ReceivedSince = t.newest.Add(-overlap)
	var all []Event
	for {
		found, err := tx.AccessEvents(q)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if len(found) < page {
			return all, nil
		}
		q.BeforeID = found[len(found)-1].ID
	}
}

// fresh leaves of what was read, at the front and in the order of arrival, what was not seen before.
func (t *eventTail) fresh(found []Event) []Event {
	slices.SortStableFunc(found, func(a, b Event) int {
		return cmp.Or(a.ReceiveTime.Compare(b.ReceiveTime), cmp.Compare(a.ID, b.ID))
	})
	n := 0
	for _, e := range found {
		if _, was := t.seen[e.ID]; was {
			continue
		}
		t.seen[e.ID] = e.ReceiveTime
		found[n] = e
		n++
		if e.ReceiveTime.After(t.newest) {
			t.newest = e.ReceiveTime
		}
	}
	for id, at := range t.seen {
		if at.Before(t.newest.Add(-2 * overlap)) {
			delete(t.seen, id)
		}
	}
	if !t.begun {
		t.begun = true
		return nil
	}
	return found[:n]
}
