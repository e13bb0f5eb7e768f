package snapshot_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func world(t *testing.T) *edgetest.Edge {
	t.Helper()
	return edgetest.Start(t, edgetest.Demo("http://127.0.0.1:1", "http://127.0.0.1:1"))
}

// reach is a policy by whose presence one sees which state is enforced.
func reach(id string) *edgev1.Policy {
	p := edgetest.APIPolicy()
	p.Id, p.Uid = id, "policy-"+id
	return p
}

// Each refusal keeps the last good state whole, and is told by its reason.
func TestRefused(t *testing.T) {
	t.Parallel()
	config, urgent := edgev1.Lane_LANE_CONFIG, edgev1.Lane_LANE_URGENT
	for _, c := range []struct {
		name   string
		lane   edgev1.Lane
		spoil  func(e *edgetest.Edge, u *edgev1.Update)
		reason edgev1.RefusedReason
	}{
		{"signature", config, func(_ *edgetest.Edge, u *edgev1.Update) { u.Head.Signature[0] ^= 1 }, edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE},
		{"unknown key", config, func(_ *edgetest.Edge, u *edgev1.Update) { u.Head.KeyId = "k2" }, edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE},
		{"another tenant's head", config, func(e *edgetest.Edge, u *edgev1.Update) { u.Head = e.ControlPlane.Head(t, edgetest.Globex, time.Now()) }, edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE},
		{"another pool's head", config, head(func(h *edgev1.Head) { h.PoolUid = "other" }), edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE},
		{"no version", config, head(func(h *edgev1.Head) { h.Version = nil }), edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE},
		{"root", config, head(func(h *edgev1.Head) { h.ConfigRoot[0] ^= 1 }), edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT},
		{"a resource left out", config, func(_ *edgetest.Edge, u *edgev1.Update) { u.Resources = nil }, edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT},
		{"a resource twice", config, resources(func(s *edgev1.ResourceSet) { s.Changed = append(s.Changed, s.Changed[0]) }), edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT},
		{"other bytes", config, resources(func(s *edgev1.ResourceSet) { s.Changed[0].Bytes = append(s.Changed[0].Bytes, 0) }), edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT},
		{"unparsable", config, func(_ *edgetest.Edge, u *edgev1.Update) { u.Resources = []byte{0xff} }, edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT},
		{"unknown packing", config, func(_ *edgetest.Edge, u *edgev1.Update) { u.Encoding = 99 }, edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT},
		{"not zstd", config, func(_ *edgetest.Edge, u *edgev1.Update) { u.Encoding = edgev1.Encoding_ENCODING_ZSTD }, edgev1.RefusedReason_REFUSED_REASON_TOO_LARGE},
		{"wrong base", config, func(_ *edgetest.Edge, u *edgev1.Update) { u.From++ }, edgev1.RefusedReason_REFUSED_REASON_WRONG_BASE},
		{"leads elsewhere than its head", config, func(_ *edgetest.Edge, u *edgev1.Update) { u.To++ }, edgev1.RefusedReason_REFUSED_REASON_WRONG_BASE},
		{"older history", config, head(func(h *edgev1.Head) { h.Version.Lineage = "0" }), edgev1.RefusedReason_REFUSED_REASON_WRONG_BASE},
		{"newer history without everything", config, head(func(h *edgev1.Head) { h.Version.Lineage = "2" }), edgev1.RefusedReason_REFUSED_REASON_WRONG_BASE},
		{"back in time", config, func(e *edgetest.Edge, u *edgev1.Update) {
			u.Replace, u.To = true, 0
			head(func(h *edgev1.Head) { h.Version.Config = 0 })(e, u)
		}, edgev1.RefusedReason_REFUSED_REASON_WRONG_BASE},
		{"no lane", 0, func(_ *edgetest.Edge, u *edgev1.Update) { u.Lane = 0 }, edgev1.RefusedReason_REFUSED_REASON_WRONG_BASE},
		{"urgent root", urgent, head(func(h *edgev1.Head) { h.UrgentRoot[0] ^= 1 }), edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := world(t)
			before := e.Node.Store.Have()[edgetest.Acme]
			lane := c.lane
			if lane == 0 {
				lane = config
			}
			var put []proto.Message
			if lane == config {
				put = []proto.Message{reach("added")}
			}
			u := e.ControlPlane.Update(t, edgetest.Acme, lane, edgetest.Change{Put: put})
			c.spoil(e, u)
			applied, refused := e.Node.Store.Apply(u)
			if applied != nil || refused.GetReason() != c.reason || refused.GetTenantUid() != edgetest.Acme || len(refused.GetDetail()) > 1024 {
				t.Errorf("got %v, %v", applied, refused)
			}
			if after := e.Node.Store.Have()[edgetest.Acme]; !proto.Equal(before, after) {
				t.Errorf("the state moved from %v to %v", before, after)
			}
		})
	}
}

