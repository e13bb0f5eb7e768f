package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

func snapshot(t *testing.T, db *store.DB, tenant controlplane.UID, config, urgent int64) *store.SnapshotRows {
	t.Helper()
	rows, err := db.System().Snapshot(t.Context(), tenant, config, urgent)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// names says what a snapshot holds, in short.
func names(rows *store.SnapshotRows) []string {
	var out []string
	for _, r := range rows.Resources {
		out = append(out, fmt.Sprintf("%s %s c%d", r.Kind, r.ID, r.Revision))
	}
	for _, token := range rows.Tokens {
		out = append(out, "token "+token.ID)
	}
	for _, r := range rows.Removed {
		out = append(out, fmt.Sprintf("removed %s %s %d", r.Kind, r.ID, r.Revision))
	}
	for _, r := range rows.Revocations {
		out = append(out, fmt.Sprintf("revocation %s u%d", r.Subject, r.Urgent))
	}
	slices.Sort(out)
	return out
}

func TestSnapshotIsEverythingOrWhatChanged(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme := storetest.Tenant(t, db, "acme") // c1
	ci, idp := account("ci"), provider("idp")
	put(t, db, acme, &controlplane.Resource{Kind: controlplane.KindMember, ID: "ann", Spec: &controlplane.Member{}}) // c2: not an edge's business
	put(t, db, acme, ci)                                                                                             // c3
	put(t, db, acme, idp)                                                                                            // c4
	put(t, db, acme, app("old"))                                                                                     // c5
	expires := time.Now().Add(time.Hour)
	inTx(t, db, acme, func(tx *store.TenantTx) error { // c6
		_, err := tx.PutSecret(idp, "client_secret", []byte("s3"))
		return errors.Join(err,
			tx.AddServiceToken(store.ServiceToken{ID: "one", ServiceAccountUID: ci.UID, Hash: []byte("hash"), ExpireTime: expires}),
			tx.AddServiceToken(store.ServiceToken{ID: "two", ServiceAccountUID: ci.UID, Hash: []byte("hash"), ExpireTime: expires}))
	})
	err := db.Urgent(t.Context(), acme, func(tx *store.TenantTx) error { // u1
		return errors.Join(tx.AddRevocation(&store.Revocation{Subject: "tenant", ExpireTime: expires}), record(tx, controlplane.Urgent))
	})
	if err != nil {
		t.Fatal(err)
	}
	all := snapshot(t, db, acme, 0, 0)
	want := []string{"App old c5", "IdentityProvider idp c6", "ServiceAccount ci c6", "Tenant acme c1", "revocation tenant u1", "token one", "token two"}
	if diff := cmp.Diff(want, names(all)); diff != "" || !all.ReplaceConfig || !all.ReplaceUrgent || all.Head.Config != 6 || all.Head.Urgent != 1 {
		t.Errorf("everything, at %+v (-want +got):\n%s", all.Head, diff)
	}
	for _, r := range all.Resources {
		if secret := string(r.Secrets["client_secret"]); (r.Kind == controlplane.KindIdentityProvider) != (secret == "s3") {
			t.Errorf("%s %s has the secret %q", r.Kind, r.ID, secret)
		}
	}

	if same := snapshot(t, db, acme, 6, 1); len(names(same)) != 0 || same.ReplaceConfig || same.ReplaceUrgent {
		t.Errorf("nothing changed, but: %v", names(same))
	}
	remove(t, db, acme, controlplane.KindApp, "old")   // c7
	inTx(t, db, acme, func(tx *store.TenantTx) error { // c8
		_, err := tx.RevokeServiceToken(ci.UID, "one")
		return err
	})
	remove(t, db, acme, controlplane.KindMember, "ann") // c9
	if diff := cmp.Diff([]string{"ServiceAccount ci c8", "removed App old 7", "token two"}, names(snapshot(t, db, acme, 6, 1))); diff != "" {
		t.Errorf("since c6 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ServiceAccount ci c8", "token two"}, names(snapshot(t, db, acme, 7, 1))); diff != "" {
		t.Errorf("since c7 (-want +got):\n%s", diff)
	}
	put(t, db, acme, app("old")) // c10: back again, so no longer removed
	if diff := cmp.Diff([]string{"App old c10", "ServiceAccount ci c8", "token two"}, names(snapshot(t, db, acme, 6, 1))); diff != "" {
		t.Errorf("since c6, with what came back (-want +got):\n%s", diff)
	}
	if ahead := snapshot(t, db, acme, 11, 2); !ahead.ReplaceConfig || !ahead.ReplaceUrgent || len(ahead.Resources) != 4 || len(ahead.Removed) != 0 {
		t.Errorf("for an edge that is ahead: %v", names(ahead))
	}

	// Older than removals are kept: everything. The lanes are judged each for itself.
	exec(t, superuser(t, urls), `UPDATE change SET committed_at = committed_at - interval '8 days' WHERE lane = 'config' AND revision <= 7`)
	if old := snapshot(t, db, acme, 6, 1); !old.ReplaceConfig || old.ReplaceUrgent || len(old.Removed) != 0 {
		t.Errorf("since c6, too long ago: replace %t %t, %v", old.ReplaceConfig, old.ReplaceUrgent, names(old))
	}
	if recent := snapshot(t, db, acme, 7, 1); recent.ReplaceConfig {
		t.Error("since c7, recent enough: everything")
	}
}

func TestSnapshotOfThePlatform(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	dev := pool("dev", "acme")
	put(t, db, controlplane.PlatformUID, dev)
	enrol(t, db, dev, "eu-1")
	rows := snapshot(t, db, controlplane.PlatformUID, 0, 0)
	if diff := cmp.Diff([]string{"EdgePool dev c1"}, names(rows)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]controlplane.UID{"acme": acme}, rows.Tenants); diff != "" {
		t.Errorf("tenants (-want +got):\n%s", diff)
	}
}

