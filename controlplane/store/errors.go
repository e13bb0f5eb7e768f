package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// SQLSTATE codes that mean something to us.
const (
	pgUniqueViolation      = "23505"
	pgNotInRepertoire      = "22021"
	pgUntranslatable       = "22P05"
	pgSerializationFailure = "40001"
	pgDeadlock             = "40P01"
	pgQueryCanceled        = "57014"
	pgLockNotAvailable     = "55P03"
	pgIdleInTransaction    = "25P03"
	pgReadOnly             = "25006"
)

// translate is the one table from what Postgres and the network say to kinds of error. What already is one, or is our
// caller's own context, passes; what is in no row is internal.
func translate(ctx context.Context, err error) error {
	if err == nil || controlplane.KindOf(err) != 0 {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("store: %w", ctx.Err())
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return translatePostgres(pg, err)
	}
	if lostConnection(err) {
		return unavailable(err)
	}
	return fmt.Errorf("store: %w", err)
}

func translatePostgres(pg *pgconn.PgError, err error) error {
	switch pg.Code {
	case pgUniqueViolation:
		if reason, message, ok := takenBy(pg.ConstraintName); ok {
			return &controlplane.Error{Kind: controlplane.Exists, Reason: reason, Message: message, Cause: err}
		}
	case pgNotInRepertoire, pgUntranslatable:
		return &controlplane.Error{
			Kind: controlplane.Invalid, Reason: controlplane.ReasonFieldInvalid,
			Message: "a text holds a character that cannot be stored, such as NUL", Cause: err,
		}
	case pgSerializationFailure, pgDeadlock:
		return &controlplane.Error{
			Kind: controlplane.Exhausted, Reason: controlplane.ReasonRate,
			Message: "too many changes at the same time", RetryAfter: time.Second, Cause: err,
		}
	case pgQueryCanceled, pgLockNotAvailable, pgIdleInTransaction, pgReadOnly:
		return unavailable(err)
	}
	switch pg.Code[:2] {
	case "08", "53", "57", "58": // connection, resources, operator intervention, system error
		return unavailable(err)
	}
	return fmt.Errorf("store: %w", err)
}

// takenBy says which unique constraints a caller can do something about.
func takenBy(constraint string) (reason, message string, ok bool) {
	switch constraint {
	case "tenant_id_key", "tenant_pkey":
		return controlplane.ReasonIDTaken, "a tenant of this id exists", true
	case "api_token_token_id_key", "service_token_token_id_key", "join_token_pkey", "resource_uid_key":
		return controlplane.ReasonIDTaken, "this id is taken", true
	default:
		return "", "", false
	}
}

func unavailable(err error) error {
	return &controlplane.Error{
		Kind: controlplane.Unavailable, Reason: controlplane.ReasonStoreDown,
		Message: "the database cannot be reached", RetryAfter: time.Second, Cause: err,
	}
}

func lostConnection(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) || pgconn.Timeout(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// retryable says whether running the same transaction again on fresh state can succeed where it just failed.
func retryable(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch pg.Code {
	case pgSerializationFailure, pgDeadlock:
		return true
	case pgUniqueViolation:
		// Somebody is doing the same request at the same time: the next run sees its answer.
		return pg.ConstraintName == "request_seen_pkey"
	default:
		return false
	}
}

// notFound is the answer to whatever is not there or not the caller's.
func notFound() error { return controlplane.NotFoundError() }

// broken says whether an error is that of a connection rather than of what was asked.
func broken(err error) bool {
	return controlplane.KindOf(translate(context.Background(), err)) == controlplane.Unavailable
}
