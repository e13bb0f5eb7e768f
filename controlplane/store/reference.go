package store

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Referrer is a resource that mentions another.
type Referrer struct {
	Kind  controlplane.Kind
	ID    string
	Field string // path in its spec
}

func (tx *TenantTx) queueReferences(batch *pgx.Batch, r *controlplane.Resource, exists bool) {
	if exists {
		batch.Queue(`DELETE FROM reference WHERE tenant_uid = $1 AND from_kind = $2 AND from_id = $3`, tx.head.TenantUID, r.Kind, r.ID)
	}
	refs := r.Spec.References()
	if len(refs) == 0 {
		return
	}
	fields, kinds, ids := splitReferences(refs)
	batch.Queue(`
		INSERT INTO reference (tenant_uid, from_kind, from_id, field, to_kind, to_id)
		SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::text[])`, tx.head.TenantUID, r.Kind, r.ID, fields, kinds, ids)
}

// Referrers returns what mentions a resource, itself excepted.
func (tx *TenantTx) Referrers(kind controlplane.Kind, id string) ([]Referrer, error) {
	rows, err := tx.pg.Query(tx.ctx, `
		SELECT from_kind, from_id, field FROM reference
		WHERE tenant_uid = $1 AND to_kind = $2 AND to_id = $3 AND NOT (from_kind = $2 AND from_id = $3)
		ORDER BY from_kind, from_id, field`, tx.head.TenantUID, kind, id)
	if err != nil {
		return nil, fmt.Errorf("read referrers: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Referrer])
	return found, wrap("read referrers", err)
}

// Missing returns those references that lead nowhere, in their order.
func (tx *TenantTx) Missing(refs []controlplane.Reference) ([]controlplane.Reference, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	_, kinds, ids := splitReferences(refs)
	rows, err := tx.pg.Query(tx.ctx, `
		SELECT ordinal - 1 FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS ref (kind, id, ordinal)
		WHERE NOT EXISTS (SELECT FROM resource r WHERE r.tenant_uid = $1 AND r.kind = ref.kind AND r.id = ref.id)
		ORDER BY ordinal`, tx.head.TenantUID, kinds, ids)
	if err != nil {
		return nil, fmt.Errorf("check references: %w", err)
	}
	missing, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (controlplane.Reference, error) {
		var i int
		err := row.Scan(&i)
		return refs[i], err
	})
	return missing, wrap("check references", err)
}

func splitReferences(refs []controlplane.Reference) (fields, kinds, ids []string) {
	for _, ref := range refs {
		fields, kinds, ids = append(fields, ref.Field), append(kinds, string(ref.Kind)), append(ids, ref.ID)
	}
	return fields, kinds, ids
}
