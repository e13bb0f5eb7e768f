package store_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// However a transaction ends, the next user of its connection must not be in that tenant, nor in a transaction.
func TestConnectionsGoBackClean(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme, globex := storetest.Tenant(t, db, "acme"), storetest.Tenant(t, db, "globex")
	put(t, db, acme, app("wiki"))
	super := superuser(t, urls)

	ends := map[string]func(ctx context.Context, cancel context.CancelFunc, tx *store.TenantTx) error{
		"error": func(context.Context, context.CancelFunc, *store.TenantTx) error { return errUndo },
		"panic": func(context.Context, context.CancelFunc, *store.TenantTx) error { panic("out of the middle") },
		"cancelled before the end": func(_ context.Context, cancel context.CancelFunc, _ *store.TenantTx) error {
			cancel()
			return nil
		},
		"cancelled, then a query": func(_ context.Context, cancel context.CancelFunc, tx *store.TenantTx) error {
			cancel()
			_, err := tx.Resource(controlplane.KindApp, "wiki")
			return err
		},
		"statement that fails": func(_ context.Context, _ context.CancelFunc, tx *store.TenantTx) error {
			return tx.PutAPIToken(newUID(t), "x", []byte("hash"), time.Now()) // no such resource
		},
		"connection killed": func(_ context.Context, _ context.CancelFunc, tx *store.TenantTx) error {
			exec(t, super, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND usename = 'sallyport_app'
				AND datname = current_database()`)
			_, err := tx.Resource(controlplane.KindApp, "wiki")
			return err
		},
		"commit": func(_ context.Context, _ context.CancelFunc, tx *store.TenantTx) error {
			return record(tx, controlplane.Config)
		},
		"dry run": func(_ context.Context, _ context.CancelFunc, tx *store.TenantTx) error { tx.DryRun(); return nil },
	}
	for name, end := range ends {
		func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			defer func() { _ = recover() }()
			_ = db.Tenant(ctx, acme, func(tx *store.TenantTx) error { return end(ctx, cancel, tx) })
		}()
		for _, leak := range db.Leaks(t) {
			t.Errorf("after %s: %s", name, leak)
		}
	}
	read(t, db, globex, func(tx *store.TenantTx) error {
		if apps, err := tx.AllResources(controlplane.KindApp); err != nil || len(apps) != 0 {
			t.Errorf("another tenant sees %v, %v", apps, err)
		}
		return nil
	})
}

func TestUnreachableDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme := storetest.Tenant(t, db, "acme")
	super := superuser(t, urls)

	err := db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
		exec(t, super, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()`)
		_, err := tx.Resource(controlplane.KindApp, "wiki")
		return err
	})
	wantUnavailable(t, "killed in a transaction", err)

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent.Close()
	gone := "postgres://sallyport_app@" + silent.Addr().String() + "/x?sslmode=disable"
	_, err = store.Open(t.Context(), store.Config{AppURL: gone, FeedURL: gone})
	wantUnavailable(t, "nobody listens", err)
	wantUnavailable(t, "nobody listens to migrate", store.Migrate(t.Context(), gone))
}

// A database that hangs is worse than one that is away: nothing breaks. What runs in the background has no caller to give up.
func TestHangingDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme := storetest.Tenant(t, db, "acme")
	db.SetFeedDeadline(500 * time.Millisecond)
	super := superuser(t, urls)
	exec(t, super, `BEGIN`)
	exec(t, super, `LOCK TABLE tenant, edge, edge_ack IN ACCESS EXCLUSIVE MODE`) // lock_timeout alone is 5 s
	system := db.System()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	operations := map[string]func() error{
		"query":    func() error { _, err := system.Heads(ctx); return err },
		"row":      func() error { _, err := system.TenantUID(ctx, "acme"); return err },
		"exec":     func() error { return system.EdgeDeparted(ctx, newUID(t)) },
		"batch":    func() error { return system.EdgesSeen(ctx, []store.EdgeSeen{{EdgeUID: newUID(t)}}) },
		"snapshot": func() error { _, err := system.Snapshot(ctx, acme, 0, 0); return err },
	}
	for name, operation := range operations {
		wantUnavailable(t, name, operation())
	}
	exec(t, super, `ROLLBACK`)
	db.SetFeedDeadline(time.Minute)
	for name, operation := range operations {
		if err := operation(); err != nil {
			t.Errorf("%s, once it answers again: %v", name, err)
		}
	}
}

