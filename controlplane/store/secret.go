package store

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

func secretPlace(resource controlplane.UID, field string) keyring.Place {
	return keyring.Place{Table: "resource_secret", Column: field, Row: string(resource)}
}

// PutSecret seals a write-only field of a resource that is there already; nil removes it. Writing what it holds is no
// change; otherwise the resource's etag and revision are new.
func (tx *TenantTx) PutSecret(r *controlplane.Resource, field string, plaintext []byte) (changed bool, err error) {
	current, exists, err := tx.Secret(r, field)
	if err != nil {
		return false, err
	}
	if exists == (plaintext != nil) && equal(current, plaintext) {
		return false, nil
	}
	if err := tx.write(controlplane.Config); err != nil {
		return false, err
	}
	before, found, err := tx.identify(r.Kind, r.ID)
	if err != nil {
		return false, err
	}
	if !found {
		return false, notFound()
	}
	etag, err := Etag(r, before.secretVersion+1)
	if err != nil {
		return false, err
	}
	batch := &pgx.Batch{}
	if plaintext == nil {
		batch.Queue(`DELETE FROM resource_secret WHERE tenant_uid = $1 AND resource_uid = $2 AND field = $3`, tx.head.TenantUID, before.uid, field)
	} else {
		dek, err := tx.key()
		if err != nil {
			return false, err
		}
		sealed, err := dek.Seal(secretPlace(before.uid, field), plaintext)
		if err != nil {
			return false, fmt.Errorf("seal %s of %s %q: %w", field, r.Kind, r.ID, err)
		}
		batch.Queue(`
			INSERT INTO resource_secret (tenant_uid, resource_uid, field, sealed) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant_uid, resource_uid, field) DO UPDATE SET sealed = excluded.sealed`, tx.head.TenantUID, before.uid, field, sealed)
	}
	batch.Queue(`UPDATE resource SET secret_version = $3, etag = $4, revision = $5, updated_at = now() WHERE tenant_uid = $1 AND uid = $2`,
		tx.head.TenantUID, before.uid, before.secretVersion+1, etag, tx.Next(controlplane.Config).Number).Exec(wantOneRow("update"))
	if err := tx.pg.SendBatch(tx.ctx, batch).Close(); err != nil {
		return false, fmt.Errorf("put %s of %s %q: %w", field, r.Kind, r.ID, err)
	}
	r.Etag, r.Revision = etag, tx.Next(controlplane.Config).Number
	tx.known[resourceKey{r.Kind, r.ID}] = identity{before.uid, before.secretVersion + 1}
	return true, nil
}

// Secret opens a write-only field.
func (tx *TenantTx) Secret(r *controlplane.Resource, field string) (plaintext []byte, exists bool, err error) {
	var sealed []byte
	err = tx.pg.QueryRow(tx.ctx, `SELECT sealed FROM resource_secret WHERE tenant_uid = $1 AND resource_uid = $2 AND field = $3`,
		tx.head.TenantUID, r.UID, field).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %s of %s %q: %w", field, r.Kind, r.ID, err)
	}
	dek, err := tx.key()
	if err != nil {
		return nil, false, err
	}
	plaintext, err = dek.Open(secretPlace(r.UID, field), sealed)
	return nonNil(plaintext), err == nil, err
}

// HasSecret says whether a write-only field is set.
func (tx *TenantTx) HasSecret(r *controlplane.Resource, field string) (bool, error) {
	var has bool
	err := tx.pg.QueryRow(tx.ctx, `SELECT EXISTS (SELECT FROM resource_secret WHERE tenant_uid = $1 AND resource_uid = $2 AND field = $3)`,
		tx.head.TenantUID, r.UID, field).Scan(&has)
	return has, wrap("look up secret", err)
}

// TouchSecrets touches every resource that has a secret: a new data key of a pool seals other bytes.
func (tx *TenantTx) TouchSecrets() (int, error) {
	tag, err := tx.pg.Exec(tx.ctx, `
		UPDATE resource r SET revision = $2 WHERE tenant_uid = $1
			AND EXISTS (SELECT FROM resource_secret s WHERE s.tenant_uid = r.tenant_uid AND s.resource_uid = r.uid)`,
		tx.head.TenantUID, tx.Next(controlplane.Config).Number)
	if err != nil {
		return 0, fmt.Errorf("touch secrets: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return 0, nil
	}
	return int(tag.RowsAffected()), tx.write(controlplane.Config)
}
