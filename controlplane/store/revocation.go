package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Revocation ends what of a subject was made under an earlier urgent revision.
type Revocation struct {
	UID        controlplane.UID
	Subject    string
	Reason     string
	Urgent     int64
	CreateTime time.Time
	ExpireTime time.Time // nothing that it applies to lives longer
}

const revocationColumns = `uid, subject, reason, urgent, created_at, expires_at`

func scanRevocation(row pgx.CollectableRow) (Revocation, error) {
	var r Revocation
	err := row.Scan(&r.UID, &r.Subject, &r.Reason, &r.Urgent, &r.CreateTime, &r.ExpireTime)
	r.CreateTime, r.ExpireTime = r.CreateTime.UTC(), r.ExpireTime.UTC()
	return r, err
}

// AddRevocation makes a revocation at the transaction's urgent revision, and fills UID (if empty), Urgent and CreateTime.
func (tx *TenantTx) AddRevocation(r *Revocation) error {
	if err := tx.write(controlplane.Urgent); err != nil {
		return err
	}
	if r.UID == "" {
		uid, err := NewUID()
		if err != nil {
			return err
		}
		r.UID = uid
	}
	r.Urgent = tx.Next(controlplane.Urgent).Number
	err := tx.pg.QueryRow(tx.ctx, `
		INSERT INTO revocation (tenant_uid, uid, subject, reason, urgent, expires_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING created_at`,
		tx.head.TenantUID, r.UID, r.Subject, r.Reason, r.Urgent, r.ExpireTime).Scan(&r.CreateTime)
	r.CreateTime = r.CreateTime.UTC()
	return wrap("add revocation", err)
}

// Revocation returns one; what is not there is NotFound.
func (tx *TenantTx) Revocation(uid controlplane.UID) (*Revocation, error) {
	if uuid.Validate(string(uid)) != nil {
		return nil, notFound()
	}
	r, err := tx.oneRevocation(`uid = $2`, uid)
	if err == nil && r == nil {
		return nil, notFound()
	}
	return r, err
}

// RevocationOf returns the newest revocation of a subject, if there is one.
func (tx *TenantTx) RevocationOf(subject string) (*Revocation, bool, error) {
	r, err := tx.oneRevocation(`subject = $2 ORDER BY urgent DESC LIMIT 1`, subject)
	return r, r != nil, err
}

func (tx *TenantTx) oneRevocation(where string, arg any) (*Revocation, error) {
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+revocationColumns+` FROM revocation WHERE tenant_uid = $1 AND `+where, tx.head.TenantUID, arg)
	if err != nil {
		return nil, fmt.Errorf("read revocation: %w", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRevocation)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read revocation: %w", err)
	}
	return &r, nil
}

// Revocations lists a page, newest first, after (so older than) a uid; "" for the first page.
func (tx *TenantTx) Revocations(afterUID controlplane.UID, limit int) ([]Revocation, error) {
	if afterUID != "" && uuid.Validate(string(afterUID)) != nil {
		return nil, notFound()
	}
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+revocationColumns+` FROM revocation
		WHERE tenant_uid = $1 AND ($2 = '' OR uid < nullif($2, '')::uuid) ORDER BY uid DESC LIMIT $3`, tx.head.TenantUID, string(afterUID), limit)
	if err != nil {
		return nil, fmt.Errorf("list revocations: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanRevocation)
	return found, wrap("list revocations", err)
}

// PruneRevocations deletes the expired ones, and leaves removal records: edges hold them, so that they go is a change
// of the urgent lane, to be recorded if there were any.
func (tx *TenantTx) PruneRevocations() (int, error) {
	rows, err := tx.pg.Query(tx.ctx, `DELETE FROM revocation WHERE tenant_uid = $1 AND expires_at < now() RETURNING uid`, tx.head.TenantUID)
	if err != nil {
		return 0, fmt.Errorf("prune revocations: %w", err)
	}
	uids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(uids) == 0 {
		return 0, wrap("prune revocations", err)
	}
	if err := tx.write(controlplane.Urgent); err != nil {
		return 0, err
	}
	batch := &pgx.Batch{}
	for _, uid := range uids {
		tx.queueRemoved(batch, controlplane.Urgent, "Revocation", uid, controlplane.PlatformUID)
	}
	return len(uids), wrap("prune revocations", tx.pg.SendBatch(tx.ctx, batch).Close())
}
