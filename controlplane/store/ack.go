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

// PutAcks stores what edges said, the last word on each tenant, and wakes whoever waits for it. What was said before
// neither writes nor wakes.
func (s *System) PutAcks(ctx context.Context, acks []Ack) error {
	var tenants, edges, lineages, closed []string
	var configs, urgents []int64
	var staleness []float64
	var refused []*string
	for _, a := range lastWords(acks) {
		apps := []string{}
		for _, id := range a.ClosedApps {
			apps = append(apps, storable(id))
		}
		list, err := json.Marshal(apps)
		if err != nil {
			return fmt.Errorf("encode closed apps: %w", err)
		}
		tenants, edges, lineages = append(tenants, string(a.TenantUID)), append(edges, string(a.EdgeUID)), append(lineages, storable(a.Lineage))
		configs, urgents, closed = append(configs, a.Config), append(urgents, a.Urgent), append(closed, string(list))
		staleness, refused = append(staleness, a.MaxStaleness.Seconds()), append(refused, textOrNull(a.Refused))
	}
	if len(tenants) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		WITH said AS (
			INSERT INTO edge_ack AS a (tenant_uid, edge_uid, lineage, config, urgent, closed_apps, max_staleness, refused, acked_at)
			SELECT tenant_uid, edge_uid, lineage, config, urgent, ARRAY(SELECT json_array_elements_text(closed_apps::json)),
				make_interval(secs => max_staleness), refused::json, now()
			FROM unnest(@tenants::uuid[], @edges::uuid[], @lineages::text[], @configs::bigint[], @urgents::bigint[], @closed::text[],
				@staleness::float8[], @refused::text[]) AS r (tenant_uid, edge_uid, lineage, config, urgent, closed_apps, max_staleness, refused)
			ORDER BY tenant_uid, edge_uid
			ON CONFLICT (tenant_uid, edge_uid) DO UPDATE SET lineage = excluded.lineage, config = excluded.config, urgent = excluded.urgent,
				closed_apps = excluded.closed_apps, max_staleness = excluded.max_staleness, refused = excluded.refused, acked_at = now()
			WHERE (a.lineage, a.config, a.urgent, a.closed_apps, a.max_staleness, a.refused::text) IS DISTINCT FROM
				(excluded.lineage, excluded.config, excluded.urgent, excluded.closed_apps, excluded.max_staleness, excluded.refused::text)
			RETURNING tenant_uid)
		SELECT pg_notify('sallyport_ack', tenant_uid::text) FROM (SELECT DISTINCT tenant_uid FROM said) AS t`, pgx.NamedArgs{
		"tenants": tenants, "edges": edges, "lineages": lineages, "configs": configs, "urgents": urgents, "closed": closed,
		"staleness": staleness, "refused": refused,
	})
	return s.exec(ctx, "store acks", batch)
}

// lastWords keeps the last word of each edge on each tenant. A uid that is none is left out: an edge must not be able to
// make the acks of others unstorable.
func lastWords(acks []Ack) map[[2]controlplane.UID]Ack {
	last := map[[2]controlplane.UID]Ack{}
	for _, a := range acks {
		if uuid.Validate(string(a.TenantUID)) == nil && uuid.Validate(string(a.EdgeUID)) == nil {
			last[[2]controlplane.UID{a.TenantUID, a.EdgeUID}] = a
		}
	}
	return last
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
			state.Ack = &Ack{
				EdgeUID: state.Edge.EdgeUID, TenantUID: tenant, Lineage: *lineage, Config: *config, Urgent: *urgent,
				ClosedApps: closed, MaxStaleness: seconds(*staleness), Refused: rawOrNil(refused),
			}
		}
		return state, err
	})
	return states, translate(ctx, wrap("read edges", err))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
