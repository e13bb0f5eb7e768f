package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// patience is how long a test waits for what happens at once unless it is broken.
const patience = 20 * time.Second

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme := storetest.Tenant(t, db, "acme")
	type notification struct{ channel, payload string }
	came := make(chan notification, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- db.System().Listen(ctx, func(channel, payload string) { came <- notification{channel, payload} })
	}()
	next := func(want notification) {
		t.Helper()
		if got := receive(t, came, want.channel); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	next(notification{}) // connected

	put(t, db, acme, app("wiki"))
	next(notification{store.ChannelHead, string(acme)})
	inTx(t, db, acme, func(tx *store.TenantTx) error { return record(tx, controlplane.Urgent) })
	next(notification{store.ChannelHead, string(acme)}) // once for both lanes
	ack := []store.Ack{{EdgeUID: newUID(t), TenantUID: acme, Config: 1}, {EdgeUID: newUID(t), TenantUID: acme, Config: 1}}
	for range 2 { // the second time nothing is new, so nobody is woken
		if err := db.System().PutAcks(ctx, ack); err != nil {
			t.Fatal(err)
		}
	}
	next(notification{store.ChannelAck, string(acme)})

	// What edges report wakes nobody, nor does what is undone or tried out; a broken connection is made anew and says so.
	if err := db.System().InsertEvents(ctx, acme, newUID(t), "b", []store.AccessEvent{{ID: "E", Time: time.Now(), Event: []byte(`{}`)}}); err != nil {
		t.Fatal(err)
	}
	_ = db.Tenant(ctx, acme, func(tx *store.TenantTx) error { return errors.Join(record(tx, controlplane.Config), errUndo) })
	super := superuser(t, urls)
	exec(t, super, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`)
	next(notification{})
	put(t, db, acme, app("wiki"))
	next(notification{store.ChannelHead, string(acme)})

	cancel()
	if err := receive(t, done, "the end of Listen"); !errors.Is(err, context.Canceled) {
		t.Errorf("Listen returned %v, want context.Canceled", err)
	}
}

func TestOneLeaderAtATime(t *testing.T) {
	t.Parallel()
	urls, keys := storetest.Database(t), ephemeral(t)
	replicas := []*store.System{storetest.OpenWith(t, urls, keys).System(), storetest.OpenWith(t, urls, keys).System()}
	ctx, cancel := context.WithCancel(t.Context())
	elected, deposed := make(chan int, 10), make(chan int, 10)
	done := make(chan error, len(replicas))
	for i, replica := range replicas {
		go func() {
			done <- replica.Leader(ctx, "test", func(ctx context.Context) error {
				elected <- i
				<-ctx.Done()
				deposed <- i
				return ctx.Err()
			})
		}()
	}
	first := receive(t, elected, "the first leader")
	if err := replicas[1-first].Leader(ctx, "another", func(context.Context) error { return errUndo }); !errors.Is(err, errUndo) {
		t.Errorf("another name: got %v, want fn's error", err)
	}
	if len(elected) > 0 {
		t.Error("two lead at once")
	}

	// The connection that holds the lock dies: whoever led is told, and the lock goes to whoever is next.
	exec(t, superuser(t, urls), `SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE locktype = 'advisory' AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	receive(t, elected, "the next leader")
	if was := receive(t, deposed, "the end of the first term"); was != first {
		t.Errorf("%d was deposed, want %d", was, first)
	}
	cancel()
	for range replicas {
		if err := receive(t, done, "the end of Leader"); !errors.Is(err, context.Canceled) {
			t.Errorf("Leader returned %v, want context.Canceled", err)
		}
	}
}
