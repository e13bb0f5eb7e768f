// Package revocation ends what is signed in or handed out: sessions, tokens, and everything of a person, a provider, an
// app, a service account or a tenant. It writes the urgent lane, which overtakes configuration and refers to nothing in
// it; there is no undo, and nothing here may ever wait for the lists that edges' reports feed.
package revocation

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// What a revocation is kept for: longer than anything that it could apply to lives.
const (
	forSessions = 31 * 24 * time.Hour  // a session lives 30 days at most
	forTokens   = 367 * 24 * time.Hour // a token 366
)

// Config is what [New] needs.
type Config struct {
	DB  *store.DB
	Now func() time.Time // time.Now, but in tests
}

// Service makes and lists revocations.
type Service struct {
	db  *store.DB
	now func() time.Time
}

// New makes a Service.
func New(config Config) *Service { return &Service{db: config.DB, now: config.Now} }

// Revocation is one, with its subject as callers write it.
type Revocation struct {
	ID         string
	Subject    string
	Reason     string
	CreateTime time.Time
	ExpireTime time.Time
	Revision   controlplane.Revision
}

// Name is a revocation's resource name.
func Name(scope controlplane.Scope, id string) string { return scope.Parent() + "/revocations/" + id }

// Request asks for a revocation. Remember turns it into the answer that a retry of the same request id gets.
type Request struct {
	Subject      string
	Reason       string
	ValidateOnly bool
	RequestID    string
	Digest       []byte
	Remember     func(*Revocation) ([]byte, error)
}

// Create makes a revocation. For a retry it returns the remembered answer instead.
func (s *Service) Create(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, q Request) (made *Revocation, replayed []byte, err error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, nil, err
	}
	err = s.db.Tenant(ctx, scope.UID, func(tx *store.TenantTx) error {
		made, replayed = nil, nil
		if q.RequestID != "" {
			answer, seen, err := tx.SeenRequest(caller, q.RequestID, q.Digest)
			if err != nil || seen {
				replayed = answer
				return err
			}
		}
		if q.ValidateOnly {
			tx.DryRun()
		}
		var err error
		if made, err = s.create(tx, caller, scope, q); err != nil || q.RequestID == "" || q.ValidateOnly {
			return err
		}
		answer, err := q.Remember(made)
		if err != nil {
			return err
		}
		return tx.RememberRequest(caller, q.RequestID, q.Digest, answer)
	})
	return made, replayed, err
}

func (s *Service) create(tx *store.TenantTx, caller *controlplane.Caller, scope controlplane.Scope, q Request) (*Revocation, error) {
	stored, err := resolve(tx, q.Subject)
	if err != nil {
		return nil, err
	}
	for _, account := range stored.accounts {
		if err := s.endTokens(tx, caller, scope, account, stored.token); err != nil {
			return nil, err
		}
	}
	if stored.token != "" {
		return theToken(tx, stored.subject) // it was made, and recorded, when the token ended
	}
	row := &store.Revocation{Subject: stored.subject, Reason: q.Reason, ExpireTime: s.now().UTC().Add(stored.keep)}
	if err := tx.AddRevocation(row); err != nil {
		return nil, err
	}
	made := &Revocation{
		ID: string(row.UID), Subject: q.Subject, Reason: q.Reason, CreateTime: row.CreateTime, ExpireTime: row.ExpireTime,
		Revision: controlplane.Revision{Lane: controlplane.Urgent, Number: row.Urgent},
	}
	if q.ValidateOnly {
		made.Revision = controlplane.Revision{} // there will be none to wait for
	}
	return made, record(tx, caller, scope, made)
}

func theToken(tx *store.TenantTx, subject string) (*Revocation, error) {
	row, found, err := tx.RevocationOf(subject)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, invalid(controlplane.ReasonReferenceNotFound, "the token has ended long ago", "")
	}
	return told(tx, row)
}

func record(tx *store.TenantTx, caller *controlplane.Caller, scope controlplane.Scope, made *Revocation) error {
	name := Name(scope, made.ID)
	after, err := json.Marshal(map[string]any{"name": name, "subject": made.Subject, "reason": made.Reason, "expire_time": made.ExpireTime})
	if err != nil {
		return err
	}
	return tx.Record(store.Change{
		Lane: controlplane.Urgent, Caller: caller,
		Items: []store.ChangeItem{{Name: name, Action: store.Created, After: after}},
	})
}

// Get returns one.
func (s *Service) Get(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, id string) (*Revocation, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	var found *Revocation
	err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		row, err := tx.Revocation(controlplane.UID(id))
		if err != nil {
			return err
		}
		found, err = told(tx, row)
		return err
	})
	return found, err
}

// List returns up to limit, newest first, from behind (older than) after on.
func (s *Service) List(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, after string, limit int) ([]*Revocation, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	var found []*Revocation
	err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		rows, err := tx.Revocations(controlplane.UID(after), limit)
		found = nil
		for _, row := range rows {
			r, err := told(tx, &row)
			if err != nil {
				return err
			}
			found = append(found, r)
		}
		return err
	})
	return found, err
}

// told is a revocation as its caller wrote it, as far as what it names is still there.
func told(tx *store.TenantTx, row *store.Revocation) (*Revocation, error) {
	subject, err := spoken(tx, row.Subject)
	return &Revocation{
		ID: string(row.UID), Subject: subject, Reason: row.Reason, CreateTime: row.CreateTime, ExpireTime: row.ExpireTime,
		Revision: controlplane.Revision{Lane: controlplane.Urgent, Number: row.Urgent},
	}, err
}
