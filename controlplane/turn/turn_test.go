package turn_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/turn"
)

func TestOneTenantWaitsForItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := turn.New(turn.Config{What: "tests", All: 2, Each: 1})
		took := make(chan func(), 10)
		take := func(tenant controlplane.UID) {
			go func() {
				give, err := turns.Take(t.Context(), tenant)
				if err != nil {
					t.Error(err)
				}
				took <- give
			}()
			synctest.Wait()
		}
		want := func(n int) {
			t.Helper()
			synctest.Wait()
			if len(took) != n {
				t.Fatalf("%d have a turn, want %d", len(took), n)
			}
		}
		for range 5 {
			take("acme")
		}
		want(1)
		take("globex") // is not behind those of acme
		want(2)
		take("third") // there are two turns in all
		want(2)
		(<-took)() // acme gives its turn back, for which the third has waited longest
		want(2)
		for range 6 {
			(<-took)()
			synctest.Wait()
		}
		want(0)
	})
}

func TestWhoLeavesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := turn.New(turn.Config{What: "tests", All: 1, Each: 1})
		first, err := turns.Take(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		for _, tenant := range []controlplane.UID{"acme", "globex"} { // one waits in its own line, one in that of all
			go func() {
				if _, err := turns.Take(ctx, tenant); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", tenant, err)
				}
			}()
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		first()
		for _, tenant := range []controlplane.UID{"acme", "globex"} {
			give, err := turns.Take(t.Context(), tenant)
			if err != nil {
				t.Fatal(err)
			}
			give()
		}
	})
}

func TestTooManyAreToldToComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := turn.New(turn.Config{What: "tests", All: 1, Each: 1})
		give, err := turns.Take(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		defer give()
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		for range 64 {
			go func() { _, _ = turns.Take(ctx, "acme") }()
		}
		synctest.Wait()
		_, err = turns.Take(ctx, "acme")
		if refused, ok := errors.AsType[*controlplane.Error](err); !ok || refused.Kind != controlplane.Exhausted || refused.RetryAfter == 0 {
			t.Errorf("got %v", err)
		}
		if controlplane.KindOf(err) != controlplane.Exhausted {
			t.Errorf("of kind %v", controlplane.KindOf(err))
		}
	})
}
