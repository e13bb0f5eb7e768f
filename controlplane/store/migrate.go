package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sallyport-iap/sallyport/migrations"
)

// Migrate brings the schema up to this version, as its owner. Several at once are fine: one does the work, the others
// wait for it. A migration that fails or is killed half-way leaves nothing of itself, and the next try goes on from there.
func Migrate(ctx context.Context, ownerURL string) (err error) {
	config, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return fmt.Errorf("owner's database URL: %w", err)
	}
	owner := stdlib.OpenDB(*config)
	defer owner.Close()
	if err := owner.PingContext(ctx); err != nil {
		return translate(ctx, fmt.Errorf("connect as the schema's owner: %w", err))
	}
	driver, err := migratepgx.WithInstance(owner, &migratepgx.Config{})
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	source, err := iofs.New(migrations.Files, ".")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	runner, err := migrate.NewWithInstance("iofs", source, config.Database, &atomic{Driver: driver})
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	defer func() {
		sourceErr, databaseErr := runner.Close()
		err = errors.Join(err, sourceErr, databaseErr)
	}()
	stop := context.AfterFunc(ctx, func() { runner.GracefulStop <- true })
	defer stop()
	if err := runner.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
		return fmt.Errorf("migrate: %w", err)
	}
	return ctx.Err()
}

// atomic makes a migration and the note of its version one transaction. The library notes the version before ("dirty")
// and after, in transactions of their own: a program that was killed in between, or only while it noted, would leave a
// schema that somebody has to mend by hand, although a file of statements is a transaction already.
type atomic struct {
	database.Driver
	version int // of the migration that runs next, or ran last
}

// SetVersion is called before and after each migration; Run has noted the second.
func (a *atomic) SetVersion(version int, dirty bool) error {
	if dirty || version == a.version {
		a.version = version
		return nil
	}
	return a.Driver.SetVersion(version, false)
}

// Run sends the migration and the note as one message, which Postgres takes as one transaction.
func (a *atomic) Run(migration io.Reader) error {
	note := fmt.Sprintf("\n;TRUNCATE schema_migrations; INSERT INTO schema_migrations (version, dirty) VALUES (%d, false)", a.version)
	return a.Driver.Run(io.MultiReader(migration, strings.NewReader(note)))
}

// newestMigration is the version that this program was built with.
func newestMigration() (uint, error) {
	source, err := iofs.New(migrations.Files, ".")
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	defer source.Close()
	version, err := source.First()
	for err == nil {
		var next uint
		if next, err = source.Next(version); err == nil {
			version = next
		}
	}
	return version, nil
}
