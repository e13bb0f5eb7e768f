package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Root is the hash that stands for everything in a lane. Its definition is in the package documentation; the edge
// computes the same. Entries must be sorted by kind and id.
func Root(lane controlplane.Lane, sorted []*Entry) []byte {
	h := sha256.New()
	h.Write([]byte("sp-root-v1"))
	for _, e := range sorted {
		lp(h, []byte(lane))
		lp(h, []byte(e.Resource.Kind))
		lp(h, []byte(e.Resource.Id))
		lp(h, []byte(e.Resource.Uid))
		lp(h, binary.BigEndian.AppendUint64(nil, uint64(e.Resource.Revision)))
		lp(h, e.sum[:])
	}
	return h.Sum(nil)
}

func lp(h hash.Hash, b []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(b)))
	h.Write(n[:])
	h.Write(b)
}
