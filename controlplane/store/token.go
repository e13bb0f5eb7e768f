package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// ServiceToken is a credential of a service account. The zero RevokeTime is not revoked.
type ServiceToken struct {
	ID                string
	ServiceAccountUID controlplane.UID
	Hash              []byte // SHA-256 of the secret
	CreateTime        time.Time
	ExpireTime        time.Time
	RevokeTime        time.Time
	// Urgent is the tenant's urgent revision when it was made: revocations of later ones end it.
	Urgent int64
}

const serviceTokenColumns = `token_id, resource_uid, hash, created_at, expires_at, revoked_at, urgent`

func scanServiceToken(row pgx.CollectableRow) (ServiceToken, error) {
	var t ServiceToken
	var revoked *time.Time
	err := row.Scan(&t.ID, &t.ServiceAccountUID, &t.Hash, &t.CreateTime, &t.ExpireTime, &revoked, &t.Urgent)
	t.CreateTime, t.ExpireTime, t.RevokeTime = t.CreateTime.UTC(), t.ExpireTime.UTC(), orZero(revoked)
	return t, err
}

// AddServiceToken stores a token of a service account that is there, as made at the urgent revision that the transaction
// sees: a revocation that commits meanwhile ends it as well. It touches the account: edges are sent its tokens.
func (tx *TenantTx) AddServiceToken(t ServiceToken) error {
	if err := tx.touchAccount(t.ServiceAccountUID); err != nil {
		return err
	}
	_, err := tx.pg.Exec(tx.ctx, `
		INSERT INTO service_token (tenant_uid, resource_uid, token_id, hash, expires_at, urgent) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.head.TenantUID, t.ServiceAccountUID, t.ID, t.Hash, t.ExpireTime, tx.head.Urgent)
	return wrap("add service token", err)
}

// ServiceTokens lists an account's tokens, newest first, revoked and expired ones too.
func (tx *TenantTx) ServiceTokens(account controlplane.UID) ([]ServiceToken, error) {
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+serviceTokenColumns+` FROM service_token
		WHERE tenant_uid = $1 AND resource_uid = $2 ORDER BY created_at DESC, token_id`, tx.head.TenantUID, account)
	if err != nil {
		return nil, fmt.Errorf("list service tokens: %w", err)
	}
	tokens, err := pgx.CollectRows(rows, scanServiceToken)
	return tokens, wrap("list service tokens", err)
}

// RevokeServiceToken ends a token of an account. One that is revoked already is returned as it is, and nothing changes.
func (tx *TenantTx) RevokeServiceToken(account controlplane.UID, id string) (ServiceToken, error) {
	tokens, err := tx.ServiceTokens(account)
	if err != nil {
		return ServiceToken{}, err
	}
	for _, t := range tokens {
		if t.ID != id {
			continue
		}
		if !t.RevokeTime.IsZero() {
			return t, nil
		}
		if err := tx.touchAccount(account); err != nil {
			return ServiceToken{}, err
		}
		err := tx.pg.QueryRow(tx.ctx, `
			UPDATE service_token SET revoked_at = now() WHERE tenant_uid = $1 AND resource_uid = $2 AND token_id = $3 RETURNING revoked_at`,
			tx.head.TenantUID, account, id).Scan(&t.RevokeTime)
		t.RevokeTime = t.RevokeTime.UTC()
		return t, wrap("revoke service token", err)
	}
	return ServiceToken{}, notFound()
}

func (tx *TenantTx) touchAccount(uid controlplane.UID) error {
	account, err := tx.ResourceByUID(uid)
	if err != nil {
		return err
	}
	if account.Kind != controlplane.KindServiceAccount {
		return notFound()
	}
	return tx.Touch(account.Kind, account.ID)
}

// PutAPIToken stores the hash of an API token beside its resource, which was put before.
func (tx *TenantTx) PutAPIToken(uid controlplane.UID, tokenID string, hash []byte, expires time.Time) error {
	_, err := tx.pg.Exec(tx.ctx, `
		INSERT INTO api_token (tenant_uid, resource_uid, token_id, hash, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		tx.head.TenantUID, uid, tokenID, hash, expires)
	return wrap("put API token", err)
}

// JoinToken lets one edge enrol, once.
type JoinToken struct {
	ID         string
	Hash       []byte // SHA-256 of the secret
	Pool       string // ids
	Edge       string
	ExpireTime time.Time
}

// AddJoinToken stores a join token; the transaction is the platform's.
func (tx *TenantTx) AddJoinToken(t JoinToken) error {
	if err := tx.platformOnly(); err != nil {
		return err
	}
	_, err := tx.pg.Exec(tx.ctx, `
		INSERT INTO join_token (tenant_uid, token_id, hash, pool, edge, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.head.TenantUID, t.ID, t.Hash, t.Pool, t.Edge, t.ExpireTime)
	return wrap("add join token", err)
}

// ConsumeJoinToken uses a join token up, together with whatever else the transaction does. Unknown, wrong, used and
// expired are one and the same Unauthenticated.
func (tx *TenantTx) ConsumeJoinToken(id string, hash []byte) (JoinToken, error) {
	if err := tx.platformOnly(); err != nil {
		return JoinToken{}, err
	}
	t := JoinToken{ID: id}
	err := tx.pg.QueryRow(tx.ctx, `
		SELECT hash, pool, edge, expires_at FROM join_token
		WHERE tenant_uid = $1 AND token_id = $2 AND used_at IS NULL AND expires_at > now()`, tx.head.TenantUID, id).
		Scan(&t.Hash, &t.Pool, &t.Edge, &t.ExpireTime)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return JoinToken{}, fmt.Errorf("look up join token: %w", err)
	}
	if err != nil || !equal(t.Hash, hash) {
		return JoinToken{}, &controlplane.Error{Kind: controlplane.Unauthenticated, Reason: controlplane.ReasonTokenInvalid, Message: "the join token is not valid"}
	}
	// Another transaction that uses it at the same time fails here and, run again, finds it used.
	tag, err := tx.pg.Exec(tx.ctx, `UPDATE join_token SET used_at = now() WHERE tenant_uid = $1 AND token_id = $2`, tx.head.TenantUID, id)
	if err == nil {
		err = wantOneRow("use join token")(tag)
	}
	return t, wrap("use join token", err)
}

func (tx *TenantTx) platformOnly() error {
	if tx.head.TenantUID != controlplane.PlatformUID {
		return errors.New("store: edges belong to the platform, not to a tenant")
	}
	return nil
}
