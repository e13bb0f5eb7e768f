package changeset_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

const acme = controlplane.UID("01900000-0000-7000-8000-00000000000a")

func owner() *controlplane.Caller {
	return &controlplane.Caller{Actor: "tenants/acme/members/owner", ActorKind: controlplane.APITokenActor, TenantUID: acme, TenantID: "acme", Role: controlplane.Owner}
}

// tenantOf makes the tenant, and returns two services over it, as two replicas have them.
func tenantOf(t testing.TB, db *store.DB) [2]*changeset.Service {
	t.Helper()
	services := [2]*changeset.Service{changeset.New(changeset.Config{DB: db}), changeset.New(changeset.Config{DB: db})}
	set := &changeset.Set{Scope: controlplane.Scope{UID: acme, ID: "acme"}, Items: []changeset.Item{put(controlplane.KindTenant, "acme", nil, &controlplane.Tenant{AuthHost: "auth.acme.test"})}}
	if _, err := services[0].ApplyNew(t.Context(), owner(), set); err != nil {
		t.Fatal(err)
	}
	return services
}

func put(kind controlplane.Kind, id string, labels map[string]string, spec controlplane.Spec) changeset.Item {
	return changeset.Item{Kind: kind, ID: id, Action: changeset.Replace, Write: func(*controlplane.Resource) (changeset.Desired, error) {
		return changeset.Desired{Resource: &controlplane.Resource{Labels: labels, Spec: spec}}, nil
	}}
}

func apply(t testing.TB, s *changeset.Service, dry bool, items ...changeset.Item) error {
	_, err := s.Apply(t.Context(), owner(), &changeset.Set{Scope: controlplane.Scope{UID: acme, ID: "acme"}, Items: items, ValidateOnly: dry})
	return err
}

// someItem is a random write.
func someItem(random *rand.Rand) changeset.Item {
	n := random.IntN(4)
	id := fmt.Sprint("x", n)
	gone := func(kind controlplane.Kind) changeset.Item {
		return changeset.Item{Kind: kind, ID: id, Action: changeset.Delete, AllowMissing: true}
	}
	some := random.IntN(3)
	switch random.IntN(11) {
	case 0, 1:
		return put(controlplane.KindApp, id, map[string]string{"tier": fmt.Sprint(some)}, &controlplane.App{
			Hosts: []string{fmt.Sprintf("%s%d.acme.test", id[:random.IntN(2)], n)}, Routes: []controlplane.Route{{Path: "/**", Upstreams: []controlplane.Upstream{{URL: "https://up.example"}}}}, Disabled: some == 0,
		})
	case 2:
		return put(controlplane.KindGroup, id, nil, &controlplane.Group{Members: []controlplane.GroupMember{{User: fmt.Sprintf("u%d@acme.test", some)}}})
	case 3:
		return put(controlplane.KindPolicy, id, nil, &controlplane.Policy{Apps: []string{fmt.Sprint("x", some)}, Rules: []controlplane.Rule{
			{ID: "r", Effect: "EFFECT_ALLOW", Principals: []string{fmt.Sprint("group:x", n)}, Operations: []string{"read"}},
		}})
	case 4:
		return put(controlplane.KindPolicy, "rail", nil, &controlplane.Policy{Selector: []controlplane.LabelRequirement{{Key: "tier", Values: []string{fmt.Sprint(some)}}}, Rules: []controlplane.Rule{
			{ID: "r", Effect: "EFFECT_DENY", Principals: []string{fmt.Sprint("group:x", n)}, Operations: []string{"*"}},
		}})
	case 5:
		return put(controlplane.KindServiceAccount, id, nil, &controlplane.ServiceAccount{Disabled: some == 0})
	case 6:
		return put(controlplane.KindRole, id, nil, &controlplane.Role{Access: []string{"ACCESS_CLASS_READ", "ACCESS_CLASS_WRITE"}[:1+some%2]})
	case 7:
		return gone(controlplane.KindApp)
	case 8:
		return gone(controlplane.KindPolicy)
	case 9:
		return gone(controlplane.KindGroup)
	default:
		return gone(controlplane.KindServiceAccount)
	}
}

