package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/sallyport-iap/sallyport/controlplane"
)

func TestWritersWaitInLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWriters()
		acme := writer{"acme", controlplane.Config}
		leave, err := w.enter(t.Context(), acme)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []writer{{"acme", controlplane.Urgent}, {"globex", controlplane.Config}} {
			leaveOther, err := w.enter(t.Context(), other) // does not wait for acme's
			if err != nil {
				t.Fatal(err)
			}
			leaveOther()
		}

		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, maxWaiting)
		for range maxWaiting {
			go func() {
				leave, err := w.enter(ctx, acme)
				if err == nil {
					leave()
				}
				results <- err
			}()
		}
		synctest.Wait()
		if _, err := w.enter(t.Context(), acme); controlplane.KindOf(err) != controlplane.Exhausted {
			t.Errorf("one more than may wait: got %v, want Exhausted", err)
		}
		cancel()
		for range maxWaiting {
			if err := <-results; !errors.Is(err, context.Canceled) {
				t.Errorf("a writer that gave up: got %v", err)
			}
		}
		leave()
		if len(w.lines) != 0 {
			t.Errorf("%d lines are left with nobody in them", len(w.lines))
		}
	})
}
