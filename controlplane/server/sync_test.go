package server_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/revision"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func TestAnEdgeGetsItsTenants(t *testing.T) {
	t.Parallel()
	const canary, foreign = "canary-client-secret-7f3a", "canary-of-another-tenant-91bc"
	w := setup(t)
	acme, globex := storetest.Tenant(t, w.db, "acme"), storetest.Tenant(t, w.db, "globex")
	w.put(controlplane.PlatformUID, pool("dev", true, "acme"), pool("other", true, "globex"))
	idp := &controlplane.Resource{Kind: controlplane.KindIdentityProvider, ID: "demo", Spec: &controlplane.IdentityProvider{Issuer: "https://idp.test", ClientID: "sallyport"}}
	w.put(globex, app(foreign, "foreign.globex.test"))
	at := w.change(acme, controlplane.Config, func(tx *store.TenantTx) error {
		if err := tx.Put(idp); err != nil {
			return err
		}
		if _, err := tx.PutSecret(idp, "client_secret", []byte(canary)); err != nil {
			return err
		}
		return tx.Put(app("wiki", "wiki.acme.test"))
	})

	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	e.connect(r)
	e.has(acme, at)
	const config, urgent = edgev1.Lane_LANE_CONFIG, edgev1.Lane_LANE_URGENT
	e.until("keys", func() bool { return e.sites[string(acme)].urgent["Keyset/login"] != nil })

	wiki := &edgev1.App{}
	if err := proto.Unmarshal(e.resource(acme, config, "App/wiki").Bytes, wiki); err != nil {
		t.Fatal(err)
	}
	if len(wiki.Operations) != 2 || wiki.MaxStaleness.AsDuration() != 24*time.Hour || wiki.SessionStoreGrace.AsDuration() != time.Hour || wiki.Uid == "" {
		t.Errorf("defaults are not filled in: %v", wiki)
	}
	own := &edgev1.Pool{}
	for key, resource := range e.sites[string(controlplane.PlatformUID)].config {
		if key != "Pool/dev" {
			t.Errorf("of the platform it has %s", key)
		} else if err := proto.Unmarshal(resource.Bytes, own); err != nil {
			t.Fatal(err)
		}
	}
	if len(own.Tenants) != 1 || own.Tenants[0].Uid != string(acme) || !own.Login {
		t.Errorf("its pool is %v", own)
	}

	// The secret may come a moment after the provider: it waits for the login key.
	e.until("the provider's secret", func() bool {
		demo := &edgev1.IdentityProvider{}
		return proto.Unmarshal(e.sites[string(acme)].config["IdentityProvider/demo"].GetBytes(), demo) == nil && demo.ClientSecret != nil
	})
	resource, demo := e.resource(acme, config, "IdentityProvider/demo"), &edgev1.IdentityProvider{}
	if err := proto.Unmarshal(resource.Bytes, demo); err != nil {
		t.Fatal(err)
	}
	if got := e.open(acme, resource, "client_secret", demo.ClientSecret); string(got) != canary {
		t.Errorf("client secret opens to %q", got)
	}
	for _, purpose := range []string{"ticket", "redis", "login"} {
		resource, keys := e.resource(acme, urgent, "Keyset/"+purpose), &edgev1.Keyset{}
		if err := proto.Unmarshal(resource.Bytes, keys); err != nil {
			t.Fatal(err)
		}
		e.open(acme, resource, "keyset", keys.Keyset)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.sites[string(globex)]; ok || bytes.Contains(e.raw.Bytes(), []byte(foreign)) || bytes.Contains(e.raw.Bytes(), []byte(globex)) {
		t.Error("the edge was sent something of a tenant that its pool does not serve")
	}
	if bytes.Contains(e.raw.Bytes(), []byte(canary)) {
		t.Error("the client secret was sent in clear")
	}
	if len(e.sites) != 2 {
		t.Errorf("it has %d sites, want acme and the platform", len(e.sites))
	}
}

func TestDeltasAddUpToTheWhole(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", true, "acme"))
	r := w.replica()
	follower := w.edge(r, "dev", "eu-1")
	follower.connect(r)
	follower.until("keys", func() bool { s := follower.sites[string(acme)]; return s != nil && s.urgent["Keyset/login"] != nil })

	random := rand.New(rand.NewPCG(1, 2))
	there := map[int]bool{}
	config, urgent := w.put(acme, app("first", "first.acme.test")), w.revoke(acme, "session:first")
	for range 60 {
		n := random.IntN(12)
		id := fmt.Sprintf("app-%d", n)
		switch {
		case there[n] && random.IntN(2) == 0:
			config = w.remove(acme, controlplane.KindApp, id)
			delete(there, n)
		case random.IntN(4) == 0:
			urgent = w.revoke(acme, "session:"+id)
		default:
			a := app(id, id+".acme.test")
			a.DisplayName = fmt.Sprint(random.Uint64())
			config = w.put(acme, a)
			there[n] = true
		}
		if random.IntN(3) > 0 {
			// Mostly each change is a step of its own, sometimes several are one.
			follower.has(acme, config)
		}
	}
	follower.has(acme, config)
	follower.has(acme, urgent)
	if n := follower.count["LANE_CONFIG replace=false"]; n < 10 {
		t.Errorf("only %d deltas", n)
	}

	fresh := w.edge(r, "dev", "eu-2")
	fresh.connect(r)
	fresh.has(acme, config)
	fresh.has(acme, urgent)
	a, b := follower.sites[string(acme)], fresh.sites[string(acme)]
	if diff := cmp.Diff(texts(a.config), texts(b.config)); diff != "" {
		t.Errorf("config by deltas and whole:\n%s", diff)
	}
	if diff := cmp.Diff(texts(a.urgent), texts(b.urgent)); diff != "" {
		t.Errorf("urgent by deltas and whole:\n%s", diff)
	}
}

