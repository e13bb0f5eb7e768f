package store

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// EventScan goes through events of a time, newest first, page by page. It belongs to one transaction.
type EventScan struct {
	Since, Until time.Time // by the edges' clocks: from Since until just before Until
	App          string    // only this one's
	Page         int       // events at a time, of all apps

	// Of the page that was read.
	Passed int    // events of other apps
	Last   string // the id of the last one, of whichever app

	open   bool
	ids    []string
	events []byte
	ends   []int
}

// All yields the ids and bytes of the events of the page, which are good until the next one is read. Those of other
// apps are left out. The two records of
// a stream have one id, the later one first.
func (scan *EventScan) All(yield func(id string, event []byte) bool) {
	begin := 0
	for i, id := range scan.ids {
		if !yield(id, scan.events[begin:scan.ends[i]]) {
			return
		}
		begin = scan.ends[i]
	}
}

// ScanEvents reads the next page; more is false if it is the last. Many more are read this way than listed, so nothing is
// decoded, and where the last page ended is not looked for again: a cursor knows. There may be one scan a transaction. What
// is of one app only is found among all: no index has it, and one page must not take the time of all that are passed over.
func (tx *TenantTx) ScanEvents(scan *EventScan) (more bool, err error) {
	if !scan.open {
		if err := tx.openScan(scan); err != nil {
			return false, fmt.Errorf("scan access events: %w", err)
		}
		scan.open = true
	}
	scan.ids, scan.events, scan.ends, scan.Passed = scan.ids[:0], scan.events[:0], scan.ends[:0], 0
	rows, err := tx.pg.Query(tx.ctx, fmt.Sprintf(`FETCH %d FROM events`, scan.Page)) // it takes no parameter
	if err != nil {
		return false, fmt.Errorf("scan access events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		raw := rows.RawValues()
		scan.Last = string(raw[0])
		if raw[1] == nil {
			scan.Passed++
			continue
		}
		scan.ids = append(scan.ids, scan.Last)
		scan.events = append(scan.events, raw[1]...)
		scan.ends = append(scan.ends, len(scan.events))
	}
	return len(scan.ids)+scan.Passed == scan.Page, wrap("scan access events", rows.Err())
}

// StayOpen asks nothing of a transaction, so that it is not idle for too long while what it read is worked on.
func (tx *TenantTx) StayOpen() error {
	_, err := tx.pg.Exec(tx.ctx, `SELECT`)
	return wrap("keep a transaction", err)
}

// openScan has the rows come from the index, as they are wanted. Without statistics, which the newest partitions have
// not, Postgres would rather read and sort all of them before it returns the first.
func (tx *TenantTx) openScan(scan *EventScan) error {
	_, err := tx.pg.Exec(tx.ctx, `
		SELECT set_config(name, 'off', true) FROM unnest(ARRAY['enable_sort', 'enable_seqscan', 'enable_bitmapscan']) AS name`)
	if err != nil {
		return err
	}
	event := `event`
	if scan.App != "" {
		event = `CASE WHEN app = @app THEN event END`
	}
	_, err = tx.pg.Exec(tx.ctx, `
		DECLARE events NO SCROLL CURSOR FOR SELECT id, `+event+` FROM access_event
		WHERE tenant_uid = @tenant AND day BETWEEN @first AND @last AND at >= @since AND at < @until
		ORDER BY id DESC, seq DESC`, pgx.NamedArgs{
		"tenant": tx.head.TenantUID, "first": scan.Since.UTC().Truncate(24 * time.Hour), "last": scan.Until.UTC().Truncate(24 * time.Hour),
		"since": scan.Since, "until": scan.Until, "app": scan.App,
	})
	return err
}
