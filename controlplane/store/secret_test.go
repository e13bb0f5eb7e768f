package store_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

func TestSecretIsWriteOnlyAndCounts(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	idp := provider("demo")
	putSecret := func(plaintext []byte) (changed bool) {
		t.Helper()
		err := db.Tenant(t.Context(), acme, func(tx *store.TenantTx) (err error) {
			if err := tx.Put(idp); err != nil {
				return err
			}
			changed, err = tx.PutSecret(idp, "client_secret", plaintext)
			return errors.Join(err, record(tx, controlplane.Config))
		})
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	put(t, db, acme, idp)
	etags := map[string]bool{idp.Etag: true}
	for _, step := range []struct {
		secret []byte
		want   bool
	}{{nil, false}, {[]byte("one"), true}, {[]byte("one"), false}, {[]byte("two"), true}, {[]byte{}, true}, {nil, true}, {nil, false}, {[]byte("one"), true}} {
		if changed := putSecret(step.secret); changed != step.want {
			t.Errorf("putting %q: changed %t, want %t", step.secret, changed, step.want)
		}
		if etags[idp.Etag] == step.want {
			t.Errorf("putting %q: the etag %s is new: %t, want %t", step.secret, idp.Etag, !etags[idp.Etag], step.want)
		}
		etags[idp.Etag] = true
		read(t, db, acme, func(tx *store.TenantTx) error {
			stored, err := tx.Resource(idp.Kind, idp.ID)
			if err != nil {
				return err
			}
			got, exists, err := tx.Secret(stored, "client_secret")
			has, hasErr := tx.HasSecret(stored, "client_secret")
			if !bytes.Equal(got, step.secret) || exists != (step.secret != nil) || has != exists || stored.Etag != idp.Etag {
				t.Errorf("after putting %q: %q, exists %t, has %t, etag %s, want %s", step.secret, got, exists, has, stored.Etag, idp.Etag)
			}
			return errors.Join(err, hasErr)
		})
	}
}

func TestSecretOfARequestIsNeverInTheBody(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme := storetest.Tenant(t, db, "acme")
	with, without := provider("demo"), provider("demo")
	with.Spec.(*controlplane.IdentityProvider).ClientSecret = "canary-4711"
	put(t, db, acme, with)
	put(t, db, acme, without)
	if body := texts(t, superuser(t, urls), `SELECT body::text FROM resource WHERE kind = 'IdentityProvider'`); bytes.Contains([]byte(body[0]), []byte("client_secret")) {
		t.Errorf("the body says %s", body[0])
	}
}

// Nothing that is to be sealed is in the database in the clear, and sealed bytes open in their own place only.
func TestSealedBytes(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	db := storetest.Open(t, urls)
	acme, globex := storetest.Tenant(t, db, "acme"), storetest.Tenant(t, db, "globex")
	fill(t, db, acme, "acme")
	fill(t, db, globex, "globex")
	super := superuser(t, urls)
	for _, column := range []string{"resource_secret.sealed", "request_seen.response", "tenant_key.sealed"} {
		table, name, _ := bytes.Cut([]byte(column), []byte("."))
		inClear := texts(t, super, `SELECT encode(`+string(name)+`, 'escape') FROM `+string(table)+` WHERE position('acme'::bytea IN `+string(name)+`) > 0`)
		if len(inClear) > 0 {
			t.Errorf("%s holds clear text: %q", column, inClear)
		}
	}
	secret := func(tenant controlplane.UID, field string) error {
		return db.Read(t.Context(), tenant, func(tx *store.TenantTx) error {
			idp, err := tx.Resource(controlplane.KindIdentityProvider, "idp")
			if err != nil {
				return err
			}
			_, _, err = tx.Secret(idp, field)
			return err
		})
	}
	if err := secret(acme, "client_secret"); err != nil {
		t.Fatal(err)
	}
	exec(t, super, `INSERT INTO resource_secret SELECT tenant_uid, resource_uid, 'other', sealed FROM resource_secret WHERE tenant_uid = $1`, acme)
	exec(t, super, `UPDATE resource_secret SET sealed = (SELECT sealed FROM resource_secret WHERE tenant_uid = $1 AND field = 'client_secret')
		WHERE tenant_uid = $2`, acme, globex)
	for name, err := range map[string]error{"another field": secret(acme, "other"), "another tenant": secret(globex, "client_secret")} {
		if err == nil {
			t.Errorf("sealed bytes opened in %s", name)
		} else if bytes.Contains([]byte(err.Error()), []byte("secret of acme")) {
			t.Errorf("the error holds the secret: %v", err)
		}
	}
	exec(t, super, `UPDATE tenant SET dek = (SELECT dek FROM tenant WHERE tenant_uid = $1) WHERE tenant_uid = $2`, acme, globex)
	if err := secret(globex, "other"); err != nil {
		t.Errorf("nothing to open: %v", err) // no row of that field: the data key is not needed
	}
	if err := secret(globex, "client_secret"); err == nil {
		t.Error("a tenant works with another's data key")
	}
	if _, err := db.System().Snapshot(t.Context(), globex, 0, 0); err == nil {
		t.Error("a snapshot was read with another tenant's data key")
	}
	// Another deployment key opens nothing at all.
	other := storetest.OpenWith(t, urls, ephemeral(t))
	if _, err := other.System().Snapshot(t.Context(), acme, 0, 0); err == nil {
		t.Error("a snapshot was read with another deployment key")
	}
}

func TestDeploymentSecrets(t *testing.T) {
	t.Parallel()
	urls, keys := storetest.Database(t), ephemeral(t)
	one, two := storetest.OpenWith(t, urls, keys).System(), storetest.OpenWith(t, urls, keys).System()
	if _, ok, err := one.Deployment(t.Context(), "ca"); ok || err != nil {
		t.Errorf("before it was made: %t, %v", ok, err)
	}
	first, err := one.PutDeploymentIfAbsent(t.Context(), "ca", []byte("first"))
	if err != nil || string(first) != "first" {
		t.Errorf("put: %q, %v", first, err)
	}
	second, err := two.PutDeploymentIfAbsent(t.Context(), "ca", []byte("second"))
	if err != nil || string(second) != "first" {
		t.Errorf("put by another replica: %q, %v; want the first", second, err)
	}
	exec(t, superuser(t, urls), `UPDATE deployment_secret SET name = 'head'`)
	if _, _, err := one.Deployment(t.Context(), "head"); err == nil {
		t.Error("a secret opened under another name")
	}
}
