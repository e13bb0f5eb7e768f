package server_test

import (
	"bytes"
	"testing"
	"time"

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
