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

// OpenDatabase opens the database, waiting for one that cannot be reached yet. What waiting does not mend, such as a
// schema that is too old, is an error at once.
func OpenDatabase(ctx context.Context, config store.Config, wait time.Duration) (*store.DB, error) {
	began := time.Now()
	said := began.Add(-progressIn)
	for {
		db, err := store.Open(ctx, config)
		if err == nil {
			if waited := time.Since(began); waited > progressIn {
				config.Log.Info("the database is there", "waited", waited.Round(time.Second).String())
			}
			return db, nil
		}
		if controlplane.KindOf(err) != controlplane.Unavailable || ctx.Err() != nil {
			return nil, err
		}
		if time.Since(began) >= wait {
			return nil, fmt.Errorf("the database could not be reached within %s: %w", wait, err)
		}
		if time.Since(said) >= progressIn {
			said = time.Now()
			config.Log.Warn("waiting for the database", slog.String("error", err.Error()), slog.String("giving_up_in", (wait-time.Since(began)).Round(time.Second).String()))
		}
		timer := time.NewTimer(tryAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}
