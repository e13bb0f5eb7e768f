package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// AccessEvent is one request at an edge: what is searched for, and the whole of it as JSON.
type AccessEvent struct {
	ID          string // ULID
	EdgeUID     controlplane.UID
	Boot        string
	Seq         int64
	Time        time.Time // by the edge's clock
	ReceiveTime time.Time // by ours
	App         string
	Principal   string
	Email       string
	Outcome     string
	Reason      string
	Event       json.RawMessage
}

// InsertEvents stores what an edge reports of one tenant. What is there already, by (tenant, edge, boot, seq), stays as
// it is, so a report can be repeated. What is not JSON is refused whole: our own edges send none such.
func (s *System) InsertEvents(ctx context.Context, tenant, edge controlplane.UID, boot string, events []AccessEvent) error {
	if len(events) == 0 {
		return nil
	}
	var days, ids, apps, principals, emails, outcomes, reasons, bodies []string
	var times []time.Time
	var seqs []int64
	for _, e := range events {
		if !json.Valid(e.Event) || !utf8.Valid(e.Event) {
			return &controlplane.Error{Kind: controlplane.Invalid, Reason: controlplane.ReasonFieldInvalid, Message: fmt.Sprintf("event %d is not JSON", e.Seq)}
		}
		days, times, seqs = append(days, e.Time.UTC().Format(time.DateOnly)), append(times, e.Time), append(seqs, e.Seq)
		ids, bodies = append(ids, storable(e.ID)), append(bodies, string(e.Event))
		apps, principals, emails = append(apps, storable(e.App)), append(principals, storable(e.Principal)), append(emails, storable(e.Email))
		outcomes, reasons = append(outcomes, storable(e.Outcome)), append(reasons, storable(e.Reason))
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		INSERT INTO access_event (tenant_uid, day, edge_uid, boot, seq, id, at, app, principal, email, outcome, reason, event)
		SELECT @tenant, day, @edge, @boot, seq, id, at, app, principal, email, outcome, reason, event::json
		FROM unnest(@days::date[], @seqs::bigint[], @ids::text[], @times::timestamptz[], @apps::text[], @principals::text[], @emails::text[],
			@outcomes::text[], @reasons::text[], @bodies::text[]) AS e (day, seq, id, at, app, principal, email, outcome, reason, event)
		ON CONFLICT DO NOTHING`, pgx.NamedArgs{
		"tenant": tenant, "edge": edge, "boot": storable(boot), "days": days, "seqs": seqs, "ids": ids, "times": times,
		"apps": apps, "principals": principals, "emails": emails, "outcomes": outcomes, "reasons": reasons, "bodies": bodies,
	})
	return s.exec(ctx, "store access events", batch)
}

// AccessEventQuery selects events, newest first.
type AccessEventQuery struct {
	ID            string // only this one, or the two of a stream
	App           string
	Principal     string // subject or e-mail
	Outcome       string
	Before        EventPlace // only those older than this one
	ReceivedSince time.Time  // only those that came at or after this instant
	Limit         int
}

// EventPlace is where an event is among those of a tenant. The two records of a stream have one id, and different numbers.
type EventPlace struct {
	ID  string
	Seq int64
}

// String is the form that [EventPlace.UnmarshalText] reads.
func (p EventPlace) String() string { return fmt.Sprintf("%s %d", p.ID, p.Seq) }

// UnmarshalText reads the form of String; nothing is no place.
func (p *EventPlace) UnmarshalText(text []byte) error {
	*p = EventPlace{}
	id, number, _ := strings.Cut(string(text), " ")
	if id == "" && number == "" {
		return nil
	}
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return fmt.Errorf("read the place of an event: %w", err)
	}
	*p = EventPlace{id, seq}
	return nil
}

// Place is where an event is.
func (e *AccessEvent) Place() EventPlace { return EventPlace{e.ID, e.Seq} }

// AccessEvents lists events, newest first by place.
func (tx *TenantTx) AccessEvents(q AccessEventQuery) ([]AccessEvent, error) {
	// Only what is asked for is in the query: a condition that may be none keeps Postgres from the index that serves it.
	where := []string{`tenant_uid = @tenant`}
	for _, c := range []struct {
		asked     bool
		condition string
	}{
		{q.ID != "", `id = @id`},
		{q.App != "", `app = @app`},
		{q.Principal != "", `(principal = @principal OR lower(email) = lower(@principal))`},
		{q.Outcome != "", `outcome = @outcome`},
		{q.Before.ID != "", `(id, seq) < (@before, @number)`},
		{!q.ReceivedSince.IsZero(), `received_at >= @since`},
	} {
		if c.asked {
			where = append(where, c.condition)
		}
	}
	rows, err := tx.pg.Query(tx.ctx, `
		SELECT id, edge_uid, boot, seq, at, received_at, app, principal, email, outcome, reason, event::text FROM access_event
		WHERE `+strings.Join(where, ` AND `)+` ORDER BY id DESC, seq DESC LIMIT @limit`, pgx.NamedArgs{
		"tenant": tx.head.TenantUID, "id": q.ID, "app": q.App, "principal": q.Principal, "outcome": q.Outcome,
		"before": q.Before.ID, "number": q.Before.Seq, "since": q.ReceivedSince, "limit": q.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list access events: %w", err)
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (AccessEvent, error) {
		var e AccessEvent
		var event string
		err := row.Scan(&e.ID, &e.EdgeUID, &e.Boot, &e.Seq, &e.Time, &e.ReceiveTime, &e.App, &e.Principal, &e.Email, &e.Outcome, &e.Reason, &event)
		e.Time, e.ReceiveTime, e.Event = e.Time.UTC(), e.ReceiveTime.UTC(), json.RawMessage(event)
		return e, err
	})
	return events, wrap("list access events", err)
}
