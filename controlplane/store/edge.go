package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// EdgeEnrolment is what an edge brought when it joined.
type EdgeEnrolment struct {
	EdgeUID       controlplane.UID
	PoolUID       controlplane.UID
	Name          string // `edgePools/dev/edges/eu-1`
	HPKEPublicKey []byte // X25519
	SPKISHA256    []byte // of its TLS key
	CertSerial    string
	CertExpire    time.Time
	Version       string
}

// Edge is what is known of an edge beyond its resource, which it outlives: the keys it held have to be replaced then.
type Edge struct {
	EdgeEnrolment
	EnrolTime    time.Time
	Boot         string
	SeenTime     time.Time
	DepartedTime time.Time // it said goodbye, and was not heard since
	LeftTime     time.Time // it was disabled or deleted
	LeftHow      string    // `disabled`, `deleted`
	KeysDue      string    // what it held is still in use and must be: `replace` (at once), `rotate` (with overlap)
}

const edgeColumns = `e.edge_uid, e.pool_uid, e.name, e.hpke_public_key, e.spki_sha256, e.cert_serial, e.cert_expires_at, e.version,
	e.enrolled_at, e.boot, e.seen_at, e.departed_at, e.left_at, coalesce(e.left_how, ''), coalesce(e.keys_due, '')`

func scanEdge(row pgx.CollectableRow, more ...any) (Edge, error) {
	var e Edge
	var seen, departed, left *time.Time
	err := row.Scan(append([]any{
		&e.EdgeUID, &e.PoolUID, &e.Name, &e.HPKEPublicKey, &e.SPKISHA256, &e.CertSerial, &e.CertExpire, &e.Version,
		&e.EnrolTime, &e.Boot, &seen, &departed, &left, &e.LeftHow, &e.KeysDue,
	}, more...)...)
	e.CertExpire, e.EnrolTime = e.CertExpire.UTC(), e.EnrolTime.UTC()
	e.SeenTime, e.DepartedTime, e.LeftTime = orZero(seen), orZero(departed), orZero(left)
	return e, err
}

// PutEdgeEnrolment stores what an edge brought, for its first enrolment or another one; its resource is put in the same
// transaction, which is the platform's.
func (tx *TenantTx) PutEdgeEnrolment(e EdgeEnrolment) error {
	if err := tx.platformOnly(); err != nil {
		return err
	}
	_, err := tx.pg.Exec(tx.ctx, `
		INSERT INTO edge (tenant_uid, edge_uid, pool_uid, name, hpke_public_key, spki_sha256, cert_serial, cert_expires_at, version)
		VALUES (@tenant, @edge, @pool, @name, @hpke, @spki, @serial, @expires, @version)
		ON CONFLICT (edge_uid) DO UPDATE SET pool_uid = @pool, name = @name, hpke_public_key = @hpke, spki_sha256 = @spki, cert_serial = @serial,
			cert_expires_at = @expires, version = @version, enrolled_at = now(), boot = '', seen_at = NULL, departed_at = NULL`, pgx.NamedArgs{
		"tenant": tx.head.TenantUID, "edge": e.EdgeUID, "pool": e.PoolUID, "name": e.Name, "hpke": e.HPKEPublicKey, "spki": e.SPKISHA256,
		"serial": e.CertSerial, "expires": e.CertExpire, "version": e.Version,
	})
	return wrap("put edge enrolment", err)
}

// SettleEdge notes that the keys an edge held when it left have been replaced everywhere. left is its LeftTime as it was
// read before that: an edge that has left again since stays due.
func (tx *TenantTx) SettleEdge(uid controlplane.UID, left time.Time) error {
	if err := tx.platformOnly(); err != nil {
		return err
	}
	_, err := tx.pg.Exec(tx.ctx, `UPDATE edge SET keys_due = NULL
		WHERE tenant_uid = $1 AND edge_uid = $2 AND left_at IS NOT DISTINCT FROM $3`, tx.head.TenantUID, uid, timeOrNull(left))
	return wrap("settle edge", err)
}

// ForgetEdge deletes what is known of an edge that was deleted, once nothing it held is in use any more.
func (tx *TenantTx) ForgetEdge(uid controlplane.UID) error {
	_, err := tx.pg.Exec(tx.ctx, `DELETE FROM edge WHERE tenant_uid = $1 AND edge_uid = $2 AND left_how = 'deleted' AND keys_due IS NULL`, tx.head.TenantUID, uid)
	return wrap("forget edge", err)
}

// Edge returns one edge; what is not there is NotFound.
func (s *System) Edge(ctx context.Context, uid controlplane.UID) (*Edge, error) {
	if uuid.Validate(string(uid)) != nil {
		return nil, notFound()
	}
	edges, err := s.edges(ctx, `SELECT `+edgeColumns+` FROM edge e WHERE e.edge_uid = $1`, uid)
	if err != nil {
		return nil, err
	}
	if len(edges) == 0 {
		return nil, notFound()
	}
	return &edges[0], nil
}

// AllEdges returns every edge that ever enrolled and is not forgotten.
func (s *System) AllEdges(ctx context.Context) ([]Edge, error) {
	return s.edges(ctx, `SELECT `+edgeColumns+` FROM edge e ORDER BY e.name, e.edge_uid`)
}

func (s *System) edges(ctx context.Context, query string, args ...any) ([]Edge, error) {
	rows, err := s.feed.Query(ctx, query, args...)
	if err != nil {
		return nil, translate(ctx, fmt.Errorf("read edges: %w", err))
	}
	edges, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Edge, error) { return scanEdge(row) })
	return edges, translate(ctx, wrap("read edges", err))
}

// EdgeSeen is a sign of life.
type EdgeSeen struct {
	EdgeUID controlplane.UID
	Boot    string
	Version string
}

// EdgesSeen notes signs of life, all at this instant of the database's clock.
func (s *System) EdgesSeen(ctx context.Context, seen []EdgeSeen) error {
	if len(seen) == 0 {
		return nil
	}
	var uids, boots, versions []string
	for _, e := range seen {
		uids, boots, versions = append(uids, string(e.EdgeUID)), append(boots, storable(e.Boot)), append(versions, storable(e.Version))
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		WITH seen AS (
			SELECT DISTINCT ON (edge_uid) * FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS s (edge_uid, boot, version, n)
			ORDER BY edge_uid, n DESC),
		-- In one order, so that two replicas that note the same edges never wait for each other.
		locked AS (SELECT e.edge_uid FROM edge e JOIN seen USING (edge_uid) ORDER BY e.edge_uid FOR NO KEY UPDATE OF e)
		UPDATE edge e SET seen_at = now(), departed_at = NULL, boot = seen.boot, version = seen.version
		FROM seen JOIN locked USING (edge_uid) WHERE e.edge_uid = seen.edge_uid`, uids, boots, versions)
	return s.exec(ctx, "note edges seen", batch)
}

// EdgeDeparted notes that an edge said goodbye.
func (s *System) EdgeDeparted(ctx context.Context, uid controlplane.UID) error {
	_, err := s.feed.Exec(ctx, `UPDATE edge SET departed_at = now() WHERE edge_uid = $1`, uid)
	return translate(ctx, wrap("note departed edge", err))
}

// EdgeCertified notes an edge's new certificate.
func (s *System) EdgeCertified(ctx context.Context, uid controlplane.UID, serial string, expires time.Time) error {
	_, err := s.feed.Exec(ctx, `UPDATE edge SET cert_serial = $2, cert_expires_at = $3 WHERE edge_uid = $1`, uid, serial, expires)
	return translate(ctx, wrap("note edge certificate", err))
}
