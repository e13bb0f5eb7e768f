package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

func TestEdgesOfATenant(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme, globex := storetest.Tenant(t, db, "acme"), storetest.Tenant(t, db, "globex")
	dev, prod := pool("dev", "acme", "globex"), pool("prod", "globex")
	put(t, db, controlplane.PlatformUID, dev)
	put(t, db, controlplane.PlatformUID, prod)
	eu, us, far := enrol(t, db, dev, "eu-1"), enrol(t, db, dev, "us-1"), enrol(t, db, prod, "far-1")
	system := db.System()

	if err := system.EdgesSeen(t.Context(), []store.EdgeSeen{{eu, "b1", "v1"}, {us, "b2", "v1"}, {eu, "b3", "v2"}, {newUID(t), "b", "v"}}); err != nil {
		t.Fatal(err)
	}
	if err := system.EdgeDeparted(t.Context(), us); err != nil {
		t.Fatal(err)
	}
	if err := system.PutAcks(t.Context(), []store.Ack{
		{EdgeUID: eu, TenantUID: acme, Lineage: "L", Config: 1, MaxStaleness: time.Hour},
		{EdgeUID: eu, TenantUID: acme, Lineage: "L", Config: 3, Urgent: 2, ClosedApps: []string{"wi\x00ki"}, MaxStaleness: 90 * time.Minute},
		{EdgeUID: us, TenantUID: acme, Lineage: "L", Config: 2, Refused: json.RawMessage(`{"reason":"COMPILE","detail":"\u0000"}`)},
		{EdgeUID: "no uid", TenantUID: acme},
	}); err != nil {
		t.Fatal(err)
	}
	state := func(tenant, edge controlplane.UID) (store.EdgeState, bool) {
		t.Helper()
		states, err := system.Edges(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range states {
			if s.Edge.EdgeUID == edge {
				return s, true
			}
		}
		return store.EdgeState{}, false
	}
	s, ok := state(acme, eu)
	if !ok || s.Ack == nil || s.Ack.Config != 3 || s.Ack.Urgent != 2 || s.Ack.Lineage != "L" || len(s.Ack.ClosedApps) != 1 || s.Ack.MaxStaleness != 90*time.Minute ||
		s.Ack.Refused != nil || s.AckTime.IsZero() || s.SeenAgo < 0 || s.SeenAgo > time.Minute || s.Edge.Boot != "b3" || s.Edge.Version != "v2" {
		t.Errorf("eu-1 for acme: %+v, %+v", s, s.Ack)
	}
	if s, ok := state(acme, us); !ok || s.Ack == nil || string(s.Ack.Refused) == "" || s.Edge.DepartedTime.IsZero() {
		t.Errorf("us-1 for acme: %+v, %+v", s, s.Ack)
	}
	if s, ok := state(globex, eu); !ok || s.Ack != nil {
		t.Errorf("eu-1 for globex, of which it said nothing: %+v", s)
	}
	if _, ok := state(acme, far); ok {
		t.Error("an edge of a pool that does not serve acme is listed for it")
	}
	if s, ok := state(globex, far); !ok || s.SeenAgo >= 0 {
		t.Errorf("far-1, never seen: %+v", s)
	}
	if s, ok := state(controlplane.PlatformUID, far); !ok {
		t.Errorf("far-1 for the platform: %+v", s)
	}

	// An applied update takes a refusal away.
	if err := system.PutAcks(t.Context(), []store.Ack{{EdgeUID: us, TenantUID: acme, Lineage: "L", Config: 4}}); err != nil {
		t.Fatal(err)
	}
	if s, _ := state(acme, us); s.Ack.Refused != nil || s.Ack.Config != 4 {
		t.Errorf("us-1 after it applied: %+v", s.Ack)
	}
	if err := system.EdgesSeen(t.Context(), []store.EdgeSeen{{us, "b4", "v2"}}); err != nil {
		t.Fatal(err)
	}
	if s, _ := state(acme, us); !s.Edge.DepartedTime.IsZero() {
		t.Error("an edge that is back is still departed")
	}
}

func TestEdgeThatLeavesIsRemembered(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	dev := pool("dev")
	put(t, db, controlplane.PlatformUID, dev)
	uid := enrol(t, db, dev, "eu-1")
	want := func(step, how, due string) {
		t.Helper()
		e, err := db.System().Edge(t.Context(), uid)
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if e.LeftHow != how || e.LeftTime.IsZero() != (how == "") || e.KeysDue != due {
			t.Errorf("%s: left %q at %s, keys due %q; want %q, %q", step, e.LeftHow, e.LeftTime, e.KeysDue, how, due)
		}
	}
	set := func(disabled bool) {
		put(t, db, controlplane.PlatformUID, &controlplane.Resource{Kind: controlplane.KindEdge, ID: "dev/eu-1", Spec: &controlplane.Edge{Pool: "dev", Disabled: disabled}})
	}
	want("enrolled", "", "")
	set(true)
	want("disabled", "disabled", "replace")
	set(false)
	want("enabled again at once", "", "replace")
	settle := func() {
		e, err := db.System().Edge(t.Context(), uid)
		if err != nil {
			t.Fatal(err)
		}
		inTx(t, db, controlplane.PlatformUID, func(tx *store.TenantTx) error { return tx.SettleEdge(uid, e.LeftTime) })
	}
	settle()
	want("settled", "", "")
	remove(t, db, controlplane.PlatformUID, controlplane.KindEdge, "dev/eu-1")
	want("deleted", "deleted", "rotate")
	inTx(t, db, controlplane.PlatformUID, func(tx *store.TenantTx) error { return tx.SettleEdge(uid, time.Time{}) })
	want("settled for an earlier time it left", "deleted", "rotate")
	forget := func() {
		inTx(t, db, controlplane.PlatformUID, func(tx *store.TenantTx) error { return tx.ForgetEdge(uid) })
	}
	forget()
	want("not to be forgotten yet", "deleted", "rotate")
	settle()
	forget()
	if _, err := db.System().Edge(t.Context(), uid); controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("forgotten: got %v, want NotFound", err)
	}
	if all, err := db.System().AllEdges(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("edges left: %v, %v", all, err)
	}
	if _, err := db.System().Edge(t.Context(), "no uid"); controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("no uid: got %v, want NotFound", err)
	}
}

func TestEnrolAgain(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	dev := pool("dev")
	put(t, db, controlplane.PlatformUID, dev)
	first := enrol(t, db, dev, "eu-1")
	if err := db.System().EdgesSeen(t.Context(), []store.EdgeSeen{{first, "b", "v"}}); err != nil {
		t.Fatal(err)
	}
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	if err := db.System().EdgeCertified(t.Context(), first, "2", expires); err != nil {
		t.Fatal(err)
	}
	if e, err := db.System().Edge(t.Context(), first); err != nil || e.CertSerial != "2" || !e.CertExpire.Equal(expires) || e.SeenTime.IsZero() {
		t.Errorf("renewed: %+v, %v", e, err)
	}
	if again := enrol(t, db, dev, "eu-1"); again != first {
		t.Errorf("enrolled again as %s, want %s", again, first)
	}
	if e, err := db.System().Edge(t.Context(), first); err != nil || e.CertSerial != "1" || !e.SeenTime.IsZero() {
		t.Errorf("enrolled again: %+v, %v", e, err)
	}
	acme := storetest.Tenant(t, db, "acme")
	err := db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
		return tx.PutEdgeEnrolment(store.EdgeEnrolment{EdgeUID: first})
	})
	if err == nil {
		t.Error("a tenant enrolled an edge")
	}
}
