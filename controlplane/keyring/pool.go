package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Purpose is what one key of a tenant at a pool is for. One key, one purpose.
type Purpose string

const (
	Ticket    Purpose = "ticket"    // AES-256-GCM: session cookies
	Redis     Purpose = "redis"     // AES-256-GCM: values in the region's Redis
	Login     Purpose = "login"     // AES-256-GCM: what travels through the browser while somebody signs in
	Data      Purpose = "data"      // AES-SIV: secret bytes in snapshots; deterministic, so that all replicas build the same
	Assertion Purpose = "assertion" // ECDSA P-256: signs what upstreams are told
)

// Purposes holds all of them.
var Purposes = []Purpose{Ticket, Redis, Login, Data, Assertion}

// State is where a key is in its life.
type State string

const (
	Next    State = "next"    // sent to edges so that they can open; seals and signs nothing before NotBefore
	Active  State = "active"  // seals and signs
	Old     State = "old"     // opens until RetireTime; an assertion key is only published
	Dropped State = "dropped" // gone; only its id is kept
)

// PoolKey is one key of a tenant at a pool. The zero RetireTime is none.
type PoolKey struct {
	Pool       controlplane.UID
	Purpose    Purpose
	ID         string // Tink key id in decimal; `<pool>-<n>` for Assertion
	State      State
	Public     []byte // Assertion: PKIX
	Secret     []byte // serialised Tink keyset of this key alone; Assertion: PKCS #8, nil once Old
	CreateTime time.Time
	NotBefore  time.Time
	RetireTime time.Time
	Revision   int64 // urgent counter of the change that last touched it; for Ticket, Redis and Login: or its siblings
}

// String shows nothing of the key but which it is.
func (k PoolKey) String() string { return fmt.Sprintf("%s key %s (%s)", k.Purpose, k.ID, k.State) }

// GoString shows no more than String.
func (k PoolKey) GoString() string { return k.String() }

// newPoolKey makes a key that is new in every respect; siblings only tell which number an assertion key takes.
func newPoolKey(pool controlplane.UID, poolID string, purpose Purpose, siblings []PoolKey, now time.Time) (PoolKey, error) {
	key := PoolKey{Pool: pool, Purpose: purpose, State: Active, CreateTime: now, NotBefore: now}
	if purpose == Assertion {
		key.ID = fmt.Sprintf("%s-%d", poolID, lastNumber(siblings)+1)
		err := fillAssertion(&key)
		return key, err
	}
	template := aead.AES256GCMKeyTemplate()
	if purpose == Data {
		template = daead.AESSIVKeyTemplate()
	}
	handle, err := keyset.NewHandle(template)
	if err != nil {
		return PoolKey{}, fmt.Errorf("make %s key: %w", purpose, err)
	}
	if key.Secret, err = serialise(handle); err != nil {
		return PoolKey{}, fmt.Errorf("make %s key: %w", purpose, err)
	}
	key.ID = strconv.FormatUint(uint64(handle.KeysetInfo().GetPrimaryKeyId()), 10)
	if slices.ContainsFunc(siblings, func(k PoolKey) bool { return k.Purpose == purpose && k.ID == key.ID }) {
		return newPoolKey(pool, poolID, purpose, siblings, now) // 32 random bits met again
	}
	return key, nil
}

func fillAssertion(key *PoolKey) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make assertion key: %w", err)
	}
	if key.Secret, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		return fmt.Errorf("make assertion key: %w", err)
	}
	if key.Public, err = x509.MarshalPKIXPublicKey(private.Public()); err != nil {
		return fmt.Errorf("make assertion key: %w", err)
	}
	return nil
}

// lastNumber returns the highest n of any `<pool>-<n>` ever given: upstreams cache keys by that name.
func lastNumber(keys []PoolKey) int {
	last := 0
	for _, k := range keys {
		if k.Purpose != Assertion {
			continue
		}
		if n, err := strconv.Atoi(k.ID[strings.LastIndexByte(k.ID, '-')+1:]); err == nil {
			last = max(last, n)
		}
	}
	return last
}

// Keyset joins the keys of one purpose (not Assertion) into one serialised Tink keyset: the active one seals, all open.
// The same keys in any order give the same bytes.
func Keyset(keys []PoolKey) ([]byte, error) {
	joined := &tinkpb.Keyset{}
	sorted := slices.SortedFunc(slices.Values(keys), func(a, b PoolKey) int { return strings.Compare(a.ID, b.ID) })
	for _, k := range sorted {
		if k.Purpose == Assertion || k.Purpose != sorted[0].Purpose {
			return nil, fmt.Errorf("join %s keys: a %s key is among them", sorted[0].Purpose, k.Purpose)
		}
		if k.State == Dropped {
			continue
		}
		one := &tinkpb.Keyset{}
		if err := proto.Unmarshal(k.Secret, one); err != nil || len(one.GetKey()) != 1 {
			return nil, fmt.Errorf("join %s keys: key %s is damaged", k.Purpose, k.ID)
		}
		joined.Key = append(joined.Key, one.GetKey()[0])
		if k.State == Active {
			if joined.PrimaryKeyId != 0 {
				return nil, fmt.Errorf("join %s keys: two are active", k.Purpose)
			}
			joined.PrimaryKeyId = one.GetPrimaryKeyId()
		}
	}
	if joined.PrimaryKeyId == 0 {
		return nil, errors.New("join keys: none is active")
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(joined)
}
