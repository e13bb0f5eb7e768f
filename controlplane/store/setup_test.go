package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// errUndo ends a transaction without a commit.
var errUndo = errors.New("undo")

// inTx runs fn as one config change of the tenant, recorded.
func inTx(t *testing.T, db *store.DB, tenant controlplane.UID, fn func(*store.TenantTx) error) {
	t.Helper()
	err := db.Tenant(t.Context(), tenant, func(tx *store.TenantTx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return record(tx, controlplane.Config)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, db *store.DB, tenant controlplane.UID, fn func(*store.TenantTx) error) {
	t.Helper()
	if err := db.Read(t.Context(), tenant, fn); err != nil {
		t.Fatal(err)
	}
}

func record(tx *store.TenantTx, lane controlplane.Lane) error {
	return tx.Record(store.Change{Lane: lane, Caller: storetest.Caller(), Items: []store.ChangeItem{
		{Name: "tenants/x/apps/y", Action: store.Updated, Before: []byte(`{"b": 1, "a": "\u0000"}`), After: []byte(`{"b":2}`)},
	}})
}

// tryPut writes one resource as a change of its own.
func tryPut(ctx context.Context, db *store.DB, tenant controlplane.UID, r *controlplane.Resource) (revision controlplane.Revision, err error) {
	err = db.Tenant(ctx, tenant, func(tx *store.TenantTx) error {
		if err := tx.Put(r); err != nil {
			return err
		}
		if err := record(tx, controlplane.Config); err != nil {
			return err
		}
		revision = tx.Committed(controlplane.Config)
		return nil
	})
	return revision, err
}

func put(t *testing.T, db *store.DB, tenant controlplane.UID, r *controlplane.Resource) controlplane.Revision {
	t.Helper()
	revision, err := tryPut(t.Context(), db, tenant, r)
	if err != nil {
		t.Fatalf("put %s %q: %v", r.Kind, r.ID, err)
	}
	return revision
}

func remove(t *testing.T, db *store.DB, tenant controlplane.UID, kind controlplane.Kind, id string) {
	t.Helper()
	inTx(t, db, tenant, func(tx *store.TenantTx) error { return tx.Delete(kind, id) })
}

func app(id string, hosts ...string) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindApp, ID: id, Spec: &controlplane.App{Hosts: hosts}}
}

func provider(id string) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindIdentityProvider, ID: id, Spec: &controlplane.IdentityProvider{Issuer: "https://idp.test"}}
}

func account(id string) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindServiceAccount, ID: id, Spec: &controlplane.ServiceAccount{}}
}

func pool(id string, tenants ...string) *controlplane.Resource {
	return &controlplane.Resource{Kind: controlplane.KindEdgePool, ID: id, Spec: &controlplane.EdgePool{Tenants: tenants}}
}

// enrol puts an edge into a pool that is there.
func enrol(t *testing.T, db *store.DB, pool *controlplane.Resource, name string) controlplane.UID {
	t.Helper()
	edge := &controlplane.Resource{Kind: controlplane.KindEdge, ID: pool.ID + "/" + name, Spec: &controlplane.Edge{Pool: pool.ID}}
	inTx(t, db, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		if err := tx.Put(edge); err != nil {
			return err
		}
		return tx.PutEdgeEnrolment(store.EdgeEnrolment{
			EdgeUID: edge.UID, PoolUID: pool.UID, Name: "edgePools/" + pool.ID + "/edges/" + name, HPKEPublicKey: []byte("hpke"),
			SPKISHA256: []byte("spki"), CertSerial: "1", CertExpire: time.Now().Add(24 * time.Hour), Version: "test",
		})
	})
	return edge.UID
}

func newUID(t *testing.T) controlplane.UID {
	t.Helper()
	uid, err := store.NewUID()
	if err != nil {
		t.Fatal(err)
	}
	return uid
}

func superuser(t *testing.T, urls storetest.URLs) *pgx.Conn { return connect(t, urls.Superuser) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func texts(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return found
}

func ephemeral(t *testing.T) *keyring.Keyring {
	t.Helper()
	keys, err := keyring.Ephemeral()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// fill puts at least one row of the tenant into every table that tenants have rows in.
func fill(t *testing.T, db *store.DB, tenant controlplane.UID, tag string) {
	t.Helper()
	member := &controlplane.Resource{Kind: controlplane.KindMember, ID: "ann", Spec: &controlplane.Member{Role: controlplane.Owner}}
	token := &controlplane.Resource{Kind: controlplane.KindAPIToken, ID: "t1", Spec: &controlplane.APIToken{Member: "tenants/" + tag + "/members/ann"}}
	idp, ci := provider("idp"), account("ci")
	expires := time.Now().Add(time.Hour)
	caller := storetest.Caller()
	inTx(t, db, tenant, func(tx *store.TenantTx) error {
		for _, r := range []*controlplane.Resource{member, token, idp, ci, app("wiki", "wiki."+tag+".test"), app("old", "old."+tag+".test")} {
			if err := tx.Put(r); err != nil {
				return err
			}
		}
		if _, err := tx.PutSecret(idp, "client_secret", []byte("secret of "+tag)); err != nil {
			return err
		}
		keys, _, err := keyring.Rotate(newUID(t), "dev", nil, time.Now())
		return errors.Join(err, tx.UpdateKeys(keys, nil), record(tx, controlplane.Urgent),
			tx.PutAPIToken(token.UID, "api"+tag, []byte("hash"), expires),
			tx.AddServiceToken(store.ServiceToken{ID: "svc" + tag, ServiceAccountUID: ci.UID, Hash: []byte("hash"), ExpireTime: expires}),
			tx.AddRevocation(&store.Revocation{Subject: "tenant", ExpireTime: expires}),
			tx.RememberRequest(caller, "r1", []byte("digest"), []byte("answer for "+tag)))
	})
	remove(t, db, tenant, controlplane.KindApp, "old")
	edge := newUID(t)
	err := errors.Join(
		db.System().UpsertSessions(t.Context(), tenant, []store.SessionEvent{{Kind: store.SessionBegun, SID: "s_" + tag, Time: time.Now(), ExpireTime: expires}}),
		db.System().InsertEvents(t.Context(), tenant, edge, "boot", []store.AccessEvent{{ID: "E" + tag, Seq: 1, Time: time.Now(), Event: []byte(`{}`)}}),
		db.System().PutAcks(t.Context(), []store.Ack{{EdgeUID: edge, TenantUID: tenant, Lineage: "l", Config: 1}}),
	)
	if err != nil {
		t.Fatal(err)
	}
}
