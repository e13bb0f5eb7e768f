package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

func TestResourceRoundTrip(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	for kind, traits := range controlplane.Kinds {
		if kind == controlplane.KindTenant {
			continue
		}
		r := &controlplane.Resource{
			Kind: kind, ID: "one", DisplayName: "One <&> ü", Labels: map[string]string{"tier": "internal"},
			Annotations: map[string]string{"note": "x"}, ManagedBy: "terraform/prod", Spec: traits.New(),
		}
		revision := put(t, db, acme, r)
		if r.UID == "" || r.Etag == "" || r.CreateTime.IsZero() || r.Revision != revision.Number {
			t.Errorf("%s: put left %+v", kind, r)
		}
		read(t, db, acme, func(tx *store.TenantTx) error {
			byID, err := tx.Resource(kind, "one")
			if err != nil {
				return err
			}
			byUID, err := tx.ResourceByUID(r.UID)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(r, byID) + cmp.Diff(r, byUID); diff != "" {
				t.Errorf("%s reads differently than it was put (-put +read):\n%s", kind, diff)
			}
			return nil
		})
	}
}

func TestUpdateKeepsIdentity(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	first, same, other := app("wiki", "a.test"), app("wiki", "a.test"), app("wiki", "b.test")
	put(t, db, acme, first)
	put(t, db, acme, same)
	put(t, db, acme, other)
	if same.UID != first.UID || other.UID != first.UID || !other.CreateTime.Equal(first.CreateTime) || other.UpdateTime.Before(first.UpdateTime) {
		t.Errorf("an update changed who it is: %+v, then %+v", first, other)
	}
	if same.Etag != first.Etag || other.Etag == first.Etag {
		t.Errorf("etags: %s, same content %s, other content %s", first.Etag, same.Etag, other.Etag)
	}
	remove(t, db, acme, controlplane.KindApp, "wiki")
	again := app("wiki")
	put(t, db, acme, again)
	if again.UID == first.UID {
		t.Error("a uid was used twice")
	}
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme, globex := storetest.Tenant(t, db, "acme"), storetest.Tenant(t, db, "globex")
	theirs := app("theirs")
	put(t, db, globex, theirs)
	err := db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
		errs := map[string]error{}
		_, errs["Resource"] = tx.Resource(controlplane.KindApp, "theirs")
		_, errs["ResourceByUID"] = tx.ResourceByUID(theirs.UID)
		_, errs["ResourceByUID, no uid"] = tx.ResourceByUID("theirs")
		errs["Delete"] = tx.Delete(controlplane.KindApp, "theirs")
		errs["Touch"] = tx.Touch(controlplane.KindApp, "theirs")
		_, errs["PutSecret"] = tx.PutSecret(theirs, "f", []byte("x"))
		_, errs["Session"] = tx.Session("s_1")
		_, errs["Revocation"] = tx.Revocation(newUID(t))
		_, errs["Revocation, no uid"] = tx.Revocation("x")
		_, errs["RevokeServiceToken"] = tx.RevokeServiceToken(theirs.UID, "x")
		errs["AddServiceToken"] = tx.AddServiceToken(store.ServiceToken{ServiceAccountUID: theirs.UID})
		for call, err := range errs {
			if diff := cmp.Diff(controlplane.NotFoundError(), err); diff != "" {
				t.Errorf("%s is not the one NotFound (-want +got):\n%s", call, diff)
			}
		}
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		t.Fatal(err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	inTx(t, db, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		for _, id := range []string{"dev/b", "dev/a", "dev-2/a", "dev/c", "dev"} {
			if err := tx.Put(&controlplane.Resource{Kind: controlplane.KindEdge, ID: id, Spec: &controlplane.Edge{Pool: "x"}}); err != nil {
				return err
			}
		}
		return nil
	})
	read(t, db, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		var pages [][]string
		for after := ""; ; {
			page, err := tx.ResourcesIn(controlplane.KindEdge, "dev/", after, 2)
			if err != nil || len(page) == 0 {
				if diff := cmp.Diff([][]string{{"dev/a", "dev/b"}, {"dev/c"}}, pages); diff != "" {
					t.Errorf("pages (-want +got):\n%s", diff)
				}
				return err
			}
			pages = append(pages, ids(page))
			after = page[len(page)-1].ID
		}
	})
	read(t, db, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		all, err := tx.AllResources()
		if diff := cmp.Diff([]string{"dev", "dev-2/a", "dev/a", "dev/b", "dev/c"}, ids(all)); diff != "" {
			t.Errorf("all (-want +got):\n%s", diff)
		}
		return err
	})
}

func ids(resources []*controlplane.Resource) []string {
	var out []string
	for _, r := range resources {
		out = append(out, r.ID)
	}
	return out
}

