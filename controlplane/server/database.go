package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

const (
	tryAgain   = 500 * time.Millisecond
	progressIn = 5 * time.Second
)

// OpenDatabase opens the database, waiting for one that cannot be reached yet.
func OpenDatabase(ctx context.Context, config store.Config, wait time.Duration) (db *store.DB, err error) {
	err = AwaitDatabase(ctx, wait, config.Log, func(ctx context.Context) error {
		db, err = store.Open(ctx, config)
		return err
	})
	return db, err
}

// AwaitDatabase tries something until the database can be reached, saying so meanwhile. What waiting does not mend, such
// as a schema that is too old, is an error at once.
func AwaitDatabase(ctx context.Context, wait time.Duration, log *slog.Logger, try func(context.Context) error) error {
	began := time.Now()
	said := began.Add(-progressIn)
	for {
		err := try(ctx)
		switch {
		case err == nil:
			return nil
		case controlplane.KindOf(err) != controlplane.Unavailable || ctx.Err() != nil:
			return err
		case time.Since(began) >= wait:
			return fmt.Errorf("the database could not be reached within %s: %w", wait, err)
		case time.Since(said) >= progressIn:
			said = time.Now()
			log.WarnContext(ctx, "waiting for the database", "error", err, "giving_up_in", (wait - time.Since(began)).Round(time.Second).String())
		}
		timer := time.NewTimer(tryAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
