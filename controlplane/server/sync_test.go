package server_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
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

func TestCommitToAcknowledged(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	e.connect(r)
	revisions := waiter(t, w)
	var took []time.Duration
	for range 50 {
		at := w.put(acme, app("wiki", "wiki.acme.test"))
		began := time.Now()
		result, err := revisions.Wait(t.Context(), storetest.Caller(), revision.WaitRequest{Tenant: acme, Revision: at, Timeout: patience})
		if err != nil || result.Result != revision.Enforced {
			t.Fatalf("%s: %v %s", at, err, text(result))
		}
		took = append(took, time.Since(began))
		e.mu.Lock()
		if has := e.sites[string(acme)].version.Config; has < at.Number {
			t.Errorf("Wait answered for %s, the edge has c%d", at, has)
		}
		e.mu.Unlock()
	}
	t.Logf("commit to Wait's answer, through notifications: %s", quantiles(took))
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

func TestWaitNamesTheSilent(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	if got := w.wait(acme, w.put(acme, app("wiki", "wiki.acme.test")), 0); got.Result != revision.Enforced || got.EnforceTime.IsZero() {
		t.Errorf("no edge at all: %s", text(got))
	}
	r := w.replica()
	one, two := w.edge(r, "dev", "eu-1"), w.edge(r, "dev", "eu-2")
	one.connect(r)
	stream := two.connect(r)
	at := w.put(acme, app("wiki", "wiki2.acme.test"))
	one.has(acme, at)
	two.has(acme, at)
	if got := w.wait(acme, at, patience); got.Result != revision.Enforced {
		t.Fatalf("both are there: %s", text(got))
	}

	two.mu.Lock()
	two.mute = true // as if it were stopped: the connection stays, and nothing comes
	two.mu.Unlock()
	at = w.put(acme, app("wiki", "wiki3.acme.test"))
	one.has(acme, at)
	got := w.wait(acme, at, 300*time.Millisecond)
	if got.Result != revision.Pending || len(got.Pending) != 1 || got.Pending[0].Edge != two.name || len(got.Unreachable) != 0 {
		t.Errorf("it has just fallen silent: %s", text(got))
	}
	// Twenty seconds later, without waiting for them.
	super := w.superuser()
	super.exec(`UPDATE edge SET seen_at = now() - interval '20 seconds' WHERE name = '` + two.name + `'`)
	got = w.wait(acme, at, patience)
	if got.Result != revision.EnforcedExcept || len(got.Unreachable) != 1 || got.Unreachable[0].Edge != two.name {
		t.Errorf("it is silent: %s", text(got))
	} else if left := time.Until(got.Unreachable[0].ClosesBy); left < 23*time.Hour || left > 25*time.Hour {
		t.Errorf("it closes in %s, want about a day", left)
	}
	super.exec(`UPDATE edge SET seen_at = now() - interval '25 hours' WHERE name = '` + two.name + `'`)
	if got = w.wait(acme, at, patience); got.Result != revision.Enforced {
		t.Errorf("it has closed by itself: %s", text(got))
	}
	_ = stream.close()

	// A goodbye releases it; coming back makes it accountable again.
	two.mu.Lock()
	two.mute = false
	two.mu.Unlock()
	stream = two.connect(r)
	two.has(acme, at)
	stream.leave(t)
	at = w.put(acme, app("wiki", "wiki4.acme.test"))
	if got = w.wait(acme, at, patience); got.Result != revision.Enforced {
		t.Errorf("it said goodbye: %s", text(got))
	}
	two.mu.Lock()
	two.mute = true
	two.mu.Unlock()
	two.connect(r)
	two.until("it is back", func() bool { return two.count["welcome"] == 3 })
	at = w.put(acme, app("wiki", "wiki5.acme.test"))
	if got = w.wait(acme, at, 300*time.Millisecond); got.Result != revision.Pending {
		t.Errorf("it is back: %s", text(got))
	}
}

func TestDisabledEdgeIsCutAndItsKeysReplaced(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", true, "acme"))
	r := w.replica()
	good, bad := w.edge(r, "dev", "eu-1"), w.edge(r, "dev", "eu-2")
	good.connect(r)
	stream := bad.connect(r)
	for _, e := range []*edge{good, bad} {
		e.until("keys", func() bool { s := e.sites[string(acme)]; return s != nil && s.urgent["Keyset/ticket"] != nil })
	}
	const urgent = edgev1.Lane_LANE_URGENT
	keys := func(e *edge) string {
		resource, m := e.resource(acme, urgent, "Keyset/ticket"), &edgev1.Keyset{}
		if err := proto.Unmarshal(resource.Bytes, m); err != nil {
			t.Fatal(err)
		}
		return string(e.open(acme, resource, "keyset", m.Keyset))
	}
	before := keys(good)
	if before != keys(bad) {
		t.Fatal("two edges of one pool have different keys")
	}
	at := w.put(acme, app("wiki", "wiki.acme.test"))
	good.has(acme, at)
	bad.has(acme, at)

	w.change(controlplane.PlatformUID, controlplane.Config, func(tx *store.TenantTx) error {
		resource, err := tx.Resource(controlplane.KindEdge, "dev/eu-2")
		if err != nil {
			return err
		}
		resource.Spec.(*controlplane.Edge).Disabled = true
		return tx.Put(resource)
	})
	<-stream.done
	if len(bad.said) != 1 || bad.said[0] != "disabled" {
		t.Errorf("it was told %v", bad.said)
	}
	if err := <-bad.connect(r).done; connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("it comes back: %v", err)
	}
	if _, err := bad.api(r).Renew(t.Context(), &edgev1.RenewRequest{Csr: bad.csr(bad.key)}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("it renews: %v", err)
	}
	if _, err := enrol(t, r, w.joinToken("dev", "eu-2", time.Minute)); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("it enrols again: %v", err)
	}
	var was string
	good.until("other keys", func() bool {
		revision := good.sites[string(acme)].urgent["Keyset/ticket"].Revision
		defer func() { was = fmt.Sprint(revision) }()
		return was != "" && was != fmt.Sprint(revision) || revision > 1
	})
	after := keys(good)
	if after == before {
		t.Error("the pool's ticket key is the one that the disabled edge has")
	}
	if strings.Contains(after, before) {
		t.Error("the old key still opens")
	}
	if got := w.wait(acme, at, patience); got.Result != revision.Enforced {
		t.Errorf("a disabled edge is waited for: %s", text(got))
	}
}

