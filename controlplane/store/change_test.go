package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// Two replicas, many writers on both lanes: every number once, in the order of commits, and a chain that verifies.
func TestConcurrentWritersMakeGapFreeChains(t *testing.T) {
	t.Parallel()
	urls, keys := storetest.Database(t), ephemeral(t)
	replicas := []*store.DB{storetest.OpenWith(t, urls, keys), storetest.OpenWith(t, urls, keys)}
	acme := storetest.Tenant(t, replicas[0], "acme")

	const writers, each = 12, 6
	var mu sync.Mutex
	given := map[controlplane.Revision]int{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			db := replicas[w%2]
			for n := range each {
				revision, err := tryPut(t.Context(), db, acme, app(fmt.Sprintf("app-%d-%d", w, n)))
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				var urgent controlplane.Revision
				err = db.Urgent(t.Context(), acme, func(tx *store.TenantTx) error {
					urgent = tx.Next(controlplane.Urgent)
					return record(tx, controlplane.Urgent)
				})
				if err != nil {
					t.Errorf("urgent writer %d: %v", w, err)
					return
				}
				mu.Lock()
				given[revision]++
				given[urgent]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()

	for revision, n := range given {
		if n != 1 {
			t.Errorf("%s was given %d times", revision, n)
		}
	}
	read(t, replicas[0], acme, func(tx *store.TenantTx) error {
		if got, want := tx.Head().Config, int64(1+writers*each); got != want {
			t.Errorf("config is at %d, want %d", got, want)
		}
		if got, want := tx.Head().Urgent, int64(writers*each); got != want {
			t.Errorf("urgent is at %d, want %d", got, want)
		}
		return errors.Join(tx.VerifyChain(controlplane.Config), tx.VerifyChain(controlplane.Urgent))
	})
	// What a row carries is the revision that its change was committed as.
	conn := superuser(t, urls)
	if order := texts(t, conn, `
		SELECT lane || revision FROM (SELECT lane, revision, lag(committed_at) OVER (PARTITION BY tenant_uid, lane ORDER BY revision) > committed_at AS back FROM change) c WHERE back`); len(order) > 0 {
		t.Errorf("committed before their predecessors: %v", order)
	}
	if doubled := texts(t, conn, `SELECT revision::text FROM resource WHERE kind = 'App' GROUP BY revision HAVING count(*) > 1`); len(doubled) > 0 {
		t.Errorf("several apps have revisions %v", doubled)
	}
}

// A head that moved while fn ran makes it run again, on what the other transaction left.
func TestMovedHeadRunsAgainOnFreshState(t *testing.T) {
	t.Parallel()
	urls, keys := storetest.Database(t), ephemeral(t)
	mine, other := storetest.OpenWith(t, urls, keys), storetest.OpenWith(t, urls, keys)
	acme := storetest.Tenant(t, mine, "acme")

	var heads []int64
	err := mine.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
		heads = append(heads, tx.Head().Config)
		if len(heads) == 1 {
			if _, err := tryPut(t.Context(), other, acme, app("theirs")); err != nil {
				return err
			}
		} else if _, err := tx.Resource(controlplane.KindApp, "theirs"); err != nil {
			return fmt.Errorf("the second run does not see what made it run: %w", err)
		}
		if err := tx.Put(app("mine")); err != nil {
			return err
		}
		return record(tx, controlplane.Config)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{1, 2}, heads); diff != "" {
		t.Errorf("heads that the runs began at (-want +got):\n%s", diff)
	}
}

// An urgent change gets through while a config change is still being checked, and does not disturb it.
func TestUrgentOvertakesConfig(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	runs := 0
	err := db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
		runs++
		if err := tx.Put(app("slow")); err != nil {
			return err
		}
		err := db.Urgent(t.Context(), acme, func(tx *store.TenantTx) error {
			if err := tx.AddRevocation(&store.Revocation{Subject: "tenant"}); err != nil {
				return err
			}
			return record(tx, controlplane.Urgent)
		})
		return errors.Join(err, record(tx, controlplane.Config))
	})
	if err != nil || runs != 1 {
		t.Errorf("%d runs, %v", runs, err)
	}
}

func TestRecordIsOwedAndAdds(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	err := db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error { return tx.Put(app("silent")) })
	if err == nil || controlplane.KindOf(err) != 0 {
		t.Errorf("a write without a record: got %v, want an internal error", err)
	}
	err = db.Read(t.Context(), acme, func(tx *store.TenantTx) error { return tx.Put(app("read")) })
	if err == nil {
		t.Error("a write in a transaction that reads was taken")
	}
	err = db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
		return errors.Join(record(tx, controlplane.Config), record(tx, controlplane.Config), record(tx, controlplane.Urgent))
	})
	if err != nil {
		t.Fatal(err)
	}
	read(t, db, acme, func(tx *store.TenantTx) error {
		changes, err := tx.Changes(store.ChangeQuery{Limit: 10})
		if err != nil {
			return err
		}
		var got []string
		for _, c := range changes {
			got = append(got, fmt.Sprintf("%s: %d", c.Revision, len(c.Items)))
		}
		if diff := cmp.Diff([]string{"u1: 1", "c2: 2", "c1: 1"}, got); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(`{"b": 1, "a": "\u0000"}`, string(changes[0].Items[0].Before)); diff != "" {
			t.Errorf("before is not kept byte for byte (-want +got):\n%s", diff)
		}
		second, err := tx.Changes(store.ChangeQuery{Before: changes[0].Revision, Limit: 1})
		if err != nil || len(second) != 1 || second[0].Revision != changes[1].Revision {
			t.Errorf("the page after %s: %v, %v", changes[0].Revision, second, err)
		}
		if only, err := tx.Changes(store.ChangeQuery{Lane: controlplane.Urgent, Limit: 10}); err != nil || len(only) != 1 {
			t.Errorf("changes of the urgent lane: %v, %v", only, err)
		}
		return nil
	})
}

