package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Ack is what an edge says of one tenant.
type Ack struct {
	EdgeUID      controlplane.UID
	TenantUID    controlplane.UID
	Lineage      string
	Config       int64
	Urgent       int64
	ClosedApps   []string
	MaxStaleness time.Duration   // the edge serves the tenant on a policy at most this old
	Refused      json.RawMessage // not nil: the newest update of a lane was refused, and that lane stays where it is
}

// ackRow is an Ack as Postgres reads it.
type ackRow struct {
	TenantUID    controlplane.UID `json:"tenant_uid"`
	EdgeUID      controlplane.UID `json:"edge_uid"`
	Lineage      string           `json:"lineage"`
	Config       int64            `json:"config"`
	Urgent       int64            `json:"urgent"`
	ClosedApps   []string         `json:"closed_apps"`
	MaxStaleness float64          `json:"max_staleness"` // seconds
	Refused      json.RawMessage  `json:"refused,omitempty"`
}

// PutAcks stores what edges said, the last word on each tenant, and wakes whoever waits for it. What was said before
// neither writes nor wakes.
func (s *System) PutAcks(ctx context.Context, acks []Ack) error {
	rows := ackRows(acks)
	if len(rows) == 0 {
		return nil
	}
	document, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("encode acks: %w", err)
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		WITH said AS (
			INSERT INTO edge_ack AS a (tenant_uid, edge_uid, lineage, config, urgent, closed_apps, max_staleness, refused, acked_at)
			SELECT tenant_uid, edge_uid, lineage, config, urgent, closed_apps, make_interval(secs => max_staleness), refused, now()
			FROM json_to_recordset($1::json) AS r (tenant_uid uuid, edge_uid uuid, lineage text, config bigint, urgent bigint,
				closed_apps text[], max_staleness float8, refused json)
			ORDER BY tenant_uid, edge_uid
			ON CONFLICT (tenant_uid, edge_uid) DO UPDATE SET lineage = excluded.lineage, config = excluded.config, urgent = excluded.urgent,
				closed_apps = excluded.closed_apps, max_staleness = excluded.max_staleness, refused = excluded.refused, acked_at = now()
			WHERE (a.lineage, a.config, a.urgent, a.closed_apps, a.max_staleness, a.refused::text) IS DISTINCT FROM
				(excluded.lineage, excluded.config, excluded.urgent, excluded.closed_apps, excluded.max_staleness, excluded.refused::text)
			RETURNING tenant_uid)
		SELECT pg_notify('sallyport_ack', tenant_uid::text) FROM (SELECT DISTINCT tenant_uid FROM said) AS t`, document)
	return s.exec(ctx, "store acks", batch)
}

// ackRows keeps the last word on each edge and tenant. A uid that is none is left out: an edge must not be able to make
// the acks of others unstorable.
func ackRows(acks []Ack) []ackRow {
	type key struct{ tenant, edge controlplane.UID }
	last := map[key]ackRow{}
	for _, a := range acks {
		if uuid.Validate(string(a.TenantUID)) != nil || uuid.Validate(string(a.EdgeUID)) != nil {
			continue
		}
		closed := make([]string, len(a.ClosedApps))
		for i, id := range a.ClosedApps {
			closed[i] = storable(id)
		}
		last[key{a.TenantUID, a.EdgeUID}] = ackRow{TenantUID: a.TenantUID, EdgeUID: a.EdgeUID, Lineage: storable(a.Lineage), Config: a.Config, Urgent: a.Urgent,
			ClosedApps: closed, MaxStaleness: a.MaxStaleness.Seconds(), Refused: a.Refused}
	}
	rows := make([]ackRow, 0, len(last))
	for _, row := range last {
		rows = append(rows, row)
	}
	return rows
}

// EdgeState is an edge that serves a tenant, and what it last said of it.
type EdgeState struct {
	Edge    Edge
	Ack     *Ack // nil: nothing yet
	AckTime time.Time
	SeenAgo time.Duration // by the database's clock; negative if it was never seen
}

// Edges returns every edge of the pools that serve a tenant, also those that were disabled or deleted; for the platform, every edge.
func (s *System) Edges(ctx context.Context, tenant controlplane.UID) ([]EdgeState, error) {
	rows, err := s.feed.Query(ctx, `
		SELECT `+edgeColumns+`, coalesce(extract(epoch FROM now() - e.seen_at)::float8, -1),
			a.acked_at, a.lineage, a.config, a.urgent, a.closed_apps, extract(epoch FROM a.max_staleness)::float8, a.refused::text
		FROM edge e
		JOIN resource p ON p.tenant_uid = e.tenant_uid AND p.uid = e.pool_uid AND p.kind = 'EdgePool'
		LEFT JOIN edge_ack a ON a.tenant_uid = @tenant AND a.edge_uid = e.edge_uid
		WHERE @tenant = @platform OR p.body -> 'tenants' ? (SELECT id FROM tenant WHERE tenant_uid = @tenant)
		ORDER BY e.name, e.edge_uid`, pgx.NamedArgs{"tenant": tenant, "platform": controlplane.PlatformUID})
	if err != nil {
		return nil, translate(ctx, fmt.Errorf("read edges of tenant %s: %w", tenant, err))
	}
	states, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (EdgeState, error) {
		var state EdgeState
		var seenAgo float64
		var acked *time.Time
		var lineage, refused *string
		var config, urgent *int64
		var closed []string
		var staleness *float64
		var err error
		state.Edge, err = scanEdge(row, &seenAgo, &acked, &lineage, &config, &urgent, &closed, &staleness, &refused)
		state.SeenAgo = seconds(seenAgo)
		if err == nil && acked != nil {
			state.AckTime = acked.UTC()
			state.Ack = &Ack{EdgeUID: state.Edge.EdgeUID, TenantUID: tenant, Lineage: *lineage, Config: *config, Urgent: *urgent,
				ClosedApps: closed, MaxStaleness: seconds(*staleness), Refused: rawOrNil(refused)}
		}
		return state, err
	})
	return states, translate(ctx, wrap("read edges", err))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
