package supervise

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch/postgres"
	"github.com/sallyport-iap/sallyport/cmd/internal/launch/redis"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/serve"
)

// Postgres runs a server; started is told about each start. A fixed port keeps its URL the same.
func Postgres(config postgres.Config, started func(*postgres.Server)) Attempt {
	return func(ctx context.Context, ready func()) error {
		server, err := postgres.Start(ctx, config)
		if err != nil {
			return err
		}
		defer server.Stop()
		started(server)
		ready()
		select {
		case <-ctx.Done():
			return nil
		case <-server.Done():
			return server.Wait()
		}
	}
}

// Redis runs a server; started is told about each start. A fixed port keeps its address the same.
func Redis(config redis.Config, started func(*redis.Server)) Attempt {
	return func(ctx context.Context, ready func()) error {
		server, err := redis.Start(ctx, config)
		if err != nil {
			return err
		}
		defer server.Stop()
		started(server)
		ready()
		select {
		case <-ctx.Done():
			return nil
		case <-server.Done():
			return server.Wait()
		}
	}
}

// Server serves HTTP in this process.
func Server(listener net.Listener, handler http.Handler, log *slog.Logger) Attempt {
	return func(ctx context.Context, ready func()) error {
		ready() // the listener listens already
		return serve.Run(ctx, listener, handler, log)
	}
}
