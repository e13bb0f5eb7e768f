package store

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// EventScan goes through events of a time, newest first.
type EventScan struct {
	Since, Until time.Time // by the edges' clocks: from Since until just before Until
	App          string    // only this one's
	// Where the page before ended. Two records of one stream share an id.
	AfterID  string
	AfterSeq int64
	Limit    int // of a page

	ids    []string
	events []byte
	ends   []int
}

// All yields the ids and bytes of the events of the page, which are good until the next one is read.
func (scan *EventScan) All(yield func(id string, event []byte) bool) {
	begin := 0
	for i, id := range scan.ids {
		if !yield(id, scan.events[begin:scan.ends[i]]) {
			return
		}
		begin = scan.ends[i]
	}
}

// Size is how many events the page has.
func (scan *EventScan) Size() int { return len(scan.ids) }

// ScanEvents reads a page, and moves the scan behind it. Many more are read this way than listed, so nothing is decoded; a
// transaction that reads page after page sees one instant.
func (tx *TenantTx) ScanEvents(scan *EventScan) error {
	rows, err := tx.pg.Query(tx.ctx, `
		SELECT id, seq, event FROM access_event
		WHERE tenant_uid = @tenant AND day BETWEEN @first AND @last AND at >= @since AND at < @until AND (@app = '' OR app = @app)
			AND (@after = '' OR id < @after OR id = @after AND seq < @seq) AND (@after = '' OR id <= @after)
		ORDER BY id DESC, seq DESC LIMIT @limit`, pgx.NamedArgs{
		"tenant": tx.head.TenantUID, "first": scan.Since.UTC().Truncate(24 * time.Hour), "last": scan.Until.UTC().Truncate(24 * time.Hour),
		"since": scan.Since, "until": scan.Until, "app": scan.App, "after": scan.AfterID, "seq": scan.AfterSeq, "limit": scan.Limit,
	})
	if err != nil {
		return fmt.Errorf("scan access events: %w", err)
	}
	defer rows.Close()
	scan.ids, scan.events, scan.ends = scan.ids[:0], scan.events[:0], scan.ends[:0]
	for rows.Next() {
		if err := rows.Scan(&scan.AfterID, &scan.AfterSeq, nil); err != nil {
			return fmt.Errorf("scan access events: %w", err)
		}
		scan.ids = append(scan.ids, scan.AfterID)
		scan.events = append(scan.events, rows.RawValues()[2]...)
		scan.ends = append(scan.ends, len(scan.events))
	}
	return wrap("scan access events", rows.Err())
}
