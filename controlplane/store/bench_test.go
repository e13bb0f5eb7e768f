package store_test

import (
	"fmt"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// One change of one app, from the call to the commit.
func BenchmarkChange(b *testing.B) {
	db := storetest.New(b)
	acme := storetest.Tenant(b, db, "acme")
	for b.Loop() {
		if _, err := tryPut(b.Context(), db, acme, app("wiki", "wiki.test")); err != nil {
			b.Fatal(err)
		}
	}
}

// A change set of 10,000 new apps; then a snapshot of all, and one of what changed by one more change.
func BenchmarkTenThousandApps(b *testing.B) {
	const apps = 10_000
	db := storetest.New(b)
	acme := storetest.Tenant(b, db, "acme")
	write := func(b *testing.B) {
		err := db.Tenant(b.Context(), acme, func(tx *store.TenantTx) error {
			if _, err := tx.AllResources(); err != nil {
				return err
			}
			for i := range apps {
				if err := tx.Put(app(fmt.Sprintf("app-%d", i), fmt.Sprintf("app-%d.test", i))); err != nil {
					return err
				}
			}
			return record(tx, controlplane.Config)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			write(b)
		}
	})
	snapshot := func(b *testing.B, since, want int) {
		rows, err := db.System().Snapshot(b.Context(), acme, int64(since), 0)
		if err != nil || len(rows.Resources) != want {
			b.Fatalf("%d resources, %v", len(rows.Resources), err)
		}
	}
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			snapshot(b, 0, apps+1)
		}
	})
	revision, err := tryPut(b.Context(), db, acme, app("app-1", "app-1.test"))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("difference", func(b *testing.B) {
		for b.Loop() {
			snapshot(b, int(revision.Number)-1, 1)
		}
	})
}
