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
	maxTails       = 64                     // at a time, of one process
	maxTenantTails = 8                      // of these, of one tenant's callers
	longest        = time.Hour              // one tail
	askAgain       = 5 * time.Second        // how long a tail outlives the right to it
	poll           = 250 * time.Millisecond // what a tail is late at most
	page           = 200
	// overlap is how far back a tail looks for events that were stored before those that it has seen, by transactions that
	// ended after them.
	overlap = 5 * time.Second
)

// Asker is who asks for a tail, for as long as it lasts.
type Asker struct {
	Caller *controlplane.Caller
	// Again asks once more whether they may have it: a token that is gone, or a role, ends the tail.
	Again func(context.Context) error
	// Ready is called once the tail has found out where it begins.
	Ready func() error
}

// tail calls next again and again until the context ends, the asker may not have it any more, or it is too old.
func (s *Service) tail(ctx context.Context, asker Asker, next func() error) error {
	leave, err := s.enter(asker.Caller)
	if err != nil {
		return err
	}
	defer leave()
	if err := next(); err != nil {
		return err
	}
	if err := asker.Ready(); err != nil {
		return err
	}
	ticker, again, end := time.NewTicker(poll), time.NewTicker(askAgain), time.NewTimer(longest)
	defer ticker.Stop()
	defer again.Stop()
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			return quota("a tail ends after an hour: open another one", "tail-age", longest.String(), 0)
		case <-again.C:
			if err := asker.Again(ctx); refusal(err) {
				return err
			}
			continue
		case <-ticker.C:
		}
		if err := next(); err != nil {
			return err
		}
	}
}

// refusal reports whether an error says no. That it cannot be asked says nothing.
func refusal(err error) bool {
	switch controlplane.KindOf(err) {
	case controlplane.Unauthenticated, controlplane.Denied, controlplane.NotFound:
		return true
	default:
		return false
	}
}

// enter takes a place for a tail. Operators are bounded by the total alone: they look into all tenants.
func (s *Service) enter(caller *controlplane.Caller) (leave func(), err error) {
	of := caller.TenantUID
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxTails {
		return nil, quota("too many tails are open", "tails", fmt.Sprint(maxTails), time.Minute)
	}
	if s.tails[of] >= maxTenantTails && !caller.Operator() {
		return nil, quota("too many tails of this tenant are open", "tenant-tails", fmt.Sprint(maxTenantTails), time.Minute)
	}
	s.total++
	s.tails[of]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.total--
		if s.tails[of]--; s.tails[of] == 0 {
			delete(s.tails, of)
		}
	}, nil
}

func quota(message, name, limit string, retry time.Duration) error {
	return &controlplane.Error{
		Kind: controlplane.Exhausted, Reason: controlplane.ReasonQuota, RetryAfter: retry,
		Message: message, Metadata: map[string]string{"quota": name, "limit": limit},
	}
}

// TailChanges sends each change that is committed from now on, in the order of its lane, until the context ends, or the right to it.
func (s *Service) TailChanges(ctx context.Context, asker Asker, scope controlplane.Scope, send func(*Change) error) error {
	if err := asker.Caller.Enter(scope.UID); err != nil {
		return err
	}
	var at []controlplane.Revision // newest that was sent, of each lane
	return s.tail(ctx, asker, func() error {
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

// TailEvents sends each access event that arrives from now on, until the context ends, or the right to it.
func (s *Service) TailEvents(ctx context.Context, asker Asker, scope controlplane.Scope, app, outcome string, send func(*Event) error) error {
	if err := asker.Caller.Enter(scope.UID); err != nil {
		return err
	}
	t := &eventTail{
		seen: map[store.EventPlace]time.Time{}, newest: time.Now().Add(-overlap),
		query: store.AccessEventQuery{App: app, Outcome: outcome, Limit: page},
	}
	return s.tail(ctx, asker, func() error {
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
	seen   map[store.EventPlace]time.Time
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
		q.Before = found[len(found)-1].Place()
	}
}

// fresh leaves of what was read, at the front and in the order of arrival, what was not seen before.
func (t *eventTail) fresh(found []Event) []Event {
	slices.SortStableFunc(found, func(a, b Event) int {
		return cmp.Or(a.ReceiveTime.Compare(b.ReceiveTime), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Seq, b.Seq))
	})
	n := 0
	for _, e := range found {
		if _, was := t.seen[e.Place()]; was {
			continue
		}
		t.seen[e.Place()] = e.ReceiveTime
		found[n] = e
		n++
		if e.ReceiveTime.After(t.newest) {
			t.newest = e.ReceiveTime
		}
	}
	for place, at := range t.seen {
		if at.Before(t.newest.Add(-2 * overlap)) {
			delete(t.seen, place)
		}
	}
	if !t.begun {
		t.begun = true
		return nil
	}
	return found[:n]
}
