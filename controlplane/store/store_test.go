package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// put writes one resource as a change of its own and returns the revision.
func put(t *testing.T, db *store.DB, tenant controlplane.UID, r *controlplane.Resource) controlplane.Revision {
	t.Helper()
	revision, err := tryPut(t, db, tenant, r)
	if err != nil {
		t.Fatalf("put %s %q: %v", r.Kind, r.ID, err)
	}
	return revision
}

func tryPut(t *testing.T, db *store.DB, tenant controlplane.UID, r *controlplane.Resource) (revision controlplane.Revision, err error) {
	t.Helper()
	err = db.Tenant(t.Context(), tenant, func(tx *store.TenantTx) error {
		if err := tx.Put(r); err != nil {
			return err
		}
		if err := record(tx, controlplane.Config, "tenants/x/"+string(r.Kind)+"/"+r.ID); err != nil {
			return err
		}
		revision = tx.Committed(controlplane.Config)
		return nil
	})
	return revision, err
}

func record(tx *store.TenantTx, lane controlplane.Lane, name string) error {
	return tx.Record(store.Change{Lane: lane, Caller: storetest.Caller(), Items: []store.ChangeItem{{Name: name, Action: store.Updated, After: []byte(`{"a": 1}`)}}})
}

func app(id string, hosts ...string) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindApp, ID: id, Spec: &controlplane.App{Hosts: hosts}}
}

// errUndo ends a transaction without a commit.
var errUndo = errors.New("undo")

func TestConcurrentWritersMakeAGapFreeChain(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	tenant := storetest.Tenant(t, db, "acme")

	const writers, each = 16, 8
	var mu sync.Mutex
	var committed []controlplane.Revision
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				revision, err := tryPut(t, db, tenant, app(fmt.Sprintf("app-%d-%d", w, n)))
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				mu.Lock()
				committed = append(committed, revision)
				mu.Unlock()
			}
		})
	}
	wg.Wait()

	seen := map[int64]bool{}
	for _, revision := range committed {
		if seen[revision.Number] {
			t.Errorf("%s was given twice", revision)
		}
		seen[revision.Number] = true
	}
	err := db.Read(t.Context(), tenant, func(tx *store.TenantTx) error {
		if got, want := tx.Head().Config, int64(writers*each+1); got != want {
			t.Errorf("head is at %d, want %d", got, want)
		}
		return tx.VerifyChain(controlplane.Config)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestPutAndRead(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	tenant := storetest.Tenant(t, db, "acme")
	r := app("wiki", "wiki.acme.test")
	r.Labels = map[string]string{"tier": "internal"}
	revision := put(t, db, tenant, r)
	if revision.String() != "c2" || r.Revision != 2 || r.UID == "" || r.Etag == "" || r.CreateTime.IsZero() {
		t.Errorf("put gave %s and %+v", revision, r)
	}
	err := db.Read(t.Context(), tenant, func(tx *store.TenantTx) error {
		got, err := tx.Resource(controlplane.KindApp, "wiki")
		if err != nil {
			return err
		}
		r.Annotations = map[string]string{}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("read back differs (-put +read):\n%s", diff)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