func TestDeletedEdgeIsCutAndItsKeysRotate(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", true, "acme"))
	r := w.replica()
	good, bad := w.edge(r, "dev", "eu-1"), w.edge(r, "dev", "eu-2")
	good.connect(r)
	stream := bad.connect(r)
	for _, e := range []*edge{good, bad} {
		e.until("keys", func() bool { s := e.sites[string(acme)]; return s != nil && s.urgent["Keyset/ticket"] != nil })
	}
	sealedBy := func() string {
		m := &edgev1.Keyset{}
		if err := proto.Unmarshal(good.sites[string(acme)].urgent["Keyset/ticket"].GetBytes(), m); err != nil {
			t.Error(err)
		}
		return m.Keyset.GetKeyId()
	}
	good.mu.Lock()
	before := sealedBy()
	good.mu.Unlock()

	w.remove(controlplane.PlatformUID, controlplane.KindEdge, "dev/eu-2")
	<-stream.done
	if len(bad.said) != 1 || bad.said[0] != "disabled" {
		t.Errorf("it was told %v", bad.said)
	}
	good.until("another data key", func() bool { return sealedBy() != before })
	for _, purpose := range []string{"ticket", "redis", "login"} {
		resource, m := good.resource(acme, edgev1.Lane_LANE_URGENT, "Keyset/"+purpose), &edgev1.Keyset{}
		if err := proto.Unmarshal(resource.Bytes, m); err != nil {
			t.Fatal(err)
		}
		handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(good.open(acme, resource, "keyset", m.Keyset))))
		if err != nil {
			t.Fatal(err)
		}
		if n := handle.Len(); n != 2 {
			t.Errorf("%s has %d keys, want the one in use and its successor", purpose, n)
		}
	}
}

