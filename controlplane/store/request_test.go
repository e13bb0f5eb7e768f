package store_test

import (
	"sync"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// Many send the same request at once, to two replicas: it is done once, and all get the one answer.
func TestSameRequestAtOnceIsDoneOnce(t *testing.T) {
	t.Parallel()
	urls, keys := storetest.Database(t), ephemeral(t)
	replicas := []*store.DB{storetest.OpenWith(t, urls, keys), storetest.OpenWith(t, urls, keys)}
	acme := storetest.Tenant(t, replicas[0], "acme")
	caller := storetest.Caller()
	answers := make([]string, 10)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			err := replicas[i%2].Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
				answer, seen, err := tx.SeenRequest(caller, "same", []byte("digest"))
				if err != nil || seen {
					answers[i] = string(answer)
					return err
				}
				uid := newUID(t)
				if err := tx.Put(app("wiki-" + string(uid))); err != nil {
					return err
				}
				if err := tx.RememberRequest(caller, "same", []byte("digest"), []byte(uid)); err != nil {
					return err
				}
				answers[i] = string(uid)
				return record(tx, controlplane.Config)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, answer := range answers {
		if answer == "" || answer != answers[0] {
			t.Errorf("answer %d is %q, want %q", i, answer, answers[0])
		}
	}
	read(t, replicas[0], acme, func(tx *store.TenantTx) error {
		if apps, err := tx.AllResources(controlplane.KindApp); err != nil || len(apps) != 1 {
			t.Errorf("it was done %d times, %v", len(apps), err)
		}
		return nil
	})
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme := storetest.Tenant(t, db, "acme")
	ann, bob := storetest.Caller(), storetest.Caller()
	bob.Actor = "platform/members/bob"
	remember := func(c *controlplane.Caller, answer string) {
		t.Helper()
		err := db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
			return tx.RememberRequest(c, "r", []byte("digest"), []byte(answer))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := func(c *controlplane.Caller, digest string) (answer []byte, seen bool, err error) {
		err = db.Read(t.Context(), acme, func(tx *store.TenantTx) (err error) {
			answer, seen, err = tx.SeenRequest(c, "r", []byte(digest))
			return err
		})
		return answer, seen, err
	}
	remember(ann, "for ann")
	if answer, ok, err := seen(ann, "digest"); string(answer) != "for ann" || !ok || err != nil {
		t.Errorf("the same request: %q, %t, %v", answer, ok, err)
	}
	if answer, ok, err := seen(bob, "digest"); ok || err != nil {
		t.Errorf("somebody else's request of that id: %q, %t, %v", answer, ok, err)
	}
	if _, _, err := seen(ann, "other"); controlplane.KindOf(err) != controlplane.Invalid {
		t.Errorf("other content: got %v, want REQUEST_ID_REUSED", err)
	}
	elsewhere := *ann
	elsewhere.Method = "another"
	if _, _, err := seen(&elsewhere, "digest"); controlplane.KindOf(err) != controlplane.Invalid {
		t.Errorf("another method: got %v, want REQUEST_ID_REUSED", err)
	}

	super := superuser(t, urls)
	exec(t, super, `UPDATE request_seen SET seen_at = seen_at - interval '25 hours'`)
	if answer, ok, err := seen(ann, "other"); ok || err != nil {
		t.Errorf("after a day: %q, %t, %v", answer, ok, err)
	}
	remember(ann, "anew")
	remember(bob, "for bob")
	exec(t, super, `UPDATE request_seen SET seen_at = seen_at - interval '25 hours' WHERE actor = $1`, bob.Actor)
	if err := db.System().Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := texts(t, super, `SELECT actor FROM request_seen`); len(left) != 1 || left[0] != ann.Actor {
		t.Errorf("pruning left %v", left)
	}
}
