package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

// Limits of what this process asks of Postgres, and of how long it waits.
const (
	appConnections    = 16
	feedConnections   = 8
	connectTimeout    = 5 * time.Second
	statementTimeout  = 10 * time.Second
	lockTimeout       = 5 * time.Second
	idleInTransaction = 30 * time.Second // a function between two queries of its transaction
	rollbackTimeout   = 5 * time.Second
)

// Config is what [Open] needs. The owner of the schema is not in it: the running program has no such rights.
type Config struct {
	AppURL  string // as sallyport_app
	FeedURL string // as sallyport_feed
	Keys    *keyring.Keyring
	Log     *slog.Logger
}

// DB is the database. It has two pools, so that what the API does can never starve the feed, nor the other way round.
type DB struct {
	app     *pgxpool.Pool
	system  *System
	keys    *keyring.Keyring
	writers *writers
}

// Open connects, and refuses roles under which row-level security would be void and a schema older than this program.
func Open(ctx context.Context, config Config) (*DB, error) {
	app, err := openPool(ctx, config.AppURL, "sallyport_app", "sallyport-api", appConnections)
	if err != nil {
		return nil, fmt.Errorf("open database for the API: %w", err)
	}
	feed, err := openPool(ctx, config.FeedURL, "sallyport_feed", "sallyport-feed", feedConnections)
	if err != nil {
		app.Close()
		return nil, fmt.Errorf("open database for the feed: %w", err)
	}
	db := &DB{app: app, keys: config.Keys, writers: newWriters()}
	db.system = &System{db: db, feed: &feedPool{feed, feedDeadline}, wait: patience{quiet, pingWithin}, log: config.Log}
	return db, nil
}

// Close waits for running transactions and closes all connections.
func (db *DB) Close() {
	db.app.Close()
	db.system.feed.Close()
}

// System is work across tenants. Whoever asks for it answers for the tenant wall.
func (db *DB) System() *System { return db.system }

func openPool(ctx context.Context, url, role, application string, connections int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if err := limit(config.ConnConfig, application); err != nil {
		return nil, err
	}
	config.MaxConns = connections
	config.MaxConnLifetime = time.Hour
	config.MaxConnLifetimeJitter = 10 * time.Minute
	config.MaxConnIdleTime = 5 * time.Minute
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := checkRole(ctx, pool, role); err != nil {
		pool.Close()
		return nil, translate(ctx, err)
	}
	return pool, nil
}

// limit sets what every connection of ours has.
func limit(config *pgx.ConnConfig, application string) error {
	if config.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return errors.New("database URL: the simple protocol mixes data into SQL text and is not allowed")
	}
	config.ConnectTimeout = connectTimeout
	maps.Copy(config.RuntimeParams, map[string]string{
		"application_name":                    application,
		"statement_timeout":                   milliseconds(statementTimeout),
		"lock_timeout":                        milliseconds(lockTimeout),
		"idle_in_transaction_session_timeout": milliseconds(idleInTransaction),
		"timezone":                            "UTC",
	})
	if config.ValidateConnect == nil {
		// After a failover the old primary may still answer. It must not take our writes.
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// checkRole makes sure that the wall holds for this connection: superusers, owners and BYPASSRLS walk through it.
func checkRole(ctx context.Context, pool *pgxpool.Pool, role string) error {
	var user string
	var unsafe bool
	err := pool.QueryRow(ctx, `
		SELECT current_user, r.rolsuper OR r.rolbypassrls OR EXISTS (
			SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND pg_has_role(current_user, c.relowner, 'MEMBER'))
		FROM pg_roles r WHERE r.rolname = current_user`).Scan(&user, &unsafe)
	if err != nil {
		return fmt.Errorf("connect as %s: %w", role, err)
	}
	if user != role || unsafe {
		return fmt.Errorf("connected as %q: it must be %q, and neither a superuser, nor an owner of tables, nor BYPASSRLS", user, role)
	}
	wanted, err := newestMigration()
	if err != nil {
		return err
	}
	var version int64
	var dirty bool
	err = pool.QueryRow(ctx, `SELECT version, dirty FROM schema_migrations`).Scan(&version, &dirty)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (pg.Code == "42P01" || pg.Code == "42501") || errors.Is(err, pgx.ErrNoRows) {
		return precondition("the database has no schema of ours yet: run `sallyport-controlplane migrate`", err)
	}
	switch {
	case err != nil:
		return fmt.Errorf("read schema version: %w", err)
	case dirty:
		return precondition(fmt.Sprintf("migration %d failed half-way: repair the schema, then run `sallyport-controlplane migrate`", version), nil)
	case version < int64(wanted):
		return precondition(fmt.Sprintf("the schema is at version %d, this program needs %d: run `sallyport-controlplane migrate`", version, wanted), nil)
	}
	return nil
}

func precondition(message string, cause error) error {
	return &controlplane.Error{Kind: controlplane.Precondition, Reason: "SCHEMA_OLD", Message: message, Cause: cause}
}
