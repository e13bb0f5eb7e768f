package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/revision"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

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
	for call, err := range map[string]error{"Sync": <-bad.connect(r).done, "Renew": renewed(t, r, bad)} {
		if got := reasonOf(err); got != "EDGE_DISABLED" || connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("%s: %s %v", call, got, err)
		}
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

	began := time.Now()
	w.remove(controlplane.PlatformUID, controlplane.KindEdge, "dev/eu-2")
	<-stream.done
	t.Logf("it is told after %s", time.Since(began).Round(time.Millisecond))
	if len(bad.said) != 1 || bad.said[0] != "removed" {
		t.Errorf("it was told %v", bad.said)
	}
	for call, err := range map[string]error{"Sync": <-bad.connect(r).done, "Renew": renewed(t, r, bad)} {
		if got := reasonOf(err); got != "EDGE_REMOVED" || connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("%s: %s %v", call, got, err)
		}
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

// An edge that joined after the backup which the database was restored from was not removed by anybody, and is told so.
func TestUnknownEdge(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.put(controlplane.PlatformUID, pool("dev", true))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	w.superuser().exec(`DELETE FROM edge`)
	for call, err := range map[string]error{"Sync": <-e.connect(r).done, "Renew": renewed(t, r, e)} {
		if got := reasonOf(err); got != "EDGE_UNKNOWN" || connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("%s: %s %v", call, got, err)
		}
	}
}

func renewed(t *testing.T, r *replica, e *edge) error {
	t.Helper()
	_, err := e.api(r).Renew(t.Context(), &edgev1.RenewRequest{Csr: e.csr(e.key)})
	return err
}

// reasonOf is what an error says to a program.
func reasonOf(err error) string {
	refused := (*connect.Error)(nil)
	if !errors.As(err, &refused) {
		return ""
	}
	for _, detail := range refused.Details() {
		if value, err := detail.Value(); err == nil {
			if info, ok := value.(*errdetails.ErrorInfo); ok {
				return info.Reason
			}
		}
	}
	return ""
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
	has := func() int64 {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.sites[string(acme)].version.Config
	}
	last := has()
	w.put(acme, app("wiki", "wiki2.acme.test"))
	e.has(globex, w.put(globex, app("wiki", "wiki.globex.test")))
	if got := has(); got != last {
		t.Errorf("it is still sent a tenant that its pool no longer serves: c%d after c%d", got, last)
	}
}
