package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// How much of what was seen lately is looked at for people, the newest first.
const (
	SeenSessions = 100_000
	SeenEvents   = 50_000
)

// SeenPerson is a person as a session or an access event has them. Decision is that of the event, as JSON.
type SeenPerson struct {
	Principal, Email, IDP string
	Time                  time.Time
	Decision              json.RawMessage // nil if it is of a session
}

// SeenPeople returns the people of the newest sessions, and of the newest access events since an instant: one of each for
// everybody who is in them.
func (tx *TenantTx) SeenPeople(since time.Time) ([]SeenPerson, error) {
	rows, err := tx.pg.Query(tx.ctx, `
		SELECT principal, email, idp, max(seen_at), NULL FROM (
			SELECT principal, email, idp, seen_at FROM session WHERE tenant_uid = @tenant ORDER BY began_at DESC, sid LIMIT @sessions
		) AS newest WHERE starts_with(principal, 'user:') GROUP BY principal, email, idp
		UNION ALL
		SELECT e.principal, e.email, coalesce(e.event->'principal'->>'identity_provider', ''), e.at, (e.event->'decision')::text FROM (
			SELECT DISTINCT ON (principal) day, edge_uid, boot, seq FROM (
				SELECT principal, id, day, edge_uid, boot, seq FROM access_event
				WHERE tenant_uid = @tenant AND day >= @day::date ORDER BY id DESC LIMIT @events
			) AS newest WHERE starts_with(principal, 'user:') ORDER BY principal, id DESC
		) AS last JOIN access_event e USING (day, edge_uid, boot, seq) WHERE e.tenant_uid = @tenant`, pgx.NamedArgs{
		"tenant": tx.head.TenantUID, "sessions": SeenSessions, "events": SeenEvents, "day": since.UTC().Format(time.DateOnly),
	})
	if err != nil {
		return nil, fmt.Errorf("list people who were seen: %w", err)
	}
	people, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (SeenPerson, error) {
		var p SeenPerson
		var decision *string
		err := row.Scan(&p.Principal, &p.Email, &p.IDP, &p.Time, &decision)
		if decision != nil {
			p.Decision = json.RawMessage(*decision)
		}
		return p, err
	})
	return people, wrap("list people who were seen", err)
}
