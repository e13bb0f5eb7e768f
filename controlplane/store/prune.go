package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Days of access events: partitions made ahead, and kept.
const (
	partitionsAhead = 7
	partitionsKept  = 90
)

// Prune makes the partitions of the coming days and deletes what is too old to matter. What counts as too old is said by
// the feed's policies in the schema: more than this it could not delete. For an hourly job.
func (s *System) Prune(ctx context.Context) error {
	batch := &pgx.Batch{}
	batch.Queue(`SELECT access_event_partitions($1, $2)`, partitionsAhead, partitionsKept)
	batch.Queue(`DELETE FROM request_seen WHERE seen_at < now() - interval '1 day'`)
	batch.Queue(`DELETE FROM removed WHERE removed_at < now() - interval '7 days'`)
	batch.Queue(`DELETE FROM join_token WHERE expires_at < now() - interval '7 days'`)
	batch.Queue(`DELETE FROM session WHERE expires_at < now() - interval '30 days'`)
	return s.exec(ctx, "prune", batch)
}
