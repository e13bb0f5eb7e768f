package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

func rightHash(hash []byte) bool { return string(hash) == "hash" }

func TestAPIToken(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme, globex := storetest.Tenant(t, db, "acme"), storetest.Tenant(t, db, "globex")
	fill(t, db, acme, "acme")
	fill(t, db, globex, "globex") // has a member of the same id
	system := db.System()
	token, err := system.APIToken(t.Context(), "apiacme", rightHash)
	if err != nil {
		t.Fatal(err)
	}
	member := token.Member.Spec.(*controlplane.Member)
	if token.TenantUID != acme || token.TenantID != "acme" || token.TenantDisabled || token.Token.ID != "t1" ||
		token.Member.ID != "ann" || member.Role != controlplane.Owner || token.ExpireTime.Before(time.Now()) {
		t.Errorf("token is %+v", token)
	}
	for range 2 {
		if err := system.APITokenUsed(t.Context(), "apiacme"); err != nil {
			t.Error(err)
		}
	}
	if _, err := system.APIToken(t.Context(), "nobody's", rightHash); controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("an unknown id: got %v, want NotFound", err)
	}
	compared := 0
	for _, id := range []string{"apiacme", "nobody's"} {
		_, err := system.APIToken(t.Context(), id, func([]byte) bool { compared++; return false })
		if controlplane.KindOf(err) != controlplane.NotFound {
			t.Errorf("%s with a wrong secret: got %v, want NotFound", id, err)
		}
	}
	if compared != 2 {
		t.Errorf("%d comparisons for two lookups: an unknown id shows", compared)
	}
	taken := db.Tenant(t.Context(), globex, func(tx *store.TenantTx) error {
		r := &controlplane.Resource{Kind: controlplane.KindAPIToken, ID: "t2", Spec: &controlplane.APIToken{Member: "tenants/globex/members/ann"}}
		return errors.Join(tx.Put(r), tx.PutAPIToken(r.UID, "apiacme", []byte("hash"), time.Now()))
	})
	if controlplane.KindOf(taken) != controlplane.Exists {
		t.Errorf("another tenant's token id: got %v, want Exists", taken)
	}
	remove(t, db, acme, controlplane.KindAPIToken, "t1")
	if _, err := system.APIToken(t.Context(), "apiacme", rightHash); controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("a deleted one: got %v, want NotFound", err)
	}
	inTx(t, db, globex, func(tx *store.TenantTx) error { return tx.DeleteTenant() })
	if _, err := system.APIToken(t.Context(), "apiglobex", rightHash); controlplane.KindOf(err) != controlplane.NotFound {
		t.Errorf("a deleted tenant's: got %v, want NotFound", err)
	}
}