// head changes an update's head and signs it anew, as a control plane that is wrong would.
func head(change func(*edgev1.Head)) func(*edgetest.Edge, *edgev1.Update) {
	return func(e *edgetest.Edge, u *edgev1.Update) {
		h := &edgev1.Head{}
		if err := proto.Unmarshal(u.GetHead().GetHead(), h); err != nil {
			panic(err)
		}
		change(h)
		b, err := proto.Marshal(h)
		if err != nil {
			panic(err)
		}
		u.Head = e.ControlPlane.Sign(b)
	}
}

// resources changes what an update carries.
func resources(change func(*edgev1.ResourceSet)) func(*edgetest.Edge, *edgev1.Update) {
	return func(_ *edgetest.Edge, u *edgev1.Update) {
		s := &edgev1.ResourceSet{}
		if err := proto.Unmarshal(u.GetResources(), s); err != nil {
			panic(err)
		}
		change(s)
		b, err := proto.Marshal(s)
		if err != nil {
			panic(err)
		}
		u.Resources = b
	}
}

// Urgent updates apply after a config that was refused, and without waiting for it.
func TestLanesAreIndependent(t *testing.T) {
	t.Parallel()
	e := world(t)
	u := e.ControlPlane.Update(t, edgetest.Acme, edgev1.Lane_LANE_CONFIG, edgetest.Change{Put: []proto.Message{reach("added")}})
	spoiled := proto.CloneOf(u)
	spoiled.Head.Signature[0] ^= 1
	if _, refused := e.Node.Store.Apply(spoiled); refused == nil {
		t.Fatal("a bad signature was taken")
	}
	// The head of this one has both counters ahead of what the edge has of config.
	e.Revoke(t, edgetest.Acme, "token:"+edgetest.CI.ID)
	site := e.Node.Store.Table().Site(edgetest.Acme)
	if !site.Revocations.Dead(snapshot.Subject{Token: edgetest.CI.ID}) || site.Version.Urgent != 2 || site.Version.Config != 1 {
		t.Errorf("the urgent update is not enforced: %+v", site.Version)
	}
	// Its own head was signed before the revocation; it leads where it says all the same.
	if applied, refused := e.Node.Store.Apply(u); applied == nil || applied.At.Config != 2 || applied.At.Urgent != 2 {
		t.Errorf("the config after it: %v %v", applied, refused)
	}
}

// One tenant's broken update does not touch another's.
func TestTenantsAreIndependent(t *testing.T) {
	t.Parallel()
	e := world(t)
	u := e.ControlPlane.Update(t, edgetest.Acme, edgev1.Lane_LANE_CONFIG, edgetest.Change{
		Raw: []*edgev1.Resource{{Kind: "App", Id: "broken", Uid: "broken", Bytes: []byte{0xff, 0xff}}},
	})
	if _, refused := e.Node.Store.Apply(u); refused.GetReason() != edgev1.RefusedReason_REFUSED_REASON_COMPILE || !strings.Contains(refused.GetDetail(), "broken") {
		t.Errorf("what cannot be parsed: %v", refused)
	}
	e.Put(t, edgetest.Globex, edgetest.App("more", "http://127.0.0.1:1", "more.globex.localhost"))
	table := e.Node.Store.Table()
	if _, app, ok := table.Host("more.globex.localhost"); !ok || app.ID != "more" {
		t.Error("the other tenant's update is not enforced")
	}
	if _, app, ok := table.Host("api.acme.localhost"); !ok || app.ID != "api" {
		t.Error("the last good state was not kept")
	}
}

func TestHostOfTwoTenants(t *testing.T) {
	t.Parallel()
	e := world(t)
	e.Put(t, edgetest.Globex, edgetest.App("thief", "http://127.0.0.1:1", "api.acme.localhost"))
	if site, _, ok := e.Node.Store.Table().Host("api.acme.localhost"); ok {
		t.Errorf("a host that two tenants claim is %s's", site.TenantID)
	}
	e.Remove(t, edgetest.Globex, "App/thief")
	if _, _, ok := e.Node.Store.Table().Host("api.acme.localhost"); !ok {
		t.Error("afterwards it is nobody's")
	}
}

// A tenant that leaves the pool is served no more, and its keys are forgotten.
func TestTenantLeavesThePool(t *testing.T) {
	t.Parallel()
	e := world(t)
	pool := &edgev1.Pool{Id: "dev", Uid: e.ControlPlane.PoolUID, Tenants: []*edgev1.PoolTenant{{Uid: edgetest.Globex, Id: "globex"}}}
	e.Put(t, snapshot.PlatformUID, pool)
	if e.Node.Store.Table().Site(edgetest.Acme) != nil || e.Node.Store.Have()[edgetest.Acme] != nil {
		t.Error("the tenant is still there")
	}
	if e.Node.Store.Table().Site(edgetest.Globex) == nil {
		t.Error("the other one is gone as well")
	}
}

func TestPoolIsPinned(t *testing.T) {
	t.Parallel()
	e := world(t)
	u := e.ControlPlane.Update(t, snapshot.PlatformUID, edgev1.Lane_LANE_CONFIG, edgetest.Change{Put: []proto.Message{&edgev1.Pool{Id: "dev", Uid: "another"}}})
	if _, refused := e.Node.Store.Apply(u); refused.GetReason() != edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE {
		t.Errorf("a pool of another uid than its head's: %v", refused)
	}
}

