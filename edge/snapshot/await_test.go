package snapshot_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

func never(*snapshot.Table) bool { return false }

// Waiting ends by itself, whatever comes or does not.
func TestAwaitEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := snapshot.New(snapshot.Config{Log: slog.New(slog.DiscardHandler)})
		took := func(ctx context.Context, enough func(*snapshot.Table) bool) time.Duration {
			began := time.Now()
			s.Await(ctx, enough)
			return time.Since(began)
		}
		if got := took(t.Context(), func(*snapshot.Table) bool { return true }); got != 0 {
			t.Errorf("what is enough is waited for: %s", got)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := took(impatient, never); got != time.Second {
			t.Errorf("with a second's patience it took %s", got)
		}
		if got := took(t.Context(), never); got != snapshot.Patience-time.Second {
			t.Errorf("from a second after the start it took %s", got)
		}
		if got := took(t.Context(), never); got != 0 {
			t.Errorf("after that: %s", got)
		}
		s.Withdraw()
		if got := took(t.Context(), never); got != 0 {
			t.Errorf("an edge that was disabled waits: %s", got)
		}
	})
}

// A tenant that is missing for good holds nobody up but its own, and them not for long.
func TestAwaitComplete(t *testing.T) {
	t.Parallel()
	e := world(t)
	began := time.Now()
	if table := e.Node.Store.Await(t.Context(), never); !table.Complete() {
		t.Error("the demo is not complete")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("an edge that has everything waited %s", took)
	}
}
