package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

// removalsKept is how far back a difference can be told. It is less than the pruning of table removed allows for, so
// that none has gone which a difference still needs.
const removalsKept = 6 * 24 * time.Hour

// snapshotKinds are those that edges are sent. Administrators and their tokens are none of an edge's business.
var snapshotKinds = []controlplane.Kind{
	controlplane.KindTenant, controlplane.KindIdentityProvider, controlplane.KindApp, controlplane.KindRole, controlplane.KindGroup,
	controlplane.KindPolicy, controlplane.KindGrant, controlplane.KindServiceAccount, controlplane.KindEdgePool,
}

// SnapshotRows is a tenant at one instant, or what of it differs from an earlier one. Whoever builds bytes from it must
// not look at a clock: at one revision they have to come out the same everywhere and always.
type SnapshotRows struct {
	Head          Head
	ReplaceConfig bool // all of the config lane is here, rather than what changed since
	ReplaceUrgent bool
	Resources     []SnapshotResource
	Tokens        []ServiceToken // not revoked ones of the accounts among Resources, ordered by id
	Revocations   []Revocation
	Keys          []keyring.PoolKey // of every pool; of a keyset all keys or none; no dropped ones
	Removed       []Removed         // empty for a lane that is replaced
	Tenants       map[string]controlplane.UID
}

// SnapshotResource is a resource and its write-only fields, opened.
type SnapshotResource struct {
	*controlplane.Resource
	Secrets map[string][]byte
}

// Removed is something that is gone.
type Removed struct {
	Lane     controlplane.Lane
	Kind     string // of Resource, or `Revocation`, `Keyset`, `AssertionKey`
	ID       string
	PoolUID  controlplane.UID // the platform's uid: not of one pool
	Revision int64
}

// Snapshot reads what changed in a tenant after two revisions; 0 is everything. A revision that is not in this history,
// or older than removals are kept, gets everything of its lane as well. A tenant that is gone is NotFound.
func (s *System) Snapshot(ctx context.Context, tenant controlplane.UID, sinceConfig, sinceUrgent int64) (*SnapshotRows, error) {
	rows := &SnapshotRows{}
	bound, cancel := s.feed.bound(ctx)
	defer cancel()
	err := s.snapshot(bound, tenant, sinceConfig, sinceUrgent, rows)
	if err != nil {
		return nil, translate(ctx, err)
	}
	return rows, nil
}

