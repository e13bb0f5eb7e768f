package keyring_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

const pool = acme

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// step does to keys what the store does with a plan.
func step(t *testing.T, keys, put, drop []keyring.PoolKey) []keyring.PoolKey {
	t.Helper()
	same := func(a, b keyring.PoolKey) bool { return a.Purpose == b.Purpose && a.ID == b.ID }
	for _, d := range drop {
		i := slices.IndexFunc(keys, func(k keyring.PoolKey) bool { return same(k, d) })
		if i < 0 {
			t.Fatalf("%s is dropped but not there", d)
		}
		if d.Purpose == keyring.Assertion {
			keys[i].State, keys[i].Secret, keys[i].Public = keyring.Dropped, nil, nil
		} else {
			keys = slices.Delete(keys, i, i+1)
		}
	}
	for _, p := range put {
		if i := slices.IndexFunc(keys, func(k keyring.PoolKey) bool { return same(k, p) }); i >= 0 {
			keys[i] = p
		} else {
			keys = append(keys, p)
		}
	}
	return keys
}

func rotate(t *testing.T, keys []keyring.PoolKey, now time.Time) []keyring.PoolKey {
	t.Helper()
	put, drop, err := keyring.Rotate(pool, "eu", slices.Clone(keys), now)
	if err != nil {
		t.Fatal(err)
	}
	return step(t, slices.Clone(keys), put, drop)
}

func active(keys []keyring.PoolKey, purpose keyring.Purpose) (found keyring.PoolKey, n int) {
	for _, k := range keys {
		if k.Purpose == purpose && k.State == keyring.Active {
			found, n = k, n+1
		}
	}
	return found, n
}

func TestFirstKeysAndNothingDue(t *testing.T) {
	t.Parallel()
	keys := rotate(t, nil, start)
	for _, purpose := range keyring.Purposes {
		if _, n := active(keys, purpose); n != 1 {
			t.Errorf("%d active %s keys", n, purpose)
		}
	}
	put, drop, err := keyring.Rotate(pool, "eu", keys, start.Add(5*24*time.Hour))
	if len(put)+len(drop) > 0 || err != nil {
		t.Errorf("five days on: put %v, drop %v, %v", put, drop, err)
	}
}

// Over two years of hourly steps, whatever two edges have as their snapshots, each up to a day old: one opens what the other
// seals, and what was sealed as long ago as it may still live.
func TestRotationNeverLeavesAnEdgeBehind(t *testing.T) {
	t.Parallel()
	const hours, staleness = 2 * 365 * 24, 24
	lives := map[keyring.Purpose]int{keyring.Ticket: 30 * 24, keyring.Redis: 30 * 24, keyring.Login: 1, keyring.Data: 0}
	type moment struct {
		sealing map[keyring.Purpose]string
		opening map[string]bool
	}
	var history []moment
	var keys []keyring.PoolKey
	used := map[string]bool{}
	most := 0
	for hour := range hours {
		keys = rotate(t, keys, start.Add(time.Duration(hour)*time.Hour))
		now := moment{map[keyring.Purpose]string{}, map[string]bool{}}
		for _, k := range keys {
			if k.State != keyring.Dropped {
				now.opening[string(k.Purpose)+k.ID] = true
			}
		}
		most = max(most, len(now.opening))
		for _, purpose := range keyring.Purposes {
			k, n := active(keys, purpose)
			if n != 1 {
				t.Fatalf("hour %d: %d active %s keys", hour, n, purpose)
			}
			now.sealing[purpose] = string(purpose) + k.ID
			used[now.sealing[purpose]] = true
		}
		history = append(history, now)
		for purpose, life := range lives {
			// The eldest snapshot in use, on what the newest seals; and the newest, on the eldest thing alive.
			stale := history[max(0, hour-staleness+1)]
			if sealed := now.sealing[purpose]; !stale.opening[sealed] {
				t.Fatalf("hour %d: %s is used, but an edge a day behind cannot open it", hour, sealed)
			}
			if sealed := history[max(0, hour-life)].sealing[purpose]; !now.opening[sealed] {
				t.Fatalf("hour %d: %s was used %d hours ago and cannot be opened", hour, sealed, life)
			}
		}
	}
	if n := len(used); n < 2*52*3 || most > 30 {
		t.Errorf("%d keys were used in two years, up to %d at a time", n, most)
	}
}

func TestAssertionKeysAreAnnouncedAndPublishedAfter(t *testing.T) {
	t.Parallel()
	keys := rotate(t, nil, start)
	var states []string
	last := ""
	for hour := range 50 * 24 {
		keys = rotate(t, keys, start.Add(time.Duration(hour)*time.Hour))
		var parts []string
		for _, k := range keys {
			if k.Purpose == keyring.Assertion {
				parts = append(parts, fmt.Sprintf("%s %s%s", k.ID, k.State, map[bool]string{true: "", false: " (public only)"}[k.Secret != nil || k.State == keyring.Dropped]))
			}
		}
		if now := strings.Join(parts, ", "); now != last {
			states, last = append(states, fmt.Sprintf("day %d: %s", hour/24, now)), now
		}
	}
	want := []string{"day 0: eu-1 active", "day 29: eu-1 active, eu-2 next", "day 30: eu-1 old (public only), eu-2 active", "day 37: eu-1 dropped, eu-2 active"}
	if !slices.Equal(states, want) {
		t.Errorf("got %q\nwant %q", states, want)
	}
}