func TestPlatformAPITokenActsForAPlatformMember(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	member := &controlplane.Resource{Kind: controlplane.KindMember, ID: "root", Spec: &controlplane.Member{Role: controlplane.Owner}}
	token := &controlplane.Resource{Kind: controlplane.KindAPIToken, ID: "t", Spec: &controlplane.APIToken{Member: "platform/members/root"}}
	inTx(t, db, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		return errors.Join(tx.Put(member), tx.Put(token), tx.PutAPIToken(token.UID, "op", []byte("hash"), time.Now().Add(time.Hour)))
	})
	got, err := db.System().APIToken(t.Context(), "op", rightHash)
	if err != nil || got.Member.UID != member.UID || got.TenantUID != controlplane.PlatformUID {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestServiceTokens(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	acme := storetest.Tenant(t, db, "acme")
	ci := account("ci")
	put(t, db, acme, ci)
	expires := time.Now().Add(time.Hour)
	for _, id := range []string{"one", "two"} {
		inTx(t, db, acme, func(tx *store.TenantTx) error {
			return tx.AddServiceToken(store.ServiceToken{ID: id, ServiceAccountUID: ci.UID, Hash: []byte("hash"), ExpireTime: expires, Urgent: 99})
		})
		revoke := &store.Revocation{Subject: "serviceAccount:" + string(ci.UID), ExpireTime: expires}
		err := db.Urgent(t.Context(), acme, func(tx *store.TenantTx) error {
			return errors.Join(tx.AddRevocation(revoke), record(tx, controlplane.Urgent))
		})
		if err != nil {
			t.Fatal(err)
		}
		// Whoever is made at a revision below the mark is dead: one is below both, two is below the second only.
		for _, made := range snapshot(t, db, acme, 0, 0).Tokens {
			if want := map[string]int64{"one": 0, "two": 1}[made.ID]; made.Urgent != want || revoke.Urgent <= made.Urgent {
				t.Errorf("token %s was made at u%d, want u%d; the revocation after it is u%d", made.ID, made.Urgent, want, revoke.Urgent)
			}
		}
	}
	var revoked store.ServiceToken
	inTx(t, db, acme, func(tx *store.TenantTx) (err error) {
		revoked, err = tx.RevokeServiceToken(ci.UID, "one")
		return err
	})
	err := db.Tenant(t.Context(), acme, func(tx *store.TenantTx) error {
		again, err := tx.RevokeServiceToken(ci.UID, "one")
		if !again.RevokeTime.Equal(revoked.RevokeTime) {
			t.Errorf("revoked a second time: at %s, then %s", revoked.RevokeTime, again.RevokeTime)
		}
		return err // no change, so nothing to record
	})
	if err != nil {
		t.Error(err)
	}
	read(t, db, acme, func(tx *store.TenantTx) error {
		tokens, err := tx.ServiceTokens(ci.UID)
		if err != nil || len(tokens) != 2 || tokens[0].ID != "two" || !tokens[0].RevokeTime.IsZero() || tokens[1].RevokeTime.IsZero() {
			t.Errorf("tokens are %+v, %v", tokens, err)
		}
		return nil
	})
	remove(t, db, acme, controlplane.KindServiceAccount, "ci")
	read(t, db, acme, func(tx *store.TenantTx) error {
		if tokens, err := tx.ServiceTokens(ci.UID); err != nil || len(tokens) != 0 {
			t.Errorf("tokens of a deleted account: %v, %v", tokens, err)
		}
		return nil
	})
}

func TestJoinTokenIsGoodOnce(t *testing.T) {
	t.Parallel()
	urls, keys := storetest.Database(t), ephemeral(t)
	replicas := []*store.DB{storetest.OpenWith(t, urls, keys), storetest.OpenWith(t, urls, keys)}
	inTx(t, replicas[0], controlplane.PlatformUID, func(tx *store.TenantTx) error {
		soon := time.Now().Add(time.Hour)
		return errors.Join(
			tx.AddJoinToken(store.JoinToken{ID: "good", Hash: []byte("hash"), Pool: "dev", Edge: "eu-1", ExpireTime: soon}),
			tx.AddJoinToken(store.JoinToken{ID: "late", Hash: []byte("hash"), Pool: "dev", Edge: "eu-1", ExpireTime: time.Now().Add(-time.Second)}))
	})
	consume := func(db *store.DB, id, hash string, after func(*store.TenantTx) error) (token store.JoinToken, err error) {
		err = db.Tenant(t.Context(), controlplane.PlatformUID, func(tx *store.TenantTx) (err error) {
			if token, err = tx.ConsumeJoinToken(id, []byte(hash)); err != nil {
				return err
			}
			return after(tx)
		})
		return token, err
	}
	nothing := func(*store.TenantTx) error { return nil }
	refused := map[string]error{}
	_, refused["unknown"] = consume(replicas[0], "other", "hash", nothing)
	_, refused["wrong"] = consume(replicas[0], "good", "wrong", nothing)
	_, refused["expired"] = consume(replicas[0], "late", "hash", nothing)
	// What fails after it does not use it up.
	if _, err := consume(replicas[0], "good", "hash", func(*store.TenantTx) error { return errUndo }); !errors.Is(err, errUndo) {
		t.Errorf("got %v", err)
	}

	results := make([]error, 6)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			token, err := consume(replicas[i%2], "good", "hash", nothing)
			if results[i] = err; err == nil && (token.Pool != "dev" || token.Edge != "eu-1") {
				t.Errorf("token is %+v", token)
			}
		})
	}
	wg.Wait()
	used := 0
	for _, err := range results {
		if err == nil {
			used++
		} else {
			refused["used"] = err
		}
	}
	if used != 1 {
		t.Errorf("used %d times", used)
	}
	for name, err := range refused {
		if err == nil || err.Error() != "the join token is not valid" || controlplane.KindOf(err) != controlplane.Unauthenticated {
			t.Errorf("%s: got %v, want the one answer", name, err)
		}
	}
	acme := storetest.Tenant(t, replicas[0], "acme")
	err := replicas[0].Tenant(t.Context(), acme, func(tx *store.TenantTx) error { return tx.AddJoinToken(store.JoinToken{ID: "x"}) })
	if err == nil {
		t.Error("a tenant made a join token")
	}
}