// A secret whose key is missing is missing: what needs it is unavailable, and everything else goes on.
func TestMissingDataKey(t *testing.T) {
	t.Parallel()
	e := world(t)
	key := e.ControlPlane.AssertionKey(t, edgetest.Acme, "dev-2", time.Now())
	key.PrivateKey.KeyId = "d2"
	e.Apply(t, edgetest.Acme, edgev1.Lane_LANE_URGENT, edgetest.Change{Put: []proto.Message{key}, Remove: []string{"AssertionKey/dev-1", "Keyset/ticket"}})
	site := e.Node.Store.Table().Site(edgetest.Acme)
	if site.Signer(time.Now()) != nil || len(site.AssertionKeys) != 1 || site.Keys.Ticket != nil || site.Keys.Login == nil {
		t.Errorf("%+v %v", site.Keys, site.AssertionKeys)
	}
}

// The newest key that has begun signs; one that is to come is only published.
func TestSigner(t *testing.T) {
	t.Parallel()
	e := world(t)
	now := time.Now()
	later := e.ControlPlane.AssertionKey(t, edgetest.Acme, "dev-3", now.Add(time.Hour))
	retired := e.ControlPlane.AssertionKey(t, edgetest.Acme, "dev-0", now.Add(-24*time.Hour))
	retired.PrivateKey = nil
	swapped := e.ControlPlane.AssertionKey(t, edgetest.Acme, "dev-9", now.Add(-time.Second))
	swapped.PublicKey = later.PublicKey
	e.Apply(t, edgetest.Acme, edgev1.Lane_LANE_URGENT, edgetest.Change{Put: []proto.Message{later, retired, swapped}})
	site := e.Node.Store.Table().Site(edgetest.Acme)
	if got := site.Signer(now).KID; got != "dev-1" {
		t.Errorf("now signs %s", got)
	}
	if got := site.Signer(now.Add(2 * time.Hour)).KID; got != "dev-3" {
		t.Errorf("in two hours signs %s", got)
	}
	if len(site.AssertionKeys) != 4 {
		t.Errorf("%d keys are published", len(site.AssertionKeys))
	}
}

// A head that says that a lane of this counter has another state is contradicted loudly; one that is ahead says nothing.
func TestStandaloneHeads(t *testing.T) {
	t.Parallel()
	e := world(t)
	send := func(change func(*edgev1.Head)) *edgev1.Refused {
		u := &edgev1.Update{Head: e.ControlPlane.Head(t, edgetest.Acme, time.Now().Add(time.Hour))}
		head(change)(e, u)
		return e.Node.Store.Head(u.Head)
	}
	age := func() time.Duration { return e.Node.Store.Table().Site(edgetest.Acme).Age(time.Now().Add(time.Hour)) }
	if r := send(func(h *edgev1.Head) { h.Version.Config++; h.Version.Urgent++ }); r != nil || age() < time.Hour-time.Minute {
		t.Errorf("ahead: %v, age %s", r, age())
	}
	if r := send(func(h *edgev1.Head) { h.UrgentRoot[0] ^= 1 }); r.GetReason() != edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT || r.GetLane() != edgev1.Lane_LANE_URGENT {
		t.Errorf("contradiction: %v", r)
	}
	// The lane that is confirmed is fresh; the age is that of the older one.
	config, urgent := e.Node.Store.Table().Site(edgetest.Acme).Ages(time.Now().Add(time.Hour))
	if config > time.Minute || urgent < time.Hour-time.Minute {
		t.Errorf("ages %s and %s", config, urgent)
	}
	if r := send(func(h *edgev1.Head) {}); r != nil || age() > time.Minute {
		t.Errorf("a good one: %v, age %s", r, age())
	}
	if r := send(func(h *edgev1.Head) { h.IssueTime = timestamppb.New(time.Unix(0, 0)) }); r != nil || age() > time.Minute {
		t.Errorf("an old one: %v, age %s", r, age())
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	secret := snapshot.NewSecret("hunter2")
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, secret); strings.Contains(got, "hunter2") || strings.Contains(got, "68756e746572") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

// Nothing that can be in an update makes the store panic, and what it takes is what was signed.
func FuzzApply(f *testing.F) {
	e := edgetest.Start(f, edgetest.Demo("http://127.0.0.1:1", "http://127.0.0.1:1"))
	u := e.ControlPlane.Update(f, edgetest.Acme, edgev1.Lane_LANE_CONFIG, edgetest.Change{Put: []proto.Message{reach("added")}})
	good, err := proto.Marshal(u)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &edgev1.Update{}
		if proto.Unmarshal(b, m) != nil {
			return
		}
		before := e.Node.Store.Have()[edgetest.Acme]
		if before.GetConfig() > 1 {
			return // it found the good one
		}
		applied, refused := e.Node.Store.Apply(m)
		if (applied == nil) == (refused == nil) {
			t.Fatalf("applied %v, refused %v", applied, refused)
		}
		if applied != nil && !proto.Equal(m.GetHead(), u.GetHead()) {
			t.Fatalf("an update that nobody signed was taken: %v", m)
		}
	})
}