func TestRevocations(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	add := func(subject string, life time.Duration) *store.Revocation {
		t.Helper()
		r := &store.Revocation{Subject: subject, Reason: "test", ExpireTime: time.Now().Add(life).UTC().Truncate(time.Microsecond)}
		err := db.Urgent(t.Context(), acme, func(tx *store.TenantTx) error {
			return errors.Join(tx.AddRevocation(r), record(tx, controlplane.Urgent))
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first, second, again := add("session:s_1", -time.Minute), add("tenant", time.Hour), add("session:s_1", time.Hour)
	read(t, db, acme, func(tx *store.TenantTx) error {
		got, err := tx.Revocation(first.UID)
		if diff := cmp.Diff(first, got); diff != "" || got.Urgent != 1 || err != nil {
			t.Errorf("read back (%v, -added +read):\n%s", err, diff)
		}
		newest, ok, err := tx.RevocationOf("session:s_1")
		if !ok || err != nil || newest.UID != again.UID {
			t.Errorf("newest of the subject: %v, %t, %v", newest, ok, err)
		}
		if _, ok, err := tx.RevocationOf("session:s_2"); ok || err != nil {
			t.Errorf("of a subject without: %t, %v", ok, err)
		}
		page, err := tx.Revocations("", 2)
		if err != nil || len(page) != 2 || page[0].UID != again.UID || page[1].UID != second.UID {
			t.Errorf("first page: %v, %v", page, err)
		}
		rest, err := tx.Revocations(page[1].UID, 2)
		if err != nil || len(rest) != 1 || rest[0].UID != first.UID {
			t.Errorf("second page: %v, %v", rest, err)
		}
		return nil
	})

	// What expires is known to edges, so it goes with a revision and a removal.
	prune := func() (n int) {
		t.Helper()
		err := db.Urgent(t.Context(), acme, func(tx *store.TenantTx) (err error) {
			if n, err = tx.PruneRevocations(); err != nil || n == 0 {
				return err
			}
			return record(tx, controlplane.Urgent)
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := prune(); n != 1 {
		t.Errorf("pruned %d, want the one that expired", n)
	}
	if n := prune(); n != 0 {
		t.Errorf("pruned %d more", n)
	}
	if diff := cmp.Diff([]string{"removed Revocation " + string(first.UID) + " 4"}, names(snapshot(t, db, acme, 1, 3))); diff != "" {
		t.Errorf("since u3 (-want +got):\n%s", diff)
	}
}

func TestKeysAreSealedStampedAndRemoved(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	eu, us := newUID(t), newUID(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	update := func(plan func(keys []keyring.PoolKey) (put, drop []keyring.PoolKey, err error)) {
		t.Helper()
		err := db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
			keys, err := tx.Keys(eu)
			if err != nil {
				return err
			}
			put, drop, err := plan(keys)
			return errors.Join(err, tx.UpdateKeys(put, drop), record(tx, controlplane.Urgent))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rotate := func(at time.Time) func([]keyring.PoolKey) (put, drop []keyring.PoolKey, err error) {
		return func(keys []keyring.PoolKey) (put, drop []keyring.PoolKey, err error) {
			return keyring.Rotate(eu, "eu", keys, at)
		}
	}
	update(rotate(now)) // u1
	update(func([]keyring.PoolKey) (put, drop []keyring.PoolKey, err error) {
		return keyring.Rotate(us, "us", nil, now) // u2: another pool's keys are apart
	})
	first := snapshot(t, db, acme, 0, 0)
	if len(first.Keys) != 10 {
		t.Fatalf("%d keys, want five for each pool", len(first.Keys))
	}
	read(t, db, acme, func(tx *store.TenantTx) error {
		keys, err := tx.Keys("")
		if diff := cmp.Diff(first.Keys, keys); diff != "" {
			t.Errorf("the tenant's keys are not the snapshot's (-snapshot +tenant):\n%s", diff)
		}
		return err
	})

	update(rotate(now.Add(6 * 24 * time.Hour))) // u3: new ones are announced for ticket, redis and login
	delta := snapshot(t, db, acme, 1, 2)
	count := map[keyring.Purpose]int{}
	for _, k := range delta.Keys {
		count[k.Purpose]++
		if k.Pool != eu || k.Revision != 3 || k.Secret == nil {
			t.Errorf("%s of pool %s at u%d in the difference", k, k.Pool, k.Revision)
		}
	}
	if diff := cmp.Diff(map[keyring.Purpose]int{keyring.Ticket: 2, keyring.Redis: 2, keyring.Login: 2}, count); diff != "" {
		t.Errorf("of a keyset all keys come or none (-want +got):\n%s", diff)
	}

	update(func(keys []keyring.PoolKey) (put, drop []keyring.PoolKey, err error) {
		return keyring.Replace(eu, "eu", keys, now)
	}) // u4
	replaced := snapshot(t, db, acme, 1, 3)
	for _, k := range replaced.Keys {
		if k.State != keyring.Active || k.Revision != 4 || k.Purpose == keyring.Assertion && k.ID != "eu-2" {
			t.Errorf("after replacing: %s at u%d", k, k.Revision)
		}
	}
	if len(replaced.Keys) != 5 || len(replaced.Removed) != 1 || replaced.Removed[0].ID != "eu-1" || replaced.Removed[0].PoolUID != eu {
		t.Errorf("after replacing: %v, removed %v", replaced.Keys, replaced.Removed)
	}

	update(func(keys []keyring.PoolKey) (put, drop []keyring.PoolKey, err error) { // u5: the pool serves the tenant no more
		return nil, slices.DeleteFunc(keys, func(k keyring.PoolKey) bool { return k.State == keyring.Dropped }), nil
	})
	gone := snapshot(t, db, acme, 1, 4)
	var removed []string
	for _, r := range gone.Removed {
		removed = append(removed, r.Kind+" "+r.ID)
	}
	if diff := cmp.Diff([]string{"AssertionKey eu-2", "Keyset login", "Keyset redis", "Keyset ticket"}, removed); diff != "" || len(gone.Keys) != 0 {
		t.Errorf("after the pool: %v (-want +got):\n%s", gone.Keys, diff)
	}
	update(rotate(now)) // u6: and serves it again, under names never used before
	back := snapshot(t, db, acme, 1, 5)
	if len(back.Keys) != 5 || len(back.Removed) != 0 || !slices.ContainsFunc(back.Keys, func(k keyring.PoolKey) bool { return k.ID == "eu-3" }) {
		t.Errorf("back again: %v, removed %v", back.Keys, back.Removed)
	}
	if since := snapshot(t, db, acme, 1, 4); len(since.Keys) != 5 || len(since.Removed) != 1 {
		t.Errorf("over both: %v, removed %v; want only eu-2 removed", since.Keys, since.Removed)
	}
}

func TestTouchSecrets(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	with, without := provider("with"), provider("without")
	inTx(t, db, acme, func(tx *store.TenantTx) error {
		err := errors.Join(tx.Put(with), tx.Put(without))
		_, secretErr := tx.PutSecret(with, "client_secret", []byte("x"))
		return errors.Join(err, secretErr)
	})
	inTx(t, db, acme, func(tx *store.TenantTx) error {
		if n, err := tx.TouchSecrets(); n != 1 || err != nil {
			t.Errorf("touched %d, %v", n, err)
		}
		return nil
	})
	if diff := cmp.Diff([]string{"IdentityProvider with c3"}, names(snapshot(t, db, acme, 2, 0))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	globex := storetest.Tenant(t, db, "globex")
	err := db.Tenant(t.Context(), globex, func(tx *store.TenantTx) error {
		n, err := tx.TouchSecrets()
		if n != 0 {
			t.Errorf("touched %d of a tenant without secrets", n)
		}
		return err // nothing to record
	})
	if err != nil {
		t.Error(err)
	}
}

func TestHeadsChainsAndTimes(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	before := time.Now().Add(-time.Second)
	acme := storetest.Tenant(t, db, "acme")
	storetest.Tenant(t, db, "globex")
	put(t, db, acme, app("wiki"))
	heads, err := db.System().Heads(t.Context())
	if err != nil || len(heads) != 3 {
		t.Fatalf("heads: %v, %v", heads, err)
	}
	var head store.Head
	for _, h := range heads {
		if h.TenantUID == acme {
			head = h
		}
	}
	if head.Config != 2 || head.Urgent != 0 || head.ID != "acme" || head.Lineage == "" || len(head.ConfigChain) != 32 || len(head.UrgentChain) != 0 {
		t.Errorf("head is %+v", head)
	}
	system := db.System()
	for revision, want := range map[controlplane.Revision]bool{
		{Lane: controlplane.Config, Number: 0}: true,
		{Lane: controlplane.Config, Number: 1}: true,
		{Lane: controlplane.Config, Number: 2}: true,
		{Lane: controlplane.Config, Number: 3}: false,
		{Lane: controlplane.Urgent, Number: 1}: false,
	} {
		chain, ok, err := system.ChainAt(t.Context(), acme, revision)
		if ok != want || err != nil || revision.Number == 2 && !slices.Equal(chain, head.ConfigChain) {
			t.Errorf("chain at %v: %x, %t, %v", revision, chain, ok, err)
		}
		at, ok, err := system.CommitTime(t.Context(), acme, revision)
		if want := want && revision.Number > 0; ok != want || err != nil || ok && (at.Before(before) || at.After(time.Now().Add(time.Second))) {
			t.Errorf("commit time of %v: %s, %t, %v", revision, at, ok, err)
		}
	}
	page, err := system.Tenants(t.Context(), "acme", 10)
	if err != nil || len(page) != 1 || page[0].ID != "globex" {
		t.Errorf("tenants after acme: %v, %v", page, err)
	}
	resources, err := system.TenantResources(t.Context(), "", 1)
	if err != nil || len(resources) != 1 || resources[0].UID != acme {
		t.Errorf("first tenant resource: %v, %v", resources, err)
	}
	if uid, err := system.TenantUID(t.Context(), "acme"); uid != acme || err != nil {
		t.Errorf("uid of acme: %s, %v", uid, err)
	}
}
