// Package serviceaccount makes and lists the tokens of programs. Edges know a token by its id and the hash of its secret,
// which they get with the account's resource; the secret is in the answer to the creation and nowhere else. How a token
// ends is package revocation's.
package serviceaccount

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/token"
)

const (
	defaultLifetime = 90 * 24 * time.Hour
	// maxTokens that work at a time, of one account: they are all in the account's snapshot resource.
	maxTokens = 100
)

// Config is what [New] needs.
type Config struct {
	DB  *store.DB
	Now func() time.Time // time.Now, but in tests
}

// Service makes and lists tokens.
type Service struct {
	db  *store.DB
	now func() time.Time
}

// New makes a Service.
func New(config Config) *Service { return &Service{db: config.DB, now: config.Now} }

// Token is one, without its secret. The zero RevokeTime is not revoked.
type Token struct {
	ID                                 string
	CreateTime, ExpireTime, RevokeTime time.Time
}

func tokenOf(t store.ServiceToken) Token {
	return Token{ID: t.ID, CreateTime: t.CreateTime, ExpireTime: t.ExpireTime, RevokeTime: t.RevokeTime}
}

// Request asks for a token. A zero Lifetime is 90 days. A second request of the same id is refused, naming the token:
// its secret cannot be shown again.
type Request struct {
	Account   string
	Lifetime  time.Duration
	RequestID string
	Digest    []byte
}

// CreateToken makes a token. Edges take it from the returned revision on.
func (s *Service) CreateToken(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, q Request) (made Token, text string, revision controlplane.Revision, err error) {
	if err := caller.Enter(scope.UID); err != nil {
		return made, "", revision, err
	}
	if q.Lifetime == 0 {
		q.Lifetime = defaultLifetime
	}
	minted := token.Mint(token.Service)
	hash := minted.Hash()
	now := s.now().UTC().Truncate(time.Microsecond) // what Postgres keeps
	err = s.db.Tenant(ctx, scope.UID, func(tx *store.TenantTx) error {
		if err := refuseRepeated(tx, caller, q); err != nil {
			return err
		}
		account, err := tx.Resource(controlplane.KindServiceAccount, q.Account)
		if err != nil {
			return err
		}
		if err := s.room(tx, account.UID); err != nil {
			return err
		}
		row := store.ServiceToken{ID: minted.ID, ServiceAccountUID: account.UID, Hash: hash[:], CreateTime: now, ExpireTime: now.Add(q.Lifetime)}
		if err := tx.AddServiceToken(row); err != nil {
			return err
		}
		made = tokenOf(row)
		if err := record(tx, caller, scope.TokenName(q.Account, made.ID), &made); err != nil {
			return err
		}
		revision = tx.Committed(controlplane.Config)
		if q.RequestID == "" {
			return nil
		}
		return tx.RememberRequest(caller, q.RequestID, q.Digest, []byte(made.ID))
	})
	return made, minted.Text(), revision, err
}

func refuseRepeated(tx *store.TenantTx, caller *controlplane.Caller, q Request) error {
	if q.RequestID == "" {
		return nil
	}
	id, seen, err := tx.SeenRequest(caller, q.RequestID, q.Digest)
	if err != nil || !seen {
		return err
	}
	return &controlplane.Error{
		Kind: controlplane.Exists, Reason: controlplane.ReasonIDTaken,
		Message:  fmt.Sprintf("this request has made the token %s; its secret was in that answer only: revoke it and make another", id),
		Metadata: map[string]string{"token": string(id)},
	}
}

func (s *Service) room(tx *store.TenantTx, account controlplane.UID) error {
	tokens, err := tx.ServiceTokens(account)
	if err != nil {
		return err
	}
	working := 0
	for _, t := range tokens {
		if t.RevokeTime.IsZero() && t.ExpireTime.After(s.now()) {
			working++
		}
	}
	if working < maxTokens {
		return nil
	}
	return &controlplane.Error{
		Kind: controlplane.Exhausted, Reason: controlplane.ReasonQuota,
		Message:  fmt.Sprintf("a service account has at most %d tokens that work: revoke one first", maxTokens),
		Metadata: map[string]string{"quota": "service-account-tokens", "limit": fmt.Sprint(maxTokens)},
	}
}

// ListTokens returns an account's tokens, newest first.
func (s *Service) ListTokens(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, account string) ([]Token, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	var tokens []Token
	err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		found, err := tx.Resource(controlplane.KindServiceAccount, account)
		if err != nil {
			return err
		}
		rows, err := tx.ServiceTokens(found.UID)
		tokens = nil
		for _, row := range rows {
			tokens = append(tokens, tokenOf(row))
		}
		return err
	})
	return tokens, err
}

// record says in the tenant's history that a token was made.
func record(tx *store.TenantTx, caller *controlplane.Caller, name string, t *Token) error {
	after, err := json.Marshal(map[string]any{"name": name, "create_time": t.CreateTime, "expire_time": t.ExpireTime})
	if err != nil {
		return err
	}
	return tx.Record(store.Change{
		Lane: controlplane.Config, Caller: caller,
		Items: []store.ChangeItem{{Name: name, Action: store.Created, After: after}},
	})
}
