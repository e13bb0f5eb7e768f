package store_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

func TestUnknownTenantIsNotFound(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	for name, run := range map[string]func(context.Context, controlplane.UID, func(*store.TenantTx) error) error{
		"Tenant": db.Tenant, "Urgent": db.Urgent, "Read": db.Read,
	} {
		err := run(t.Context(), newUID(t), func(*store.TenantTx) error { t.Error("fn ran"); return nil })
		if controlplane.KindOf(err) != controlplane.NotFound {
			t.Errorf("%s: got %v, want NotFound", name, err)
		}
	}
}

func TestTransactionsDoNotNest(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	read(t, db, acme, func(tx *store.TenantTx) error {
		nothing := func(*store.TenantTx) error { t.Error("fn ran"); return nil }
		for name, run := range map[string]func(context.Context, controlplane.UID, func(*store.TenantTx) error) error{
			"Tenant": db.Tenant, "Urgent": db.Urgent, "Read": db.Read,
		} {
			if err := run(tx.Context(), acme, nothing); err == nil {
				t.Errorf("%s inside a transaction was taken", name)
			}
		}
		return nil
	})
}

func TestCreateAndDeleteTenant(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	first := storetest.Tenant(t, db, "acme")
	fill(t, db, first, "acme")

	taken := db.CreateTenant(t.Context(), newUID(t), "acme", func(*store.TenantTx) error { return nil })
	if controlplane.KindOf(taken) != controlplane.Exists {
		t.Errorf("an id that is taken: got %v, want Exists", taken)
	}
	dry := db.CreateTenant(t.Context(), newUID(t), "ghost", func(tx *store.TenantTx) error { tx.DryRun(); return nil })
	if _, err := db.System().TenantUID(t.Context(), "ghost"); dry != nil || controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("a dry run: %v, then %v", dry, err)
	}

	inTx(t, db, first, func(tx *store.TenantTx) error { return tx.DeleteTenant() })
	if _, err := db.System().TenantUID(t.Context(), "acme"); controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("the deleted tenant's id: got %v, want NotFound", err)
	}
	if err := db.Read(t.Context(), first, func(*store.TenantTx) error { return nil }); controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("the deleted tenant: got %v, want NotFound", err)
	}
	if _, err := db.System().Snapshot(t.Context(), first, 0, 0); controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("the deleted tenant's snapshot: got %v, want NotFound", err)
	}
	super := superuser(t, urls)
	for _, table := range []string{"resource", "resource_secret", "reference", "app_host", "tenant_key", "api_token", "service_token", "revocation", "session", "request_seen"} {
		if left := texts(t, super, `SELECT tenant_uid::text FROM `+table+` WHERE tenant_uid = $1`, first); len(left) > 0 {
			t.Errorf("%s keeps %d rows of the deleted tenant", table, len(left))
		}
	}
	if kept := texts(t, super, `SELECT hash::text FROM change WHERE tenant_uid = $1`, first); len(kept) < 3 {
		t.Errorf("the audit has %d changes left", len(kept))
	}
	if key := texts(t, super, `SELECT length(dek)::text FROM tenant WHERE tenant_uid = $1`, first); key[0] != "0" {
		t.Error("the deleted tenant's data key is still there")
	}
	second := storetest.Tenant(t, db, "acme") // the id, and its hosts, are free again
	put(t, db, second, app("wiki", "wiki.acme.test"))
	if err := db.Tenant(t.Context(), controlplane.PlatformUID, func(tx *store.TenantTx) error { return tx.DeleteTenant() }); err == nil {
		t.Error("the platform was deleted")
	}
}

func TestDisabledTenantShowsInItsHead(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	for _, disabled := range []bool{true, false} {
		put(t, db, acme, &controlplane.Resource{Kind: controlplane.KindTenant, ID: "acme", Spec: &controlplane.Tenant{Disabled: disabled}})
		put(t, db, acme, app("wiki")) // another change keeps it
		read(t, db, acme, func(tx *store.TenantTx) error {
			if tx.Head().Disabled != disabled {
				t.Errorf("disabled is %t, want %t", tx.Head().Disabled, disabled)
			}
			return nil
		})
	}
}

func TestDryRunChecksAndLeavesNothing(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme, globex := storetest.Tenant(t, db, "acme"), storetest.Tenant(t, db, "globex")
	put(t, db, globex, app("wiki", "wiki.test"))
	dry := func(r *controlplane.Resource) error {
		return db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
			tx.DryRun()
			return errors.Join(tx.Put(r), record(tx, controlplane.Config))
		})
	}
	if err := dry(app("fine", "fine.test")); err != nil {
		t.Error(err)
	}
	if err := dry(app("bad", "wiki.test")); controlplane.KindOf(err) != controlplane.Exists {
		t.Errorf("a taken host in a dry run: got %v, want Exists", err)
	}
	read(t, db, acme, func(tx *store.TenantTx) error {
		if apps, err := tx.AllResources(controlplane.KindApp); err != nil || len(apps) != 0 || tx.Head().Config != 1 {
			t.Errorf("after dry runs: %v, head %d, %v", apps, tx.Head().Config, err)
		}
		return nil
	})
}

func TestEnsurePlatformByAllReplicasAtOnce(t *testing.T) {
	t.Parallel()
	urls, keys := storetest.Database(t), ephemeral(t)
	db := storetest.OpenWith(t, urls, keys)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := db.EnsurePlatform(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := db.System().TenantUID(t.Context(), controlplane.PlatformParent); controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("the platform can be named as a tenant: %v", err)
	}
}

func TestTextThatCannotBeStoredIsInvalid(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	for name, r := range map[string]*controlplane.Resource{
		"in a column": {Kind: controlplane.KindApp, ID: "a", DisplayName: "NUL \x00", Spec: &controlplane.App{}},
		"in a body":   {Kind: controlplane.KindApp, ID: "b", Spec: &controlplane.App{Hosts: []string{"NUL \x00"}}},
	} {
		if _, err := tryPut(t.Context(), db, acme, r); controlplane.KindOf(err) != controlplane.Invalid {
			t.Errorf("NUL %s: got %v, want Invalid", name, err)
		}
	}
	quote := app(`x'; DROP TABLE resource; --`)
	quote.DisplayName = strings.Repeat(`'$$"%_\`, 100)
	put(t, db, acme, quote)
	read(t, db, acme, func(tx *store.TenantTx) error {
		got, err := tx.Resource(quote.Kind, quote.ID)
		if err != nil || got.DisplayName != quote.DisplayName {
			t.Errorf("quotes do not come back: %v, %v", got, err)
		}
		return nil
	})
}
