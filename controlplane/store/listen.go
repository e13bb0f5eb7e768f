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
//
// Postgres orders notifications by a lock of the whole server, which a transaction that notifies holds until it is on
// disk. So only what is rare (a change), or never waits for the disk (an acknowledgement: its table is unlogged), may
// notify. Reports, which come all the time, must not: every acknowledgement would wait for theirs to be written.
const (
	ChannelHead = "sallyport_head" // its head moved
	ChannelAck  = "sallyport_ack"  // an edge said something
)

// A database that hangs, or a network that swallows what is sent, breaks no connection. So whoever waits on one asks it
// something now and then: it is given up after quiet and pingWithin together, 15 s.
const (
	// quiet is after how long without a notification, or without the lock, the connection is asked whether it is there.
	quiet = 10 * time.Second
	// pingWithin is how long it may take to say so.
	pingWithin = 5 * time.Second
	// pingLeader is how often the connection that holds a lock is asked: nobody else does what its leader does.
	pingLeader = 2 * time.Second
)

// patience is how long a connection of its own may be silent; tests have less of it.
type patience struct{ quiet, ping time.Duration }

// Listen calls fn with every notification, and with two empty strings whenever it has connected: then anything may have
// been missed. It has a connection of its own, straight to the primary, and a broken one is replaced. A notification is
// a hint to look, never the only way to learn of something. It returns when ctx ends.
func (s *System) Listen(ctx context.Context, fn func(channel, payload string)) error {
	return s.onOwnConnection(ctx, "listen", func(conn *pgx.Conn) error {
		for _, channel := range []string{ChannelHead, ChannelAck} {
			if err := within(ctx, s.wait.ping, conn, "LISTEN "+channel); err != nil {
				return err
			}
		}
		fn("", "")
		for {
			waiting, cancel := context.WithTimeout(ctx, s.wait.quiet)
			notification, err := conn.WaitForNotification(waiting)
			cancel()
			switch {
			case err == nil:
				fn(notification.Channel, notification.Payload)
			case ctx.Err() == nil && pgconn.Timeout(err) && !conn.IsClosed():
				// What is notified meanwhile is kept for the next wait.
				if err := within(ctx, s.wait.ping, conn, ";"); err != nil {
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
		if err := s.lead(ctx, conn, name); err != nil {
			return err
		}
		leading, cancel := context.WithCancel(ctx)
		watched := make(chan error, 1)
		go func() {
			watched <- s.watch(leading, conn)
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

// lead waits for the lock. It asks again and again, as it would wait for ever on a connection that nobody is behind any
// more. And Postgres takes the lock from a session that says nothing: this process may hang, or its host be gone, and the
// connection stay.
func (s *System) lead(ctx context.Context, conn *pgx.Conn, name string) error {
	if err := within(ctx, s.wait.ping, conn, "SET idle_session_timeout = "+milliseconds(s.wait.quiet+s.wait.ping)); err != nil {
		return err
	}
	for {
		err := within(ctx, s.wait.quiet+s.wait.ping, conn, `SELECT pg_advisory_lock(hashtext('sallyport_leader'), hashtext($1))`, name)
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != pgLockNotAvailable {
			return err
		}
	}
}

// watch returns nil when ctx ends, and the error as soon as the connection is found broken.
func (s *System) watch(ctx context.Context, conn *pgx.Conn) error {
	ticker := time.NewTicker(min(pingLeader, s.wait.quiet))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := within(context.WithoutCancel(ctx), s.wait.ping, conn, ";"); err != nil {
				return err
			}
		}
	}
}

// within runs one statement, or gives up the connection.
func within(ctx context.Context, limit time.Duration, conn *pgx.Conn, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := conn.Exec(ctx, sql, args...)
	return err
}

// onOwnConnection runs use on a connection outside the pools, and again on a new one whenever that broke. It ends with
// ctx, or with an error that is not a broken connection's.
func (s *System) onOwnConnection(ctx context.Context, doing string, use func(*pgx.Conn) error) error {
	config := s.feed.Config().ConnConfig
	// Who waits for a lock asks for it again, so that Postgres too forgets who has gone meanwhile.
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["lock_timeout"] = milliseconds(s.wait.quiet)
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
