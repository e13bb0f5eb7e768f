package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

type resourceKey struct {
	kind controlplane.Kind
	id   string
}

// identity is what an update of a resource keeps.
type identity struct {
	uid           controlplane.UID
	secretVersion int64
}

const resourceColumns = `kind, id, uid, etag, display_name, labels, annotations, managed_by, body, secret_version, revision, created_at, updated_at`

// Etag is over what users write: two resources with the same etag read the same. A secret goes in as the number of
// times that it was changed.
func Etag(r *controlplane.Resource, secretVersion int64) (string, error) {
	canonical, err := json.Marshal(struct {
		DisplayName   string            `json:"display_name,omitempty"`
		Labels        map[string]string `json:"labels,omitempty"`
		Annotations   map[string]string `json:"annotations,omitempty"`
		ManagedBy     string            `json:"managed_by,omitempty"`
		Spec          controlplane.Spec `json:"spec"`
		SecretVersion int64             `json:"secret_version,omitempty"`
	}{r.DisplayName, r.Labels, r.Annotations, r.ManagedBy, r.Spec, secretVersion})
	if err != nil {
		return "", fmt.Errorf("encode %s %q: %w", r.Kind, r.ID, err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:16]), nil
}

// Resource returns one resource; what is not there is NotFound.
func (tx *TenantTx) Resource(kind controlplane.Kind, id string) (*controlplane.Resource, error) {
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+resourceColumns+` FROM resource WHERE tenant_uid = $1 AND kind = $2 AND id = $3`,
		tx.head.TenantUID, kind, id)
	return tx.oneResource(rows, err)
}

// ResourceByUID returns one resource of whatever kind; what is not there is NotFound.
func (tx *TenantTx) ResourceByUID(uid controlplane.UID) (*controlplane.Resource, error) {
	if uuid.Validate(string(uid)) != nil {
		return nil, notFound()
	}
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+resourceColumns+` FROM resource WHERE tenant_uid = $1 AND uid = $2`,
		tx.head.TenantUID, uid)
	return tx.oneResource(rows, err)
}

func (tx *TenantTx) oneResource(rows pgx.Rows, err error) (*controlplane.Resource, error) {
	found, err := tx.collect(rows, err)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, notFound()
	}
	return found[0], nil
}

// Resources lists a page of one kind, ordered by id, after an id.
func (tx *TenantTx) Resources(kind controlplane.Kind, afterID string, limit int) ([]*controlplane.Resource, error) {
	return tx.ResourcesIn(kind, "", afterID, limit)
}

// ResourcesIn lists those whose id begins with a prefix: `dev/` for the edges of the pool dev.
func (tx *TenantTx) ResourcesIn(kind controlplane.Kind, prefix, afterID string, limit int) ([]*controlplane.Resource, error) {
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+resourceColumns+` FROM resource
		WHERE tenant_uid = $1 AND kind = $2 AND starts_with(id, $3) AND id > $4 ORDER BY id LIMIT $5`,
		tx.head.TenantUID, kind, prefix, afterID, limit)
	return tx.collect(rows, err)
}

// AllResources returns everything of the given kinds, or of all if none is given, ordered by kind and id.
func (tx *TenantTx) AllResources(kinds ...controlplane.Kind) ([]*controlplane.Resource, error) {
	if len(kinds) == 0 {
		for kind := range controlplane.Kinds {
			kinds = append(kinds, kind)
		}
	}
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+resourceColumns+` FROM resource
		WHERE tenant_uid = $1 AND kind = ANY($2) ORDER BY kind, id`, tx.head.TenantUID, kinds)
	found, err := tx.collect(rows, err)
	if err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		tx.listed[kind] = true
	}
	return found, nil
}

