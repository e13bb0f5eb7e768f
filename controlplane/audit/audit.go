// Package audit reads what happened: access events as edges reported them, and the admin changes that the store recorded
// with each write. It changes nothing, and it must never leave out or reorder what a reader asked for: a tail begins where
// it says it does and skips nothing from there on.
package audit

import (
	"context"
	"sync"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Config is what [New] needs.
type Config struct {
	DB *store.DB
}

// Service reads the audit.
type Service struct {
	db *store.DB

	mu    sync.Mutex
	total int                      // of the tails that run
	tails map[controlplane.UID]int // the same by the tenant of who asked
}

// New makes a Service.
func New(config Config) *Service {
	return &Service{db: config.DB, tails: map[controlplane.UID]int{}}
}

// Event is one access event; Event.Event is its API form, in JSON.
type Event = store.AccessEvent

// Change is one numbered change of a tenant.
type Change = store.RecordedChange

// EventQuery selects access events; empty fields select all.
type EventQuery struct {
	ID        string
	App       string
	Principal string // subject or e-mail
	Outcome   string
	After     store.EventPlace // of the last one of the page before
	Limit     int
}

// Events lists access events, newest first.
func (s *Service) Events(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, q EventQuery) ([]Event, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	var found []Event
	err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		var err error
		found, err = tx.AccessEvents(store.AccessEventQuery{ID: q.ID, App: q.App, Principal: q.Principal, Outcome: q.Outcome, Before: q.After, Limit: q.Limit})
		return err
	})
	return found, err
}

// Changes lists up to limit changes of both lanes, newest first, older than before; the zero Revision begins at the newest.
func (s *Service) Changes(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, before controlplane.Revision, limit int) ([]Change, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	var found []Change
	err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		var err error
		found, err = tx.Changes(store.ChangeQuery{Before: before, Limit: limit})
		return err
	})
	return found, err
}
