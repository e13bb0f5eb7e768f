package session

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/proto"
)

// errNoKey means that the tenant's keys have not reached this edge (or have left it): unavailable, never "no session".
var errNoKey = errors.New("the key is not here")

// AssociatedData binds a ciphertext to where it belongs. Each part carries its length, so that no two lists of parts
// are the same bytes.
func AssociatedData(parts ...string) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
		out = append(out, p...)
	}
	return out
}

// Seal encrypts a message that only edges of this pool will read.
func Seal(key tink.AEAD, m proto.Message, associated []byte) ([]byte, error) {
	if key == nil {
		return nil, errNoKey
	}
	plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write a %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return key.Encrypt(plain, associated)
}

// Open is the reverse of Seal; m is filled in.
func Open(key tink.AEAD, sealed []byte, m proto.Message, associated []byte) error {
	if key == nil {
		return errNoKey
	}
	plain, err := key.Decrypt(sealed, associated)
	if err != nil {
		return fmt.Errorf("open a %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return proto.Unmarshal(plain, m)
}
