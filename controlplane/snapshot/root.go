package snapshot

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Root is the hash that stands for everything in a lane. Its definition is in the package documentation; the edge
// computes the same. Entries must be sorted by kind and id.
func Root(lane controlplane.Lane, sorted []*Entry) []byte {
	h := sha256.New()
	// In pieces that are worth a call: there may be 100,000 entries.
	buffer := append(make([]byte, 0, 16<<10), "sp-root-v1"...)
	for _, e := range sorted {
		buffer = lp(buffer, string(lane))
		buffer = lp(buffer, e.Resource.Kind)
		buffer = lp(buffer, e.Resource.Id)
		buffer = lp(buffer, e.Resource.Uid)
		buffer = binary.BigEndian.AppendUint32(buffer, 8)
		buffer = binary.BigEndian.AppendUint64(buffer, uint64(e.Resource.Revision))
		buffer = binary.BigEndian.AppendUint32(buffer, sha256.Size)
		buffer = append(buffer, e.sum[:]...)
		if len(buffer) > 15<<10 {
			h.Write(buffer)
			buffer = buffer[:0]
		}
	}
	h.Write(buffer)
	return h.Sum(nil)
}

func lp(to []byte, field string) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(field))), field...)
}
