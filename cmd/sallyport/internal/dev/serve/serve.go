// Package serve runs the demo's own HTTP servers on loopback ports.
//
// It must never listen on another address: these servers trust whoever reaches them.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
)

// Listen listens on 127.0.0.1. A taken port is a *launch.PortTaken.
func Listen(ctx context.Context, port int) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", launch.Loopback(port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &launch.PortTaken{Port: port}
	}
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	return listener, nil
}

const drain = 500 * time.Millisecond // the demo stops within 3 s, all of it

// Run serves until ctx is cancelled, then lets requests finish for a moment and cuts the rest. A request's context ends
// with ctx, so that a hijacked connection (WebSocket) ends too. It closes the listener.
func Run(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if server.Shutdown(draining) != nil {
		_ = server.Close() // cuts what would not finish
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	}
	return nil
}
