package supervise

import (
	"context"
	"log/slog"
	"time"
)

const restartAfter = time.Second

// Keep begins the attempt again a second after it ended, as a supervisor would; a start that never became ready is an
// error, because it would only fail again. Without restart, what died stays down, and the rest goes on.
func Keep(name string, attempt Attempt, restart bool, log *slog.Logger) Attempt {
	return func(ctx context.Context, ready func()) error {
		wasReady := false
		for {
			err := attempt(ctx, func() {
				wasReady = true
				ready()
			})
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it was stopped; how it took that does not matter
			}
			if !wasReady {
				return err
			}
			if !restart {
				log.WarnContext(ctx, "ended, and stays down", "part", name, "error", err)
				<-ctx.Done()
				return nil
			}
			log.WarnContext(ctx, "ended, starts again", "part", name, "after", restartAfter, "error", err)
			select {
			case <-time.After(restartAfter):
			case <-ctx.Done():
				return nil
			}
		}
	}
}
