package snapshot

import (
	"bytes"
	"maps"
	"slices"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// What an update may cost. The largest tenant that is planned for (10,000 apps of 10 rules) is 18 MB.
const (
	maxUnpacked  = 256 << 20 // bytes of one update
	maxResource  = 4 << 20   // bytes of one resource
	maxResources = 1_000_000 // of one lane
)

// lane is the state of one of a tenant's lanes. It is immutable: an update makes another. The zero value has nothing, and
// only an update that replaces it applies.
type lane struct {
	lineage   string
	counter   int64
	chain     []byte
	root      [32]byte
	resources []*resource // in the order of their keys
}

// of returns the resources of one kind, in the order of their ids.
func (l *lane) of(kind string) []*resource {
	at := func(k key) int {
		i, _ := slices.BinarySearchFunc(l.resources, k, compareKey)
		return i
	}
	return l.resources[at(key{kind, ""}):at(key{kind + "\x00", ""})]
}

func compareKey(r *resource, k key) int { return r.key().compare(k) }

// next applies an update aside. h is the update's head, verified.
func (l *lane) next(u *edgev1.Update, h *head) (*lane, *Refusal) {
	which := u.GetLane()
	switch lineage := h.GetVersion().GetLineage(); {
	case u.GetTo() != h.counter(which):
		return nil, refuse(wrongBase, "the update leads to %d, its head is at %d", u.GetTo(), h.counter(which))
	case lineage < l.lineage:
		return nil, refuse(wrongBase, "the update is of history %q, which is older than %q", lineage, l.lineage)
	case lineage == l.lineage && u.GetTo() < l.counter:
		return nil, refuse(wrongBase, "the update leads back from %d to %d", l.counter, u.GetTo())
	case !u.GetReplace() && (lineage != l.lineage || u.GetFrom() != l.counter):
		return nil, refuse(wrongBase, "the update starts at %d of %q, the edge is at %d of %q", u.GetFrom(), lineage, l.counter, l.lineage)
	}
	set, refusal := unpack(u)
	if refusal != nil {
		return nil, refusal
	}
	var resources []*resource
	if !u.GetReplace() {
		resources = l.resources
	}
	resources, refusal = l.change(resources, which, set)
	if refusal != nil {
		return nil, refusal
	}
	next := &lane{lineage: h.GetVersion().GetLineage(), counter: u.GetTo(), chain: h.chain(which), root: root(resources), resources: resources}
	if !bytes.Equal(next.root[:], h.root(which)) {
		return nil, refuse(badRoot, "the state after the update is not the state that was signed")
	}
	return next, nil
}

// change returns the resources after a change. It costs a copy of the list and what is changed: of what an update that
// replaces everything sends again, the lane's own is kept.
func (l *lane) change(before []*resource, which edgev1.Lane, set *edgev1.ResourceSet) ([]*resource, *Refusal) {
	to := make(map[key]*resource, len(set.GetRemoved())+len(set.GetChanged()))
	for _, k := range set.GetRemoved() {
		to[key{k.GetKind(), k.GetId()}] = nil
	}
	for _, sent := range set.GetChanged() {
		k := key{sent.GetKind(), sent.GetId()}
		if to[k] != nil {
			return nil, refuse(badRoot, "%s %q is there twice", k.kind, k.id)
		}
		if len(sent.GetBytes()) > maxResource {
			return nil, refuse(tooLarge, "%s %q has %d bytes, the limit is %d", k.kind, k.id, len(sent.GetBytes()), maxResource)
		}
		to[k] = newResource(which, sent)
		if at, found := slices.BinarySearchFunc(l.resources, k, compareKey); found && bytes.Equal(l.resources[at].entry, to[k].entry) {
			to[k] = l.resources[at]
		}
	}
	after := make([]*resource, 0, len(before)+len(set.GetChanged()))
	for _, k := range slices.SortedFunc(maps.Keys(to), key.compare) {
		at, found := slices.BinarySearchFunc(before, k, compareKey)
		after = append(after, before[:at]...)
		if r := to[k]; r != nil {
			after = append(after, r)
		}
		if found {
			at++
		}
		before = before[at:]
	}
	after = append(after, before...)
	if len(after) > maxResources {
		return nil, refuse(tooLarge, "the lane has %d resources, the limit is %d", len(after), maxResources)
	}
	return after, nil
}

func unpack(u *edgev1.Update) (*edgev1.ResourceSet, *Refusal) {
	packed := u.GetResources()
	switch u.GetEncoding() {
	case edgev1.Encoding_ENCODING_IDENTITY:
		if len(packed) > maxUnpacked {
			return nil, refuse(tooLarge, "the update has %d bytes, the limit is %d", len(packed), maxUnpacked)
		}
	case edgev1.Encoding_ENCODING_ZSTD:
		// One goroutine, and a limit that holds whatever the frame's header promises.
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
		if err != nil {
			return nil, refuse(tooLarge, "start the decoder: %v", err)
		}
		defer d.Close()
		if packed, err = d.DecodeAll(packed, nil); err != nil {
			return nil, refuse(tooLarge, "the update does not unpack within %d bytes: %v", maxUnpacked, err)
		}
	default:
		return nil, refuse(badRoot, "the update is packed in a way that is not known here (%d)", u.GetEncoding())
	}
	set := &edgev1.ResourceSet{}
	if err := proto.Unmarshal(packed, set); err != nil {
		return nil, refuse(badRoot, "the resources cannot be parsed")
	}
	return set, nil
}

// confirms reports whether a head says that this lane is current: the same history, counter and state.
func (l *lane) confirms(h *head, which edgev1.Lane) (same, contradicts bool) {
	if l.lineage == "" || h.GetVersion().GetLineage() != l.lineage || h.counter(which) != l.counter {
		return false, false
	}
	same = bytes.Equal(h.root(which), l.root[:])
	return same, !same
}