func (s *System) snapshot(ctx context.Context, tenant controlplane.UID, sinceConfig, sinceUrgent int64, out *SnapshotRows) error {
	pg, err := begin(ctx, s.feed.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer rollback(ctx, pg)

	var wrapped []byte
	err = scanHead(pg.QueryRow(ctx, `
		SELECT `+headColumns+`, t.dek,
			@config = 0 OR @config > c.revision OR (@config < c.revision AND NOT EXISTS (
				SELECT FROM change WHERE tenant_uid = t.tenant_uid AND lane = 'config' AND revision = @config + 1 AND committed_at > now() - @kept::interval)),
			@urgent = 0 OR @urgent > u.revision OR (@urgent < u.revision AND NOT EXISTS (
				SELECT FROM change WHERE tenant_uid = t.tenant_uid AND lane = 'urgent' AND revision = @urgent + 1 AND committed_at > now() - @kept::interval))
		FROM `+headTables+` WHERE t.tenant_uid = @tenant AND t.deleted_at IS NULL`, pgx.NamedArgs{
		"tenant": tenant, "config": sinceConfig, "urgent": sinceUrgent, "kept": removalsKept,
	}), &out.Head, &wrapped, &out.ReplaceConfig, &out.ReplaceUrgent)
	if errors.Is(err, pgx.ErrNoRows) {
		return notFound()
	}
	if err != nil {
		return fmt.Errorf("read head of tenant %s: %w", tenant, err)
	}
	dek, err := s.db.keys.Tenant(tenant, wrapped)
	if err != nil {
		return err
	}
	if out.ReplaceConfig {
		sinceConfig = 0
	}
	if out.ReplaceUrgent {
		sinceUrgent = 0
	}
	batch := &pgx.Batch{}
	out.queueConfig(batch, dek, sinceConfig)
	out.queueUrgent(batch, dek, sinceUrgent)
	out.queueRemoved(batch, sinceConfig, sinceUrgent)
	return wrap(fmt.Sprintf("read snapshot of tenant %s", tenant), pg.SendBatch(ctx, batch).Close())
}

func (out *SnapshotRows) queueConfig(batch *pgx.Batch, dek *keyring.Tenant, since int64) {
	tenant := out.Head.TenantUID
	index := map[controlplane.UID]int{}
	batch.Queue(`SELECT `+resourceColumns+` FROM resource
		WHERE tenant_uid = $1 AND kind = ANY($2) AND revision > $3 ORDER BY kind, id`, tenant, snapshotKinds, since).
		Query(func(rows pgx.Rows) (err error) {
			out.Resources, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (SnapshotResource, error) {
				r, _, err := scanResource(row)
				if err == nil {
					index[r.UID] = len(index)
				}
				return SnapshotResource{Resource: r}, err
			})
			return err
		})

	batch.Queue(`
		SELECT s.resource_uid, s.field, s.sealed FROM resource_secret s JOIN resource r ON r.tenant_uid = s.tenant_uid AND r.uid = s.resource_uid
		WHERE s.tenant_uid = $1 AND r.kind = ANY($2) AND r.revision > $3`, tenant, snapshotKinds, since).
		Query(func(rows pgx.Rows) error {
			var uid controlplane.UID
			var field string
			var sealed []byte
			_, err := pgx.ForEachRow(rows, []any{&uid, &field, &sealed}, func() error {
				plaintext, err := dek.Open(secretPlace(uid, field), sealed)
				if err != nil {
					return err
				}
				r := &out.Resources[index[uid]]
				if r.Secrets == nil {
					r.Secrets = map[string][]byte{}
				}
				r.Secrets[field] = plaintext
				return nil
			})
			return err
		})

	batch.Queue(`
		SELECT t.token_id, t.resource_uid, t.hash, t.created_at, t.expires_at, t.revoked_at, t.urgent
		FROM service_token t JOIN resource r ON r.tenant_uid = t.tenant_uid AND r.uid = t.resource_uid
		WHERE t.tenant_uid = $1 AND r.revision > $2 AND t.revoked_at IS NULL ORDER BY t.token_id`, tenant, since).
		Query(func(rows pgx.Rows) (err error) {
			out.Tokens, err = pgx.CollectRows(rows, scanServiceToken)
			return err
		})

	if tenant != controlplane.PlatformUID {
		return
	}
	out.Tenants = map[string]controlplane.UID{}
	batch.Queue(`SELECT id, tenant_uid FROM tenant WHERE deleted_at IS NULL AND tenant_uid <> $1`, controlplane.PlatformUID).
		Query(func(rows pgx.Rows) error {
			var id string
			var uid controlplane.UID
			_, err := pgx.ForEachRow(rows, []any{&id, &uid}, func() error { out.Tenants[id] = uid; return nil })
			return err
		})
}

func (out *SnapshotRows) queueUrgent(batch *pgx.Batch, dek *keyring.Tenant, since int64) {
	batch.Queue(`SELECT `+revocationColumns+` FROM revocation WHERE tenant_uid = $1 AND urgent > $2 ORDER BY uid`, out.Head.TenantUID, since).
		Query(func(rows pgx.Rows) (err error) {
			out.Revocations, err = pgx.CollectRows(rows, scanRevocation)
			return err
		})
	batch.Queue(`SELECT `+keyColumns+` FROM tenant_key
		WHERE tenant_uid = $1 AND revision > $2 AND state <> 'dropped' ORDER BY pool_uid, purpose, key_id`, out.Head.TenantUID, since).
		Query(func(rows pgx.Rows) (err error) {
			out.Keys, err = collectKeys(rows, dek)
			return err
		})
}

func (out *SnapshotRows) queueRemoved(batch *pgx.Batch, sinceConfig, sinceUrgent int64) {
	batch.Queue(`
		SELECT lane, kind, id, pool_uid, revision FROM removed
		WHERE tenant_uid = @tenant AND (lane = 'config' AND NOT @replace_config AND revision > @config AND kind = ANY(@kinds)
			OR lane = 'urgent' AND NOT @replace_urgent AND revision > @urgent)
		ORDER BY lane, kind, id, pool_uid`, pgx.NamedArgs{
		"tenant": out.Head.TenantUID, "kinds": snapshotKinds, "replace_config": out.ReplaceConfig, "config": sinceConfig,
		"replace_urgent": out.ReplaceUrgent, "urgent": sinceUrgent,
	}).Query(func(rows pgx.Rows) (err error) {
		out.Removed, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Removed])
		return err
	})
}