func TestReplaceLeavesNothingThatAnEdgeHeld(t *testing.T) {
	t.Parallel()
	keys := rotate(t, rotate(t, nil, start), start.Add(6*24*time.Hour))
	put, drop, err := keyring.Replace(pool, "eu", keys, start)
	if err != nil {
		t.Fatal(err)
	}
	after := step(t, slices.Clone(keys), put, drop)
	for _, k := range after {
		if k.State != keyring.Dropped && slices.ContainsFunc(keys, func(old keyring.PoolKey) bool {
			return bytes.Equal(old.Secret, k.Secret) || old.ID == k.ID && old.Purpose == k.Purpose
		}) {
			t.Errorf("%s was there before", k)
		}
	}
	for _, purpose := range keyring.Purposes {
		if _, n := active(after, purpose); n != 1 {
			t.Errorf("%d active %s keys", n, purpose)
		}
	}
	if k, _ := active(after, keyring.Assertion); k.ID != "eu-2" {
		t.Errorf("the new assertion key is %s, want eu-2: names are not used twice", k.ID)
	}
	put, drop, err = keyring.Replace(pool, "eu", after, start)
	if err != nil || len(put) != 5 || len(drop) != 5 {
		t.Errorf("again: put %v, drop %v, %v; what is dropped already is not dropped", put, drop, err)
	}
}

func TestKeysOfTheWrongPool(t *testing.T) {
	t.Parallel()
	keys := rotate(t, nil, start)
	if _, _, err := keyring.Rotate(globex, "us", keys, start); err == nil {
		t.Error("rotated another pool's keys")
	}
	if _, _, err := keyring.Replace(globex, "us", keys, start); err == nil {
		t.Error("replaced another pool's keys")
	}
}

func TestKeysetsWork(t *testing.T) {
	t.Parallel()
	first := rotate(t, nil, start)
	both := rotate(t, first, start.Add(6*24*time.Hour))
	of := func(keys []keyring.PoolKey, purpose keyring.Purpose) []keyring.PoolKey {
		return slices.DeleteFunc(slices.Clone(keys), func(k keyring.PoolKey) bool { return k.Purpose != purpose })
	}
	handle := func(keys []keyring.PoolKey) *keyset.Handle {
		t.Helper()
		serialised, err := keyring.Keyset(keys)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(keys)
		if again, err := keyring.Keyset(keys); err != nil || !bytes.Equal(serialised, again) {
			t.Errorf("the same keys in another order make other bytes, or %v", err)
		}
		h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(serialised)))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for _, purpose := range []keyring.Purpose{keyring.Ticket, keyring.Redis, keyring.Login} {
		before, err := aead.New(handle(of(first, purpose)))
		if err != nil {
			t.Fatal(err)
		}
		after, err := aead.New(handle(of(both, purpose)))
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := after.Encrypt([]byte("x"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := before.Decrypt(sealed, nil); err != nil || string(opened) != "x" {
			t.Errorf("%s: a key that is only announced seals already: %v", purpose, err)
		}
	}
	data, err := daead.New(handle(of(first, keyring.Data)))
	if err != nil {
		t.Fatal(err)
	}
	one, errOne := data.EncryptDeterministically([]byte("x"), []byte("ad"))
	two, errTwo := data.EncryptDeterministically([]byte("x"), []byte("ad"))
	if errOne != nil || errTwo != nil || !bytes.Equal(one, two) {
		t.Error("the data key does not seal alike twice")
	}
	assertion, _ := active(first, keyring.Assertion)
	private, err := x509.ParsePKCS8PrivateKey(assertion.Secret)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(assertion.Public)
	if err != nil || !private.(*ecdsa.PrivateKey).PublicKey.Equal(public) {
		t.Errorf("the assertion key's halves do not belong together: %v", err)
	}

	damaged := of(first, keyring.Ticket)
	damaged[0].Secret = []byte("x")
	twice := append(of(first, keyring.Ticket), of(rotate(t, nil, start), keyring.Ticket)...)
	for name, keys := range map[string][]keyring.PoolKey{
		"none": nil, "damaged": damaged, "two active": twice, "assertion": of(first, keyring.Assertion), "mixed": first,
	} {
		if _, err := keyring.Keyset(keys); err == nil {
			t.Errorf("%s: joined", name)
		}
	}
}

func TestKeysPrintNoSecrets(t *testing.T) {
	t.Parallel()
	for _, k := range rotate(t, nil, start) {
		for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), fmt.Sprint([]keyring.PoolKey{k}), fmt.Sprint(&k)} {
			if len(text) > 80 {
				t.Errorf("%s prints as %s", k.Purpose, text)
			}
		}
	}
}
