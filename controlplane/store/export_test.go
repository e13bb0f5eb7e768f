package store

import (
	"fmt"
	"testing"
	"time"
)

// SetFeedDeadline makes operations of the feed's role end sooner.
func (db *DB) SetFeedDeadline(d time.Duration) { db.system.feed.deadline = d }

// SetPatience makes connections that wait, for notifications or for a lock, notice sooner that nobody is there.
func (db *DB) SetPatience(quiet, ping time.Duration) { db.system.wait = patience{quiet, ping} }

// Leaks looks at every idle connection of the API's pool, and returns what the user before left on it.
func (db *DB) Leaks(t *testing.T) []string {
	t.Helper()
	var leaks []string
	connections := db.app.AcquireAllIdle(t.Context())
	defer func() {
		for _, c := range connections {
			c.Release()
		}
	}()
	for _, c := range connections {
		var tenant string
		if err := c.QueryRow(t.Context(), `SELECT coalesce(current_setting('sallyport.tenant', true), '')`).Scan(&tenant); err != nil {
			leaks = append(leaks, fmt.Sprintf("an unusable connection: %v", err))
		}
		if status := c.Conn().PgConn().TxStatus(); tenant != "" || status != 'I' {
			leaks = append(leaks, fmt.Sprintf("tenant %q, transaction status %c", tenant, status))
		}
	}
	return leaks
}