func TestReferences(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	policy := &controlplane.Resource{Kind: controlplane.KindPolicy, ID: "p", Spec: &controlplane.Policy{
		Apps:  []string{"wiki", "gone"},
		Rules: []controlplane.Rule{{ID: "r", Principals: []string{"group:staff", "user:a@b.c"}, Roles: []string{"viewer", "editor"}}},
	}}
	put(t, db, acme, app("wiki"))
	put(t, db, acme, policy)
	put(t, db, acme, &controlplane.Resource{Kind: controlplane.KindGroup, ID: "self", Spec: &controlplane.Group{Members: []controlplane.GroupMember{{Group: "self"}}}})
	read(t, db, acme, func(tx *store.TenantTx) error {
		missing, err := tx.Missing(policy.Spec.References())
		want := []controlplane.Reference{
			{Field: "apps[1]", Kind: controlplane.KindApp, ID: "gone"},
			{Field: "rules[0].principals[0]", Kind: controlplane.KindGroup, ID: "staff"},
			{Field: "rules[0].roles[1]", Kind: controlplane.KindRole, ID: "editor"},
		}
		if diff := cmp.Diff(want, missing); diff != "" {
			t.Errorf("missing (-want +got):\n%s", diff)
		}
		if err != nil {
			return err
		}
		referrers, err := tx.Referrers(controlplane.KindApp, "wiki")
		if diff := cmp.Diff([]store.Referrer{{Kind: controlplane.KindPolicy, ID: "p", Field: "apps[0]"}}, referrers); diff != "" {
			t.Errorf("referrers (-want +got):\n%s", diff)
		}
		if own, err := tx.Referrers(controlplane.KindGroup, "self"); err != nil || len(own) != 0 {
			t.Errorf("a group that mentions itself has referrers %v, %v", own, err)
		}
		return err
	})
	policy.Spec = &controlplane.Policy{}
	put(t, db, acme, policy)
	remove(t, db, acme, controlplane.KindPolicy, "p")
	read(t, db, acme, func(tx *store.TenantTx) error {
		if referrers, err := tx.Referrers(controlplane.KindApp, "wiki"); err != nil || len(referrers) != 0 {
			t.Errorf("referrers of what is mentioned no more: %v, %v", referrers, err)
		}
		return nil
	})
}

func TestHostsBelongToOne(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme, globex := storetest.Tenant(t, db, "acme"), storetest.Tenant(t, db, "globex")
	put(t, db, acme, app("wiki", "one.test", "two.test"))
	put(t, db, acme, app("api", "three.test"))

	refused := map[string]struct {
		tenant controlplane.UID
		r      *controlplane.Resource
	}{
		"another app":                  {acme, app("other", "one.test")},
		"another tenant":               {globex, app("wiki", "x.test", "two.test")},
		"another tenant's auth host":   {globex, app("wiki", "auth.acme.test")},
		"as auth host":                 {globex, &controlplane.Resource{Kind: controlplane.KindTenant, ID: "globex", Spec: &controlplane.Tenant{AuthHost: "one.test"}}},
		"an app that is there already": {acme, app("api", "three.test", "one.test")},
	}
	for name, c := range refused {
		_, err := tryPut(t.Context(), db, c.tenant, c.r)
		e, ok := errors.AsType[*controlplane.Error](err)
		if !ok || e.Kind != controlplane.Exists || e.Reason != controlplane.ReasonHostTaken || e.Metadata["host"] == "" {
			t.Errorf("%s: got %v, want HOST_TAKEN", name, err)
		}
	}

	inTx(t, db, acme, func(tx *store.TenantTx) error { // swapped, in one change
		return errors.Join(tx.Put(app("wiki", "three.test", "two.test")), tx.Put(app("api", "one.test")))
	})
	inTx(t, db, acme, func(tx *store.TenantTx) error { // taken over from one that goes
		return errors.Join(tx.Put(app("new", "one.test")), tx.Delete(controlplane.KindApp, "api"))
	})
	put(t, db, acme, app("wiki"))
	put(t, db, globex, app("wiki", "two.test", "three.test"))
	remove(t, db, globex, controlplane.KindApp, "wiki")
	put(t, db, acme, app("wiki", "two.test"))
}

func TestHostWantedByManyAtOnceHasOneOwner(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const tenants = 8
	errs := make([]error, tenants)
	var wg sync.WaitGroup
	for i := range tenants {
		tenant := storetest.Tenant(t, db, fmt.Sprintf("t%d", i))
		wg.Go(func() { _, errs[i] = tryPut(t.Context(), db, tenant, app("wiki", "wanted.test")) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if controlplane.KindOf(err) != controlplane.Exists {
			t.Errorf("got %v, want HOST_TAKEN", err)
		}
	}
	if won != 1 {
		t.Errorf("%d tenants have the host", won)
	}
}
