package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// feedDeadline is for one operation of the feed's role. Postgres ends a statement by itself before that, unless it hangs or
// the network has swallowed it: then nobody else would, because what runs in the background has no caller that gives up.
const feedDeadline = 15 * time.Second

// feedPool is the feed's pool, of which every operation ends.
type feedPool struct {
	*pgxpool.Pool
	deadline time.Duration
}

func (p *feedPool) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.deadline)
}

// Exec is the pool's, with a deadline.
func (p *feedPool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	return p.Pool.Exec(ctx, sql, args...)
}

// Query is the pool's; the deadline is for reading the rows too.
func (p *feedPool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	ctx, cancel := p.bound(ctx)
	rows, err := p.Pool.Query(ctx, sql, args...)
	if err != nil {
		cancel()
		return nil, err
	}
	return &boundRows{rows, cancel}, nil
}

// QueryRow is the pool's, with a deadline.
func (p *feedPool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	ctx, cancel := p.bound(ctx)
	return &boundRow{p.Pool.QueryRow(ctx, sql, args...), cancel}
}

type boundRows struct {
	pgx.Rows
	cancel context.CancelFunc
}

// Close is called by whatever collects rows.
func (r *boundRows) Close() {
	r.Rows.Close()
	r.cancel()
}

type boundRow struct {
	pgx.Row
	cancel context.CancelFunc
}

// Scan reads the row, which ends it.
func (r *boundRow) Scan(into ...any) error {
	defer r.cancel()
	return r.Row.Scan(into...)
}
