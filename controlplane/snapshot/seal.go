package snapshot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// poolKeys is what one pool holds of one tenant: the keys that its edges are sent, and the data key that seals them.
type poolKeys struct {
	tenant, pool controlplane.UID
	byPurpose    map[keyring.Purpose][]keyring.PoolKey
	dataKeyID    string
	data         tink.DeterministicAEAD // nil until the pool has keys: then nothing secret can be sent
}

func newPoolKeys(tenant, pool controlplane.UID, rows iter.Seq[keyring.PoolKey]) (*poolKeys, error) {
	k := &poolKeys{tenant: tenant, pool: pool, byPurpose: make(map[keyring.Purpose][]keyring.PoolKey)}
	for row := range rows {
		if row.Pool != pool {
			continue
		}
		k.byPurpose[row.Purpose] = append(k.byPurpose[row.Purpose], row)
		if row.Purpose == keyring.Data && row.State == keyring.Active {
			handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(row.Secret)))
			if err != nil {
				return nil, fmt.Errorf("read data key %s: %w", row.ID, err)
			}
			if k.data, err = daead.New(handle); err != nil {
				return nil, fmt.Errorf("use data key %s: %w", row.ID, err)
			}
			k.dataKeyID = row.ID
		}
	}
	return k, nil
}

// login reports whether the pool signs people in for this tenant. The answer is in the tenant's own rows, not in the
// pool's: see the package documentation.
func (k *poolKeys) login() bool { return len(k.byPurpose[keyring.Login]) > 0 }

// seal encrypts one field of one resource. The associated data binds it to its place; snapshot.proto documents it.
func (k *poolKeys) seal(kind, uid, field string, plaintext []byte) (*edgev1.Sealed, error) {
	if k.data == nil {
		return nil, fmt.Errorf("seal %s of %s %s: the pool has no data key yet", field, kind, uid)
	}
	ciphertext, err := k.data.EncryptDeterministically(plaintext, sealedAAD(k.tenant, k.pool, kind, uid, field))
	if err != nil {
		return nil, fmt.Errorf("seal %s of %s %s: %w", field, kind, uid, err)
	}
	return &edgev1.Sealed{KeyId: k.dataKeyID, Ciphertext: ciphertext}, nil
}

func sealedAAD(tenant, pool controlplane.UID, kind, uid, field string) []byte {
	var aad []byte
	for _, part := range []string{"sp-snapshot-v1", string(tenant), string(pool), kind, uid, field} {
		aad = binary.BigEndian.AppendUint32(aad, uint32(len(part)))
		aad = append(aad, part...)
	}
	return aad
}