// Half a minute of real time: beats, heads that say that nothing has changed, and the end of an edge that says nothing.
func TestLifeAndSilence(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme := storetest.Tenant(t, w.db, "acme")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	r := w.replica()
	alive, silent := w.edge(r, "dev", "eu-1"), w.edge(r, "dev", "eu-2")
	alive.connect(r)
	alive.until("current", func() bool {
		s := alive.sites[string(acme)]
		return s != nil && !s.configAt.IsZero() && !s.urgentAt.IsZero()
	})
	alive.mu.Lock()
	configAt, urgentAt := alive.sites[string(acme)].configAt, alive.sites[string(acme)].urgentAt
	alive.mu.Unlock()

	stream := silent.connect(r)
	silent.until("welcome", func() bool { return silent.count["welcome"] == 1 })
	silent.mu.Lock()
	silent.mute = true
	silent.mu.Unlock()
	began := time.Now()
	<-stream.done
	if took := time.Since(began); took < 10*time.Second || took > 20*time.Second {
		t.Errorf("a silent stream ends after %s", took)
	}
	alive.until("signs of life", func() bool {
		s := alive.sites[string(acme)]
		return alive.count["heartbeat"] >= 2 && s.configAt.After(configAt) && s.urgentAt.After(urgentAt)
	})
}

func TestPoolsComeAndGo(t *testing.T) {
	t.Parallel()
	w := setup(t)
	acme, globex := storetest.Tenant(t, w.db, "acme"), storetest.Tenant(t, w.db, "globex")
	w.put(controlplane.PlatformUID, pool("dev", false, "acme"))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	e.connect(r)
	e.has(acme, w.put(acme, app("wiki", "wiki.acme.test")))
	at := w.put(controlplane.PlatformUID, pool("dev", true, "acme", "globex"))
	e.has(controlplane.PlatformUID, at)
	e.until("the second tenant's keys", func() bool { s := e.sites[string(globex)]; return s != nil && s.urgent["Keyset/login"] != nil })
	e.until("the first tenant's login key", func() bool { return e.sites[string(acme)].urgent["Keyset/login"] != nil })

	w.put(controlplane.PlatformUID, pool("dev", false, "globex"))
	e.until("no login key", func() bool { return e.sites[string(globex)].urgent["Keyset/login"] == nil })
	last := e.sites[string(acme)].version.Config
	w.put(acme, app("wiki", "wiki2.acme.test"))
	e.has(globex, w.put(globex, app("wiki", "wiki.globex.test")))
	if got := e.sites[string(acme)].version.Config; got != last {
		t.Errorf("it is still sent a tenant that its pool no longer serves: c%d after c%d", got, last)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.put(controlplane.PlatformUID, pool("dev", false))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	stream := e.connect(r)
	e.until("its pool", func() bool { return e.pool != "" })
	e.mu.Lock()
	e.mute = true
	e.mu.Unlock()
	at := w.put(controlplane.PlatformUID, pool("other", false))
	service := revision.New(revision.Config{DB: w.db, Now: time.Now})
	service.Drain()
	began := time.Now()
	if got, err := service.Wait(t.Context(), storetest.Caller(), revision.WaitRequest{Tenant: controlplane.PlatformUID, Revision: at, Timeout: patience}); err != nil || got.Result != revision.Pending {
		t.Errorf("a wait at a replica that is going: %s %v", text(got), err)
	} else if took := time.Since(began); took > patience/2 {
		t.Errorf("it held the caller for %s", took)
	}
	if err := r.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	<-stream.done
	if len(e.said) != 1 || e.said[0] != "drain" {
		t.Errorf("it was told %v", e.said)
	}
}
