package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// resource is a resource as it was sent, with its entry in the root computed once, and read once.
type resource struct {
	*edgev1.Resource
	entry     []byte
	*document // of a config lane, from when it is first compiled
}

func (r *resource) key() key { return key{r.GetKind(), r.GetId()} }

type key struct{ kind, id string }

func (k key) compare(o key) int {
	if c := strings.Compare(k.kind, o.kind); c != 0 {
		return c
	}
	return strings.Compare(k.id, o.id)
}

func laneName(l edgev1.Lane) string {
	if l == edgev1.Lane_LANE_URGENT {
		return "urgent"
	}
	return "config"
}

// newResource computes lp(lane) ‖ lp(kind) ‖ lp(id) ‖ lp(uid) ‖ lp(revision) ‖ lp(SHA-256(bytes)).
func newResource(lane edgev1.Lane, r *edgev1.Resource) *resource {
	sum := sha256.Sum256(r.GetBytes())
	entry := lp(make([]byte, 0, 24+len("config")+len(r.GetKind())+len(r.GetId())+len(r.GetUid())+8+sha256.Size), laneName(lane))
	entry = lp(entry, r.GetKind())
	entry = lp(entry, r.GetId())
	entry = lp(entry, r.GetUid())
	entry = lp(entry, binary.BigEndian.AppendUint64(nil, uint64(r.GetRevision())))
	entry = lp(entry, sum[:])
	return &resource{Resource: r, entry: entry}
}

// root hashes the entries of one lane, which are in order.
func root(resources []*resource) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte("sp-root-v1"))
	for _, r := range resources {
		h.Write(r.entry)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// lp appends a length-prefixed field, so that no two lists of fields are the same bytes.
func lp[T string | []byte](to []byte, field T) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(field)))
	return append(to, field...)
}