func wantUnavailable(t *testing.T, name string, err error) {
	t.Helper()
	e, ok := errors.AsType[*controlplane.Error](err)
	if !ok || e.Kind != controlplane.Unavailable || e.Reason != controlplane.ReasonStoreDown || e.RetryAfter == 0 {
		t.Errorf("%s: got %v, want STORE_DOWN", name, err)
		return
	}
	if strings.ContainsAny(e.Message, ":@") {
		t.Errorf("%s: the message tells where: %s", name, e.Message)
	}
}

func TestCallersContextIsNotTheDatabasesFault(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"Tenant": db.Tenant(ctx, acme, func(*store.TenantTx) error { return nil }),
		"Read":   db.Read(ctx, acme, func(*store.TenantTx) error { return nil }),
		"System": func() error { _, err := db.System().Heads(ctx); return err }(),
	} {
		if !errors.Is(err, context.Canceled) || controlplane.KindOf(err) != 0 {
			t.Errorf("%s: got %v, want context.Canceled", name, err)
		}
	}
}

func TestOpenRefusesRolesThatWalkThroughTheWall(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	for name, config := range map[string]store.Config{
		"superuser as the API":  {AppURL: urls.Superuser, FeedURL: urls.Feed},
		"owner as the API":      {AppURL: urls.Owner, FeedURL: urls.Feed},
		"feed as the API":       {AppURL: urls.Feed, FeedURL: urls.Feed},
		"superuser as the feed": {AppURL: urls.App, FeedURL: urls.Superuser},
		"the API as the feed":   {AppURL: urls.App, FeedURL: urls.App},
		"simple protocol":       {AppURL: urls.App + "&default_query_exec_mode=simple_protocol", FeedURL: urls.Feed},
	} {
		if db, err := store.Open(t.Context(), config); err == nil {
			db.Close()
			t.Errorf("%s: opened", name)
		} else if kind := controlplane.KindOf(err); kind == controlplane.Unavailable {
			t.Errorf("%s: %v, which would be retried for ever", name, err)
		}
	}
	wrong := strings.Replace(urls.App, "sallyport_app:", "sallyport_app:wrong", 1)
	if _, err := store.Open(t.Context(), store.Config{AppURL: wrong, FeedURL: urls.Feed}); err == nil || controlplane.KindOf(err) == controlplane.Unavailable {
		t.Errorf("a wrong password: got %v, want an error that is not retried", err)
	}
}

func TestOpenRefusesAnOldSchema(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"not migrated":        `DROP TABLE schema_migrations CASCADE`,
		"version before":      `UPDATE schema_migrations SET version = version - 1`,
		"failed half-way":     `UPDATE schema_migrations SET dirty = true`,
		"no version at all":   `DELETE FROM schema_migrations`,
		"not ours to look at": `REVOKE ALL ON schema_migrations FROM sallyport_app`,
	} {
		urls := storetest.Database(t)
		exec(t, superuser(t, urls), damage)
		_, err := store.Open(t.Context(), store.Config{AppURL: urls.App, FeedURL: urls.Feed})
		if controlplane.KindOf(err) != controlplane.Precondition {
			t.Errorf("%s: got %v, want Precondition", name, err)
		}
	}
	newer := storetest.Database(t)
	exec(t, superuser(t, newer), `UPDATE schema_migrations SET version = version + 1`)
	db, err := store.Open(t.Context(), store.Config{AppURL: newer.App, FeedURL: newer.Feed})
	if err != nil {
		t.Fatalf("a newer schema, as in a rolling update: %v", err)
	}
	db.Close()
}

// A tenant whose writers wait for each other takes nothing from others: they wait without a connection.
func TestBusyTenantLeavesConnectionsToOthers(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	busy, quiet := storetest.Tenant(t, db, "busy"), storetest.Tenant(t, db, "quiet")
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := db.Tenant(t.Context(), busy, func(*store.TenantTx) error { close(inside); <-leave; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	<-inside
	for range 60 {
		wg.Go(func() {
			if err := db.Tenant(t.Context(), busy, func(*store.TenantTx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	for range 20 {
		put(t, db, quiet, app("wiki"))
		read(t, db, busy, func(*store.TenantTx) error { return nil })
	}
	close(leave)
	wg.Wait()
}