func texts(resources map[string]*edgev1.Resource) map[string]string {
	out := make(map[string]string)
	for key, r := range resources {
		out[key] = fmt.Sprintf("%s r%d %x", r.Uid, r.Revision, r.Bytes)
	}
	return out
}

func TestUrgentOvertakesRefusedConfig(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	e.connect(r)
	good := w.put(acme, app("wiki", "wiki.acme.test"))
	e.has(acme, good)

	e.mu.Lock()
	e.refuse = func(u *edgev1.Update) edgev1.RefusedReason {
		if u.TenantUid == string(acme) && u.Lane == edgev1.Lane_LANE_CONFIG {
			return edgev1.RefusedReason_REFUSED_REASON_COMPILE
		}
		return 0
	}
	e.mu.Unlock()
	bad := w.put(acme, app("api", "api.acme.test"))
	e.until("the refusal", func() bool { return e.count["refused"] == 1 })
	urgent := w.revoke(acme, "session:s_1")
	e.has(acme, urgent)
	if got := w.wait(acme, urgent, patience); got.Result != revision.Enforced {
		t.Errorf("urgent: %s", text(got))
	}
	got := w.wait(acme, bad, 0)
	if got.Result != revision.Pending || len(got.Pending) != 1 || got.Pending[0].Edge != e.name || got.Pending[0].Refused != "COMPILE at "+bad.String()+": because of the test" {
		t.Errorf("config: %s", text(got))
	}
	if got.Pending[0].Config != good || got.Pending[0].Urgent.Number < urgent.Number {
		t.Errorf("it has %s, %s", got.Pending[0].Config, got.Pending[0].Urgent)
	}

	e.mu.Lock()
	if e.count["refused"] != 1 {
		t.Errorf("what cannot be used was offered %d times", e.count["refused"])
	}
	e.refuse = nil
	e.mu.Unlock()
	// What comes next starts from the last good one.
	next := w.put(acme, app("api", "api2.acme.test"))
	e.has(acme, next)
	if got := w.wait(acme, next, patience); got.Result != revision.Enforced || len(got.Pending) != 0 {
		t.Errorf("the next one: %s", text(got))
	}
}

func TestBadRootIsMendedByTheWhole(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	e.connect(r)
	e.has(acme, w.put(acme, app("wiki", "wiki.acme.test")))
	once := true
	e.mu.Lock()
	e.refuse = func(u *edgev1.Update) edgev1.RefusedReason {
		if once && u.TenantUid == string(acme) && !u.Replace {
			once = false
			return edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT
		}
		return 0
	}
	before := e.count["LANE_CONFIG replace=true"]
	e.mu.Unlock()
	e.has(acme, w.put(acme, app("api", "api.acme.test")))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count["LANE_CONFIG replace=true"] != before+1 || e.count["refused"] != 1 {
		t.Errorf("counts: %v", e.count)
	}
}

func TestReplicasAgree(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", true, "acme"))
	one := w.replica()
	e := w.edge(one, "dev", "eu-1")
	c := e.connect(one)
	e.until("keys", func() bool { s := e.sites[string(acme)]; return s != nil && s.urgent["Keyset/login"] != nil })
	at := w.put(acme, app("wiki", "wiki.acme.test"))
	e.has(acme, at)
	_ = c.close()

	two := w.replica()
	e.mu.Lock()
	clear(e.count)
	e.mu.Unlock()
	e.connect(two)
	// Its own root of what the first replica sent is what the second one signs.
	e.until("a head of the second replica", func() bool {
		s := e.sites[string(acme)]
		return e.count["head"] >= 2 && s.configAt.After(time.Now().Add(-time.Minute)) && !s.urgentAt.IsZero()
	})
	if n := e.count["updates of "+string(acme)]; n != 0 {
		t.Errorf("nothing changed, and it was sent %d updates", n)
	}
	fresh := w.edge(two, "dev", "eu-2")
	fresh.connect(two)
	fresh.has(acme, at)
	e.has(acme, w.put(acme, app("api", "api.acme.test")))
	if e.count["updates of "+string(acme)] != 1 || e.count["LANE_CONFIG replace=true"] != 0 {
		t.Errorf("after it moved, a change is not one delta: %v", e.count)
	}
}

func TestNotificationsAreOnlyAHint(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	e.connect(r)
	e.has(acme, w.put(acme, app("wiki", "wiki.acme.test")))

	super := w.superuser()
	// From here on nobody can listen: whoever does is cut off, and there are no new connections.
	super.limit(0)
	defer super.limit(-1)
	if super.count(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ILIKE 'listen%'`) == 0 {
		t.Fatal("nobody listens")
	}
	began := time.Now()
	e.has(acme, w.put(acme, app("api", "api.acme.test")))
	t.Logf("without notifications a change takes %s", time.Since(began).Round(time.Millisecond))
}