// IDs returns the first ids of a kind, in order.
func (tx *TenantTx) IDs(kind controlplane.Kind, limit int) ([]string, error) {
	rows, err := tx.pg.Query(tx.ctx, `SELECT id FROM resource WHERE tenant_uid = $1 AND kind = $2 ORDER BY id LIMIT $3`, tx.head.TenantUID, kind, limit)
	if err != nil {
		return nil, fmt.Errorf("read ids: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return found, wrap("read ids", err)
}

// Since is what changed of some kinds after a revision.
type Since struct {
	Changed []*controlplane.Resource // ordered by kind and id
	Removed []RemovedResource        // and not there again
}

// RemovedResource names a resource that is gone.
type RemovedResource struct {
	Kind controlplane.Kind
	ID   string
}

// ResourcesSince returns what changed of some kinds after a point of the config lane, which is a revision and the chain's
// hash at it. It is nil if that cannot be told: the point is of another history, or so long ago that removals since may
// have been forgotten.
func (tx *TenantTx) ResourcesSince(revision int64, chain []byte, kinds ...controlplane.Kind) (*Since, error) {
	if revision == tx.head.Config {
		if !equal(chain, tx.head.ConfigChain) {
			return nil, nil
		}
		return &Since{}, nil
	}
	var told bool
	err := tx.pg.QueryRow(tx.ctx, `
		SELECT EXISTS (SELECT FROM change WHERE tenant_uid = @tenant AND lane = 'config' AND revision = @revision AND hash = @chain)
			AND EXISTS (SELECT FROM change WHERE tenant_uid = @tenant AND lane = 'config' AND revision = @revision + 1 AND committed_at > now() - @kept::interval)`,
		pgx.NamedArgs{"tenant": tx.head.TenantUID, "revision": revision, "chain": chain, "kept": removalsKept}).Scan(&told)
	if err != nil {
		return nil, fmt.Errorf("look for revision %d: %w", revision, err)
	}
	if !told {
		return nil, nil
	}
	since := &Since{}
	rows, err := tx.pg.Query(tx.ctx, `SELECT `+resourceColumns+` FROM resource WHERE tenant_uid = $1 AND kind = ANY($2) AND revision > $3 ORDER BY kind, id`,
		tx.head.TenantUID, kinds, revision)
	if since.Changed, err = tx.collect(rows, err); err != nil {
		return nil, err
	}
	rows, err = tx.pg.Query(tx.ctx, `SELECT kind, id FROM removed WHERE tenant_uid = $1 AND lane = 'config' AND kind = ANY($2) AND revision > $3`,
		tx.head.TenantUID, kinds, revision)
	if err != nil {
		return nil, fmt.Errorf("read what was removed: %w", err)
	}
	since.Removed, err = pgx.CollectRows(rows, pgx.RowToStructByPos[RemovedResource])
	return since, wrap("read what was removed", err)
}

func (tx *TenantTx) collect(rows pgx.Rows, err error) ([]*controlplane.Resource, error) {
	if err != nil {
		return nil, fmt.Errorf("read resources: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*controlplane.Resource, error) {
		r, version, err := scanResource(row)
		if err == nil {
			tx.known[resourceKey{r.Kind, r.ID}] = identity{r.UID, version}
		}
		return r, err
	})
	return found, wrap("read resources", err)
}

func scanResource(row pgx.CollectableRow) (r *controlplane.Resource, secretVersion int64, err error) {
	r = &controlplane.Resource{}
	var body []byte
	err = row.Scan(&r.Kind, &r.ID, &r.UID, &r.Etag, &r.DisplayName, &r.Labels, &r.Annotations, &r.ManagedBy, &body,
		&secretVersion, &r.Revision, &r.CreateTime, &r.UpdateTime)
	if err != nil {
		return nil, 0, err
	}
	r.CreateTime, r.UpdateTime = r.CreateTime.UTC(), r.UpdateTime.UTC()
	traits, ok := controlplane.Kinds[r.Kind]
	if !ok {
		return nil, 0, fmt.Errorf("a resource of unknown kind %q", r.Kind)
	}
	r.Spec = traits.New()
	if err := json.Unmarshal(body, r.Spec); err != nil {
		return nil, 0, fmt.Errorf("decode %s %q: %w", r.Kind, r.ID, err)
	}
	return r, secretVersion, nil
}

// Put writes a resource: a new one, or the new state of the one with the same kind and id. It fills UID (if that is
// new), Etag, times and Revision. What follows from the spec goes along: its references, the hosts that it claims (checked
// in the last step, so that two apps can swap them), and whether the tenant or edge is disabled. Secrets stay as they are.
func (tx *TenantTx) Put(r *controlplane.Resource) error {
	if err := tx.write(controlplane.Config); err != nil {
		return err
	}
	before, exists, err := tx.identify(r.Kind, r.ID)
	if err != nil {
		return err
	}
	switch {
	case exists:
		r.UID = before.uid
	case r.Kind == controlplane.KindTenant:
		r.UID = tx.head.TenantUID
	case r.UID == "":
		if r.UID, err = NewUID(); err != nil {
			return err
		}
	}
	if r.Kind == controlplane.KindTenant && r.ID != tx.head.ID {
		return fmt.Errorf("store: put tenant %q into tenant %q", r.ID, tx.head.ID)
	}
	if r.Etag, err = Etag(r, before.secretVersion); err != nil {
		return err
	}
	body, err := json.Marshal(r.Spec)
	if err != nil {
		return fmt.Errorf("encode %s %q: %w", r.Kind, r.ID, err)
	}
	r.Revision = tx.Next(controlplane.Config).Number

	batch := &pgx.Batch{}
	batch.Queue(`
		INSERT INTO resource (tenant_uid, kind, id, uid, etag, display_name, labels, annotations, managed_by, body, revision)
		VALUES (@tenant, @kind, @id, @uid, @etag, @display_name, @labels, @annotations, @managed_by, @body, @revision)
		ON CONFLICT (tenant_uid, kind, id) DO UPDATE SET etag = @etag, display_name = @display_name, labels = @labels,
			annotations = @annotations, managed_by = @managed_by, body = @body, revision = @revision, updated_at = now()
		RETURNING created_at, updated_at`, pgx.NamedArgs{
		"tenant": tx.head.TenantUID, "kind": r.Kind, "id": r.ID, "uid": r.UID, "etag": r.Etag, "display_name": r.DisplayName,
		"labels": nonNilMap(r.Labels), "annotations": nonNilMap(r.Annotations), "managed_by": r.ManagedBy, "body": body, "revision": r.Revision,
	}).QueryRow(func(row pgx.Row) error { return row.Scan(&r.CreateTime, &r.UpdateTime) })
	if !exists {
		batch.Queue(`DELETE FROM removed WHERE tenant_uid = $1 AND lane = 'config' AND kind = $2 AND id = $3`, tx.head.TenantUID, r.Kind, r.ID)
	}
	tx.queueReferences(batch, r, exists)
	tx.queueDerived(batch, r)
	if err := tx.pg.SendBatch(tx.ctx, batch).Close(); err != nil {
		return fmt.Errorf("put %s %q: %w", r.Kind, r.ID, err)
	}
	r.CreateTime, r.UpdateTime = r.CreateTime.UTC(), r.UpdateTime.UTC()
	tx.known[resourceKey{r.Kind, r.ID}] = identity{r.UID, before.secretVersion}
	return nil
}

// queueDerived keeps in step what other tables, or the last step, know of a spec.
func (tx *TenantTx) queueDerived(batch *pgx.Batch, r *controlplane.Resource) {
	switch spec := r.Spec.(type) {
	case *controlplane.App:
		tx.hosts[r.UID] = spec.Hosts
	case *controlplane.Tenant:
		tx.hosts[r.UID] = nil
		if spec.AuthHost != "" {
			tx.hosts[r.UID] = []string{spec.AuthHost}
		}
		tx.disabled = spec.Disabled
	case *controlplane.Edge:
		batch.Queue(`
			UPDATE edge SET left_at = CASE WHEN $3 THEN coalesce(left_at, clock_timestamp()) END, left_how = CASE WHEN $3 THEN 'disabled' END,
				keys_due = CASE WHEN $3 AND left_at IS NULL THEN 'replace' ELSE keys_due END
			WHERE tenant_uid = $1 AND edge_uid = $2`, tx.head.TenantUID, r.UID, spec.Disabled)
	}
}

// Delete removes a resource and all that hangs on it: references from it, hosts, secrets, tokens. Whether others still
// refer to it is for the caller to ask.
func (tx *TenantTx) Delete(kind controlplane.Kind, id string) error {
	if err := tx.write(controlplane.Config); err != nil {
		return err
	}
	before, exists, err := tx.identify(kind, id)
	if err != nil {
		return err
	}
	if !exists {
		return notFound()
	}
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM resource WHERE tenant_uid = $1 AND kind = $2 AND id = $3`, tx.head.TenantUID, kind, id).Exec(wantOneRow("delete"))
	tx.queueRemoved(batch, controlplane.Config, string(kind), id, controlplane.PlatformUID)
	if kind == controlplane.KindEdge {
		batch.Queue(`UPDATE edge SET left_at = coalesce(left_at, clock_timestamp()), left_how = 'deleted', keys_due = coalesce(keys_due, 'rotate')
			WHERE tenant_uid = $1 AND edge_uid = $2`,
			tx.head.TenantUID, before.uid)
	}
	if err := tx.pg.SendBatch(tx.ctx, batch).Close(); err != nil {
		return fmt.Errorf("delete %s %q: %w", kind, id, err)
	}
	delete(tx.known, resourceKey{kind, id})
	delete(tx.hosts, before.uid)
	return nil
}

// queueRemoved leaves a record for edges that have what is gone. The platform's uid stands for no pool.
func (tx *TenantTx) queueRemoved(batch *pgx.Batch, lane controlplane.Lane, kind, id string, pool controlplane.UID) {
	batch.Queue(`
		INSERT INTO removed (tenant_uid, lane, kind, id, pool_uid, revision) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_uid, lane, kind, id, pool_uid) DO UPDATE SET revision = excluded.revision, removed_at = now()`,
		tx.head.TenantUID, lane, kind, id, pool, tx.Next(lane).Number)
}

// Touch gives a resource the transaction's revision although its body is the same, because what edges are sent of it
// is not: tokens, or a secret sealed with another key.
func (tx *TenantTx) Touch(kind controlplane.Kind, id string) error {
	if err := tx.write(controlplane.Config); err != nil {
		return err
	}
	tag, err := tx.pg.Exec(tx.ctx, `UPDATE resource SET revision = $4 WHERE tenant_uid = $1 AND kind = $2 AND id = $3`,
		tx.head.TenantUID, kind, id, tx.Next(controlplane.Config).Number)
	if err != nil {
		return fmt.Errorf("touch %s %q: %w", kind, id, err)
	}
	if tag.RowsAffected() == 0 {
		return notFound()
	}
	return nil
}

// DeleteTenant removes the tenant and everything of it but its audit, its data key included: what was sealed is gone for
// good, and the id can be used again. It is the last thing in a transaction.
func (tx *TenantTx) DeleteTenant() error {
	if tx.head.TenantUID == controlplane.PlatformUID {
		return errors.New("store: the platform cannot be deleted")
	}
	if err := tx.write(controlplane.Config); err != nil {
		return err
	}
	batch := &pgx.Batch{}
	for _, table := range []string{"resource", "tenant_key", "revocation", "session", "request_seen", "removed"} {
		batch.Queue(`DELETE FROM `+table+` WHERE tenant_uid = $1`, tx.head.TenantUID)
	}
	if err := tx.pg.SendBatch(tx.ctx, batch).Close(); err != nil {
		return fmt.Errorf("delete tenant: %w", err)
	}
	clear(tx.hosts)
	clear(tx.known)
	tx.deleted = true
	return nil
}

// identify returns what is there under a kind and id, without asking again for what this transaction has seen.
func (tx *TenantTx) identify(kind controlplane.Kind, id string) (identity, bool, error) {
	if known, ok := tx.known[resourceKey{kind, id}]; ok {
		return known, true, nil
	}
	if tx.listed[kind] {
		return identity{}, false, nil
	}
	var found identity
	err := tx.pg.QueryRow(tx.ctx, `SELECT uid, secret_version FROM resource WHERE tenant_uid = $1 AND kind = $2 AND id = $3`,
		tx.head.TenantUID, kind, id).Scan(&found.uid, &found.secretVersion)
	if errors.Is(err, pgx.ErrNoRows) {
		return identity{}, false, nil
	}
	if err != nil {
		return identity{}, false, fmt.Errorf("look up %s %q: %w", kind, id, err)
	}
	tx.known[resourceKey{kind, id}] = found
	return found, true, nil
}

// NewUID makes a UUIDv7.
func NewUID() (controlplane.UID, error) {
	uid, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make uid: %w", err)
	}
	return controlplane.UID(uid.String()), nil
}

func nonNilMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
