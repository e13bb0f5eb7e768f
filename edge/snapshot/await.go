package snapshot

import (
	"context"
	"time"
)

// Patience is for how long what an edge lacks is taken to be on its way: its pool when it has just started, and a tenant
// that its pool has just been given. A control plane that is there sends either within milliseconds, so what is missing
// after that is missing for a reason, such as an outage or an update that was refused.
const Patience = 10 * time.Second

// Await returns the newest table: once enough says that it will do, or when there is nothing to wait for, as every tenant
// is there, or what is missing has been so for [Patience], or ctx is done.
func (s *Store) Await(ctx context.Context, enough func(*Table) bool) *Table {
	for {
		s.mu.Lock()
		table, swapped, left := s.Table(), s.swaps, Patience-time.Since(s.missing)
		s.mu.Unlock()
		if table.Complete() || left <= 0 || enough(table) {
			return table
		}
		timer := time.NewTimer(left)
		select {
		case <-swapped:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return s.Table()
		}
		timer.Stop()
	}
}