// Whoever writes, by whichever replica, and whatever is refused or only tried: what a replica has kept is what is stored.
func TestWhatIsKeptIsWhatIsStored(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	services := tenantOf(t, db)
	random := rand.New(rand.NewPCG(5, 8))
	applied := 0
	for step := range 400 {
		items := []changeset.Item{someItem(random)}
		for range random.IntN(3) {
			if next := someItem(random); next.ID != items[0].ID || next.Kind != items[0].Kind {
				items = append(items, next)
			}
		}
		if len(items) == 3 && items[1].ID == items[2].ID && items[1].Kind == items[2].Kind {
			items = items[:2]
		}
		previewed(t, services[random.IntN(2)], items)
		if err := apply(t, services[random.IntN(2)], random.IntN(5) == 0, items...); err == nil {
			applied++
		} else if kind := controlplane.KindOf(err); kind != controlplane.Invalid && kind != controlplane.Precondition && kind != controlplane.Exists {
			t.Fatal(err)
		}
		for i, s := range services {
			if random.IntN(3) > 0 {
				continue // it comes later, over several steps
			}
			err := db.Read(t.Context(), acme, func(tx *store.TenantTx) error {
				kept, err := s.Site(tx)
				if err != nil {
					return err
				}
				all, err := tx.AllResources(policy.Kinds...)
				if err != nil {
					return err
				}
				anew := policy.NewSite(all)
				if diff := cmp.Diff(anew.Source, kept.Source, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("step %d, replica %d (-stored +kept):\n%s", step, i, diff)
				}
				if diff := cmp.Diff(anew.Findings(), kept.Findings()); diff != "" {
					t.Fatalf("step %d, replica %d: findings (-stored +kept):\n%s", step, i, diff)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if applied < 100 {
		t.Errorf("only %d sets were applied", applied)
	}
}

// Writes of one tenant at the same time share what is kept.
func TestWritesAtOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	services := tenantOf(t, db)
	var writers sync.WaitGroup
	for w := range 6 {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(9, uint64(w)))
			for range 20 {
				_ = apply(t, services[w%2], false, someItem(random)) // many are refused
			}
		})
	}
	writers.Wait()
	err := db.Read(t.Context(), acme, func(tx *store.TenantTx) error {
		kept, err := services[0].Site(tx)
		if err != nil {
			return err
		}
		all, err := tx.AllResources(policy.Kinds...)
		if diff := cmp.Diff(policy.NewSite(all).Source, kept.Source, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-stored +kept):\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// One app is edited in a tenant of 2,000 apps with a policy each.
func BenchmarkWriteToALargeTenant(b *testing.B) {
	db := storetest.New(b)
	services := tenantOf(b, db)
	var items []changeset.Item
	appOf := func(i, n int) changeset.Item {
		id := fmt.Sprintf("app-%04d", i)
		return put(controlplane.KindApp, id, nil, &controlplane.App{
			Hosts: []string{id + ".acme.test"}, Routes: []controlplane.Route{{Path: "/**", Upstreams: []controlplane.Upstream{{URL: "https://up.example"}}}}, MaxStaleness: new(controlplane.Duration(n + 1)),
		})
	}
	for i := range 2000 {
		var rules []controlplane.Rule
		for n := range 10 {
			rules = append(rules, controlplane.Rule{ID: fmt.Sprint("r", n), Effect: "EFFECT_ALLOW", Principals: []string{fmt.Sprintf("user:u%d@acme.test", i*10+n)}, Operations: []string{"read"}})
		}
		items = append(items, appOf(i, 0), put(controlplane.KindPolicy, fmt.Sprintf("app-%04d", i), nil, &controlplane.Policy{Apps: []string{fmt.Sprintf("app-%04d", i)}, Rules: rules}))
	}
	if err := apply(b, services[0], false, items...); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		if err := apply(b, services[0], false, appOf(1000, n)); err != nil {
			b.Fatal(err)
		}
	}
}
