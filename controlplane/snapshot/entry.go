package snapshot

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Entry is one resource as it goes to edges. It is immutable and shared by all pools and streams that are sent it.
type Entry struct {
	Resource  *edgev1.Resource
	sum       [sha256.Size]byte
	since     int64         // an edge that is at an earlier revision has another one, or none
	staleness time.Duration // for apps: how long an edge that hears nothing keeps serving this
}

// Key names an entry in its lane.
type Key struct{ Kind, ID string }

func (e *Entry) key() Key { return Key{e.Resource.Kind, e.Resource.Id} }

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}

func compareEntries(a, b *Entry) int { return compareKeys(a.key(), b.key()) }

// newEntry serialises the message deterministically, so that every replica makes the same bytes.
func newEntry(id, uid string, revision int64, message proto.Message) (*Entry, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("serialise %s %s: %w", message.ProtoReflect().Descriptor().Name(), id, err)
	}
	return &Entry{
		Resource: &edgev1.Resource{
			Kind:     string(message.ProtoReflect().Descriptor().Name()),
			Id:       id,
			Uid:      uid,
			Revision: revision,
			Bytes:    body,
		},
		sum:   sha256.Sum256(body),
		since: revision,
	}, nil
}
