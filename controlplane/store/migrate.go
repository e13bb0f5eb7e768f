package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/sallyport-iap/sallyport/migrations"
)

// Migrate brings the schema up to this version, as its owner. Several at once are fine: one does the work, the others
// wait for it. A migration that failed half-way leaves the schema marked; then nothing runs until somebody has looked.
func Migrate(ctx context.Context, ownerURL string) (err error) {
	config, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return fmt.Errorf("owner's database URL: %w", err)
	}
	database := stdlib.OpenDB(*config)
	defer database.Close()
	if err := database.PingContext(ctx); err != nil {
		return translate(ctx, fmt.Errorf("connect as the schema's owner: %w", err))
	}
	driver, err := migratepgx.WithInstance(database, &migratepgx.Config{})
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	source, err := iofs.New(migrations.Files, ".")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	runner, err := migrate.NewWithInstance("iofs", source, config.Database, driver)
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
