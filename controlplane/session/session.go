// Package session lists people's sessions as edges reported them. It is for people to look at: no decision reads it, and a
// session that is missing here is not over. Ending one is package revocation's.
package session

import (
	"context"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Config is what [New] needs.
type Config struct {
	DB *store.DB
}

// Service lists sessions.
type Service struct {
	db *store.DB
}

// New makes a Service.
func New(config Config) *Service { return &Service{db: config.DB} }

// Session is one login of one person.
type Session = store.Session

// Get returns one.
func (s *Service) Get(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, sid string) (*Session, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	var found *Session
	err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		var err error
		found, err = tx.Session(sid)
		return err
	})
	return found, err
}

// Query selects sessions. AfterTime and AfterSID are of the last one of the page before.
type Query struct {
	Principal string // subject or e-mail
	ShowEnded bool
	AfterTime time.Time
	AfterSID  string
	Limit     int
}

// List returns sessions, newest first.
func (s *Service) List(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, q Query) ([]Session, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	var found []Session
	err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		var err error
		found, err = tx.Sessions(store.SessionQuery(q))
		return err
	})
	return found, err
}