func TestVerifyChainFindsEveryEdit(t *testing.T) {
	t.Parallel()
	edits := map[string]struct {
		sql  string
		want int64
	}{
		"actor":           {`UPDATE change SET actor = 'somebody else' WHERE lane = 'config' AND revision = 3`, 3},
		"time":            {`UPDATE change SET committed_at = committed_at + interval '1 microsecond' WHERE lane = 'config' AND revision = 2`, 2},
		"after":           {`UPDATE change_item SET after = '{"b": 3}' WHERE revision = 4`, 4},
		"spacing":         {`UPDATE change_item SET after = '{"b": 2}' WHERE revision = 4`, 4},
		"after to null":   {`UPDATE change_item SET after = NULL WHERE revision = 4`, 4},
		"item removed":    {`DELETE FROM change_item WHERE revision = 2`, 2},
		"item added":      {`INSERT INTO change_item SELECT tenant_uid, lane, revision, 9, name, action, before, after FROM change_item WHERE revision = 3`, 3},
		"change removed":  {`ALTER TABLE change_item DROP CONSTRAINT change_item_tenant_uid_lane_revision_fkey; DELETE FROM change WHERE revision = 3`, 3},
		"tail removed":    {`DELETE FROM change_item WHERE revision = 5; DELETE FROM change WHERE revision = 5`, 5},
		"head moved back": {`UPDATE head SET revision = 4, chain = (SELECT hash FROM change c WHERE c.tenant_uid = head.tenant_uid AND c.revision = 4) WHERE revision = 5`, 6},
		"hash":            {`UPDATE change SET hash = sha256(hash) WHERE revision = 3`, 3},
		"prev":            {`UPDATE change SET prev_hash = '' WHERE revision = 3`, 3},
		"two swapped": {`UPDATE change SET revision = revision + 100 WHERE false; UPDATE change a SET actor = b.method, method = b.actor FROM change b
			WHERE a.revision = 2 AND b.revision = 2 AND a.tenant_uid = b.tenant_uid`, 2},
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			urls := storetest.Database(t)
			db := storetest.Open(t, urls)
			acme := storetest.Tenant(t, db, "acme")
			for range 4 {
				inTx(t, db, acme, func(*store.TenantTx) error { return nil })
			}
			read(t, db, acme, func(tx *store.TenantTx) error { return tx.VerifyChain(controlplane.Config) })
			exec(t, superuser(t, urls), edit.sql)
			err := db.Read(t.Context(), acme, func(tx *store.TenantTx) error { return tx.VerifyChain(controlplane.Config) })
			broken, ok := errors.AsType[*store.ChainError](err)
			if !ok || broken.Revision.Number != edit.want {
				t.Errorf("got %v, want a break at c%d", err, edit.want)
			}
		})
	}
}

// Of what changed several times, what it was first is told, once; of what is new, that it was not there.
func TestWhatResourcesWere(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	change := func(lane controlplane.Lane, items ...store.ChangeItem) {
		t.Helper()
		run := db.Tenant
		if lane == controlplane.Urgent {
			run = db.Urgent
		}
		err := run(t.Context(), acme, func(tx *store.TenantTx) error {
			return tx.Record(store.Change{Lane: lane, Caller: storetest.Caller(), Items: items})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	item := func(name, before string) store.ChangeItem {
		i := store.ChangeItem{Name: name, Action: store.Updated, After: []byte(`{}`)}
		if before != "" {
			i.Before = []byte(before)
		}
		return i
	}
	change(controlplane.Config, item("a", `"long ago"`))
	var since controlplane.Revision
	read(t, db, acme, func(tx *store.TenantTx) error {
		head := tx.Head()
		since = head.Revision(controlplane.Config)
		return nil
	})
	change(controlplane.Config, item("a", `"first"`), item("b", ""))
	change(controlplane.Config, item("b", `"new"`), item("a", `"second"`))
	change(controlplane.Urgent, item("c", `"of another lane"`))
	got := map[string]string{}
	read(t, db, acme, func(tx *store.TenantTx) error {
		return tx.Were(since, func(name string, before json.RawMessage) error {
			got[name] += string(before) + ";"
			return nil
		})
	})
	if diff := cmp.Diff(map[string]string{"a": `"first";`, "b": ";"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
