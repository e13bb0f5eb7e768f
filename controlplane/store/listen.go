package store

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Channels of notifications. The payload is a tenant's uid.
const (
	ChannelHead  = "sallyport_head"  // its head moved
	ChannelAck   = "sallyport_ack"   // an edge said something
	ChannelEvent = "sallyport_event" // access events were stored
)

// quiet is after how long without a notification the connection is asked whether it is still there.
const quiet = 30 * time.Second

// Listen calls fn with every notification, and with two empty strings whenever it has connected: then anything may have
// been missed. It has a connection of its own, straight to the primary, and a broken one is replaced. A notification is
// a hint to look, never the only way to learn of something. It returns when ctx ends.
func (s *System) Listen(ctx context.Context, fn func(channel, payload string)) error {
	return s.onOwnConnection(ctx, "listen", func(conn *pgx.Conn) error {
		for _, channel := range []string{ChannelHead, ChannelAck, ChannelEvent} {
			if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
				return err
			}
		}
		fn("", "")
		for {
			waiting, cancel := context.WithTimeout(ctx, quiet)
			notification, err := conn.WaitForNotification(waiting)
			cancel()
			switch {
			case err == nil:
				fn(notification.Channel, notification.Payload)
			case ctx.Err() == nil && pgconn.Timeout(err) && !conn.IsClosed():
				if err := ping(ctx, conn); err != nil {
					return err
				}
			default:
				return err
			}
		}
	})
}

// Leader runs fn while this process holds the named lock, waiting for it first: of all replicas one runs it at a time.
// If the connection that holds the lock breaks, fn's context ends and another replica may already be running it: fn
// must be safe to run twice at once for a moment, and this waits for the lock anew. It returns when fn does, or ctx ends.
func (s *System) Leader(ctx context.Context, name string, fn func(context.Context) error) error {
	var result error
	done := errors.New("done")
	err := s.onOwnConnection(ctx, "lead "+name, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtext('sallyport_leader'), hashtext($1))`, name); err != nil {
			return err
		}
		leading, cancel := context.WithCancel(ctx)
		watched := make(chan error, 1)
		go func() {
			watched <- watch(leading, conn)
			cancel()
		}()
		result = fn(leading)
		cancel()
		if lost := <-watched; lost != nil && ctx.Err() == nil {
			return fmt.Errorf("no longer leading %s: %w", name, lost)
		}
		return done
	})
	if errors.Is(err, done) {
		return result
	}
	return err
}

// watch returns nil when ctx ends, and the error as soon as the connection is found broken.
func watch(ctx context.Context, conn *pgx.Conn) error {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := ping(context.WithoutCancel(ctx), conn); err != nil {
				return err
			}
		}
	}
}

func ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return conn.Ping(ctx)
}

// onOwnConnection runs use on a connection outside the pools, and again on a new one whenever that broke. It ends with
// ctx, or with an error that is not a broken connection's.
func (s *System) onOwnConnection(ctx context.Context, doing string, use func(*pgx.Conn) error) error {
	config := s.feed.Config().ConnConfig
	// These connections wait for hours by design.
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["lock_timeout"] = "0"
	const longest = 2 * time.Second
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, longest) {
		began := time.Now()
		err := withConnection(ctx, config, use)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !broken(err) {
			return wrap(doing, err)
		}
		s.log.WarnContext(ctx, "database connection broke", "doing", doing, "error", err)
		if time.Since(began) > longest {
			pause = 50 * time.Millisecond
		}
		timer := time.NewTimer(mathrand.N(pause)) //nolint:gosec // spreads reconnects; guards nothing
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func withConnection(ctx context.Context, config *pgx.ConnConfig, use func(*pgx.Conn) error) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = conn.Close(closing) // nothing is left to lose on it
	}()
	return use(conn)
}
