// Package keyring keeps the control plane's keys in layers: a deployment key (in a file, never in Postgres) wraps one
// data key a tenant, which seals that tenant's secrets and the keys it has at each edge pool. A copy of the database
// opens nothing, and a row moved to another tenant, table, column or row does not open either.
//
// It is a layer over Tink and holds no cryptography of its own. It must never do I/O but for the deployment key's file,
// and never put key bytes or plaintext into an error.
package keyring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Keyring is the deployment key.
type Keyring struct {
	kek tink.AEAD
}

// maxFile bounds the deployment key's file: a keyset of a hundred keys is smaller.
const maxFile = 64 << 10

// ErrNoKey says that there is no deployment key yet.
var ErrNoKey = errors.New("there is no deployment key")

// Init makes a deployment key in a new file that only its owner can read. It never overwrites: without the key that
// was there, everything in the database that it sealed would be lost.
func Init(path string) error {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("make deployment key: %w", err)
	}
	cleartext, err := serialise(handle)
	if err != nil {
		return fmt.Errorf("make deployment key: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make deployment key: %w", err)
	}
	_, err = file.Write(cleartext)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write deployment key: %w", errors.Join(err, os.Remove(path)))
	}
	return syncDirectory(filepath.Dir(path))
}

// Open reads the deployment key. The file must be a regular one that nobody but its owner can read. A file that is not
// there is [ErrNoKey].
func Open(path string) (*Keyring, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoKey, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open deployment key: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("open deployment key: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("deployment key %s is not a regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("deployment key %s can be read by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	case info.Size() > maxFile:
		return nil, fmt.Errorf("deployment key %s is too large to be one", path)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(file))
	if err != nil {
		return nil, fmt.Errorf("deployment key %s is damaged", path)
	}
	return newKeyring(handle)
}

// Ephemeral makes a deployment key that is in no file: for tests, whose databases do not outlive them.
func Ephemeral() (*Keyring, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make deployment key: %w", err)
	}
	return newKeyring(handle)
}

func newKeyring(handle *keyset.Handle) (*Keyring, error) {
	kek, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("use deployment key: %w", err)
	}
	return &Keyring{kek: kek}, nil
}

// SealDeployment seals a secret of the whole deployment under its name.
func (k *Keyring) SealDeployment(name string, plaintext []byte) ([]byte, error) {
	return k.kek.Encrypt(plaintext, bind("deployment", name))
}

// OpenDeployment is the inverse of [Keyring.SealDeployment].
func (k *Keyring) OpenDeployment(name string, sealed []byte) ([]byte, error) {
	plaintext, err := k.kek.Decrypt(sealed, bind("deployment", name))
	if err != nil {
		return nil, fmt.Errorf("open deployment secret %q: wrong deployment key, or the row was altered", name)
	}
	return plaintext, nil
}

// Tenant is one tenant's data key.
type Tenant struct {
	uid controlplane.UID
	dek tink.AEAD
}

// NewTenant makes a tenant's data key and returns it wrapped, to be stored with the tenant.
func (k *Keyring) NewTenant(uid controlplane.UID) (wrapped []byte, err error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make data key: %w", err)
	}
	var out bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), k.kek, bind("dek", string(uid))); err != nil {
		return nil, fmt.Errorf("wrap data key: %w", err)
	}
	return out.Bytes(), nil
}

// Tenant unwraps a tenant's data key. It fails if the wrapped key is another tenant's.
func (k *Keyring) Tenant(uid controlplane.UID, wrapped []byte) (*Tenant, error) {
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(wrapped)), k.kek, bind("dek", string(uid)))
	if err != nil {
		return nil, fmt.Errorf("unwrap data key of tenant %s: wrong deployment key, or the row was altered", uid)
	}
	dek, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("use data key of tenant %s: %w", uid, err)
	}
	return &Tenant{uid: uid, dek: dek}, nil
}

// Place is where sealed bytes are stored. They open nowhere else.
type Place struct {
	Table  string
	Column string // or the field, where a row holds one of several
	Row    string // what identifies the row in the tenant: a uid where it has one
}

// Seal seals a secret for one place.
func (t *Tenant) Seal(at Place, plaintext []byte) ([]byte, error) {
	return t.dek.Encrypt(plaintext, bind("secret", string(t.uid), at.Table, at.Column, at.Row))
}

// Open is the inverse of [Tenant.Seal].
func (t *Tenant) Open(at Place, sealed []byte) ([]byte, error) {
	plaintext, err := t.dek.Decrypt(sealed, bind("secret", string(t.uid), at.Table, at.Column, at.Row))
	if err != nil {
		return nil, fmt.Errorf("open %s.%s of tenant %s: sealed for another place, or altered", at.Table, at.Column, t.uid)
	}
	return plaintext, nil
}

// bind makes associated data of which no two lists of parts are alike.
func bind(parts ...string) []byte {
	out := []byte("sallyport keyring v1")
	for _, part := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

func serialise(handle *keyset.Handle) ([]byte, error) {
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&out)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
