package store

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

func keyPlace(k *keyring.PoolKey) keyring.Place {
	return keyring.Place{Table: "tenant_key", Column: "sealed", Row: string(k.Pool) + "\n" + string(k.Purpose) + "\n" + k.ID}
}

const keyColumns = `pool_uid, purpose, key_id, state, public, sealed, created_at, not_before, retire_at, revision`

// collectKeys opens what it reads with the tenant's data key.
func collectKeys(rows pgx.Rows, dek *keyring.Tenant) ([]keyring.PoolKey, error) {
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (keyring.PoolKey, error) {
		var k keyring.PoolKey
		var sealed []byte
		var retire *time.Time
		err := row.Scan(&k.Pool, &k.Purpose, &k.ID, &k.State, &k.Public, &sealed, &k.CreateTime, &k.NotBefore, &retire, &k.Revision)
		k.CreateTime, k.NotBefore, k.RetireTime = k.CreateTime.UTC(), k.NotBefore.UTC(), orZero(retire)
		if err == nil && sealed != nil {
			k.Secret, err = dek.Open(keyPlace(&k), sealed)
		}
		return k, err
	})
	return keys, wrap("read keys", err)
}

// Keys returns the tenant's keys at a pool, or at all pools if pool is empty, opened. Dropped ones are among them, as
// bare names.
func (tx *TenantTx) Keys(pool controlplane.UID) ([]keyring.PoolKey, error) {
	dek, err := tx.key()
	if err != nil {
		return nil, err
	}
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+keyColumns+` FROM tenant_key
		WHERE tenant_uid = $1 AND ($2 = '' OR pool_uid = nullif($2, '')::uuid) ORDER BY pool_uid, purpose, key_id`, tx.head.TenantUID, string(pool))
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return collectKeys(rows, dek)
}

// UpdateKeys drops keys, then writes others, as [keyring.Rotate] and [keyring.Replace] say; both empty is nothing.
//
// Edges get the keys of Ticket, Redis and Login as one keyset a purpose: it is new if one of its keys is, so all of them get the
// transaction's revision. Assertion keys are resources of their own. Data keys are sent apart from the lanes.
func (tx *TenantTx) UpdateKeys(put, drop []keyring.PoolKey) error {
	if len(put)+len(drop) == 0 {
		return nil
	}
	if err := tx.write(controlplane.Urgent); err != nil {
		return err
	}
	dek, err := tx.key()
	if err != nil {
		return err
	}
	revision := tx.Next(controlplane.Urgent).Number
	batch := &pgx.Batch{}
	type keyset struct {
		pool    controlplane.UID
		purpose keyring.Purpose
	}
	touched := map[keyset]bool{}
	for _, k := range drop {
		touched[keyset{k.Pool, k.Purpose}] = true
		where := pgx.NamedArgs{"tenant": tx.head.TenantUID, "pool": k.Pool, "purpose": k.Purpose, "id": k.ID, "revision": revision}
		if k.Purpose == keyring.Assertion {
			batch.Queue(`UPDATE tenant_key SET state = 'dropped', public = NULL, sealed = NULL, revision = @revision
				WHERE tenant_uid = @tenant AND pool_uid = @pool AND purpose = @purpose AND key_id = @id`, where).Exec(wantOneRow("drop key"))
			tx.queueRemoved(batch, controlplane.Urgent, "AssertionKey", k.ID, k.Pool)
			continue
		}
		batch.Queue(`DELETE FROM tenant_key WHERE tenant_uid = @tenant AND pool_uid = @pool AND purpose = @purpose AND key_id = @id`, where).
			Exec(wantOneRow("drop key"))
	}
	for i := range put {
		k := &put[i]
		k.Revision = revision
		touched[keyset{k.Pool, k.Purpose}] = true
		var sealed []byte
		if k.Secret != nil {
			if sealed, err = dek.Seal(keyPlace(k), k.Secret); err != nil {
				return fmt.Errorf("seal %s: %w", k, err)
			}
		}
		batch.Queue(`
			INSERT INTO tenant_key (tenant_uid, pool_uid, purpose, key_id, state, public, sealed, created_at, not_before, retire_at, revision)
			VALUES (@tenant, @pool, @purpose, @id, @state, @public, @sealed, @created, @not_before, @retire, @revision)
			ON CONFLICT (tenant_uid, pool_uid, purpose, key_id) DO UPDATE SET state = @state, public = @public, sealed = @sealed,
				not_before = @not_before, retire_at = @retire, revision = @revision`, pgx.NamedArgs{
			"tenant": tx.head.TenantUID, "pool": k.Pool, "purpose": k.Purpose, "id": k.ID, "state": k.State, "public": k.Public, "sealed": sealed,
			"created": k.CreateTime, "not_before": k.NotBefore, "retire": timeOrNull(k.RetireTime), "revision": revision,
		})
	}
	for set := range touched {
		if set.purpose == keyring.Assertion || set.purpose == keyring.Data {
			continue
		}
		batch.Queue(`UPDATE tenant_key SET revision = $4 WHERE tenant_uid = $1 AND pool_uid = $2 AND purpose = $3`,
			tx.head.TenantUID, set.pool, set.purpose, revision)
		// The last key of a keyset is gone: so is the keyset.
		batch.Queue(`
			INSERT INTO removed (tenant_uid, lane, kind, id, pool_uid, revision)
			SELECT $1, 'urgent', 'Keyset', $3, $2, $4
			WHERE NOT EXISTS (SELECT FROM tenant_key WHERE tenant_uid = $1 AND pool_uid = $2 AND purpose = $3)
			ON CONFLICT (tenant_uid, lane, kind, id, pool_uid) DO UPDATE SET revision = excluded.revision, removed_at = now()`,
			tx.head.TenantUID, set.pool, set.purpose, revision)
		batch.Queue(`
			DELETE FROM removed WHERE tenant_uid = $1 AND lane = 'urgent' AND kind = 'Keyset' AND id = $3 AND pool_uid = $2
				AND EXISTS (SELECT FROM tenant_key WHERE tenant_uid = $1 AND pool_uid = $2 AND purpose = $3)`,
			tx.head.TenantUID, set.pool, set.purpose)
	}
	return wrap("update keys", tx.pg.SendBatch(tx.ctx, batch).Close())
}
