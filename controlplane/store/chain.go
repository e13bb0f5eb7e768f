package store

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// hash is the change's own: over everything that is stored of it, the tenant, and the hash of the change before. Each
// part goes in with its length, so that no two changes have the same input.
func (c *RecordedChange) hash(tenant controlplane.UID) []byte {
	h := sha256.New()
	put := func(part string) { putPart(h, []byte(part)) }
	put("sallyport change v1")
	putPart(h, c.PrevHash)
	put(string(tenant))
	put(string(c.Revision.Lane))
	putNumber(h, c.Revision.Number)
	putNumber(h, c.Time.UnixMicro())
	put(c.Actor)
	put(c.ActorKind)
	put(c.IP)
	put(c.RequestID)
	put(c.Method)
	putNumber(h, int64(len(c.Items)))
	for _, item := range c.Items {
		put(item.Name)
		put(string(item.Action))
		putPart(h, item.Before)
		putPart(h, item.After)
	}
	if len(c.Notes) > 0 { // changes of before there were notes hash as they did
		putPart(h, c.Notes)
	}
	return h.Sum(nil)
}

func putPart(h hash.Hash, part []byte) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(part)))
	h.Write(length[:])
	h.Write(part)
}

func putNumber(h hash.Hash, n int64) {
	var bytes [8]byte
	binary.BigEndian.PutUint64(bytes[:], uint64(n))
	putPart(h, bytes[:])
}

// ChainError names the first change of a lane that is not as it was committed.
type ChainError struct {
	Revision controlplane.Revision
	Detail   string
}

func (e *ChainError) Error() string {
	return fmt.Sprintf("the chain of changes breaks at %s: %s", e.Revision, e.Detail)
}

// VerifyChain reads every change of a lane and checks that none was edited, removed, added or moved. The result is a
// [*ChainError] if one was.
func (tx *TenantTx) VerifyChain(lane controlplane.Lane) error {
	const page = 500
	at := controlplane.Revision{Lane: lane}
	var prev []byte
	for {
		changes, err := tx.ChangesSince(at, page)
		if err != nil {
			return err
		}
		for i := range changes {
			c := &changes[i]
			at.Number++
			switch {
			case c.Revision != at:
				return &ChainError{Revision: at, Detail: "it is missing"}
			case !equal(c.PrevHash, prev):
				return &ChainError{Revision: at, Detail: "it does not follow the change before it"}
			case !equal(c.Hash, c.hash(tx.head.TenantUID)):
				return &ChainError{Revision: at, Detail: "it is not what was committed"}
			}
			prev = c.Hash
		}
		if len(changes) < page {
			break
		}
	}
	if head := tx.head.Revision(lane); at != head || !equal(prev, tx.head.chain(lane)) {
		at.Number++
		return &ChainError{Revision: at, Detail: fmt.Sprintf("the tenant's head %q is not where the changes end", head)}
	}
	return nil
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
