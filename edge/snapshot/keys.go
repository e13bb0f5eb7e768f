package snapshot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Keys are what a pool's edges seal for each other with, per tenant. All generations of a key open; the newest seals.
// A nil key has not arrived, or could not be opened: what needs it is unavailable (unavailable.key).
type Keys struct {
	Ticket tink.AEAD // session cookies
	Redis  tink.AEAD // values in Redis
	Login  tink.AEAD // start, oidc, hand-off
}

// AssertionKey signs what upstreams are told about a caller.
type AssertionKey struct {
	KID       string
	Public    *ecdsa.PublicKey
	Private   *ecdsa.PrivateKey // nil: only published
	NotBefore time.Time
}

// Secret is bytes that were sealed in a snapshot. It prints as a placeholder, whatever the verb.
type Secret struct{ text string }

// NewSecret wraps a secret, for tests and literal snapshots.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the secret. Callers must not log it, nor put it into an error.
func (s Secret) Reveal() string { return s.text }

// Format hides the secret from every verb, %#v included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// dataKeys open the sealed fields of one tenant at one pool, by key id.
type dataKeys map[string]tink.DeterministicAEAD

var errNoDataKey = errors.New("its data key is not here")

// unwrap opens a data key that was sealed to this edge.
func unwrap(private hpke.PrivateKey, tenantUID, poolUID string, w *edgev1.WrappedKey) (tink.DeterministicAEAD, error) {
	info := []byte("sallyport data key v1" + tenantUID + poolUID)
	plain, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), info, w.GetSealed())
	if err != nil {
		return nil, fmt.Errorf("open data key %q: %w", w.GetKeyId(), err)
	}
	handle, err := readKeyset(plain)
	if err != nil {
		return nil, fmt.Errorf("read data key %q: %w", w.GetKeyId(), err)
	}
	return daead.New(handle)
}

// open returns what a field of a resource seals.
func (d dataKeys) open(s *edgev1.Sealed, tenantUID, poolUID, kind, uid, field string) ([]byte, error) {
	k, ok := d[s.GetKeyId()]
	if !ok {
		return nil, errNoDataKey
	}
	return k.DecryptDeterministically(s.GetCiphertext(), sealedData(tenantUID, poolUID, kind, uid, field))
}

// sealedData is the associated data of a sealed field: it can be opened nowhere but where it was put.
func sealedData(fields ...string) []byte {
	data := lp(nil, "sp-snapshot-v1")
	for _, f := range fields {
		data = lp(data, f)
	}
	return data
}

func openKeyset(d dataKeys, tenantUID, poolUID string, r *resource, k *edgev1.Keyset) (tink.AEAD, error) {
	plain, err := d.open(k.GetKeyset(), tenantUID, poolUID, r.GetKind(), r.GetUid(), "keyset")
	if err != nil {
		return nil, fmt.Errorf("open keyset %q: %w", k.GetPurpose(), err)
	}
	handle, err := readKeyset(plain)
	if err != nil {
		return nil, fmt.Errorf("read keyset %q: %w", k.GetPurpose(), err)
	}
	return aead.New(handle)
}

func readKeyset(plain []byte) (*keyset.Handle, error) {
	return insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(plain)))
}

// openAssertionKey parses a key; err tells that the private half, if there is one, cannot be had.
func openAssertionKey(d dataKeys, tenantUID, poolUID string, r *resource, k *edgev1.AssertionKey) (*AssertionKey, error) {
	public, err := x509.ParsePKIXPublicKey(k.GetPublicKey())
	if err != nil {
		return nil, fmt.Errorf("parse assertion key %q: %w", k.GetKid(), err)
	}
	ec, ok := public.(*ecdsa.PublicKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, fmt.Errorf("assertion key %q is not of P-256", k.GetKid())
	}
	key := &AssertionKey{KID: k.GetKid(), Public: ec, NotBefore: k.GetNotBefore().AsTime()}
	if k.GetPrivateKey() == nil {
		return key, nil
	}
	der, err := d.open(k.GetPrivateKey(), tenantUID, poolUID, r.GetKind(), r.GetUid(), "private_key")
	if err != nil {
		return key, fmt.Errorf("open assertion key %q: %w", k.GetKid(), err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return key, fmt.Errorf("parse private assertion key %q: malformed", k.GetKid())
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !private.PublicKey.Equal(crypto.PublicKey(ec)) {
		return key, fmt.Errorf("the halves of assertion key %q do not belong together", k.GetKid())
	}
	key.Private = private
	return key, nil
}
