package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// compressFrom is the size of a resource set from which compressing it pays.
const compressFrom = 1 << 10

// maxRemovals bounds the memory of removals; an edge that is behind the oldest of them is sent everything.
const maxRemovals = 10_000

// lane is one lane of a tenant as one pool sees it, at one revision. It is immutable but for its cache of encodings.
type lane struct {
	name    controlplane.Lane
	number  int64
	entries []*Entry // sorted
	root    []byte
	removed []removal // ascending by revision
	floor   int64     // a delta from here or later is complete: older removals are not in removed

	mu       sync.Mutex
	encoded  map[int64]*payload // by where the delta starts; 0 for everything
	compress *zstd.Encoder
}

type removal struct {
	key      Key
	revision int64
}

// payload is an encoded resource set, shared by every stream that needs this very step.
type payload struct {
	from      int64
	replace   bool
	encoding  edgev1.Encoding
	resources []byte
}

// nextLane is the lane after a change: prev without what was removed, with what is new. A nil prev is a lane that knows
// nothing, so it can only replace what edges have until it has a past of its own.
func nextLane(prev *lane, name controlplane.Lane, number int64, changed []*Entry, removed []removal, compress *zstd.Encoder) *lane {
	l := &lane{name: name, number: number, encoded: make(map[int64]*payload), compress: compress}
	var before []*Entry
	if prev == nil {
		l.floor = number
	} else {
		l.floor, l.removed, before = prev.floor, slices.Clone(prev.removed), prev.entries
	}
	l.removed = append(l.removed, removed...)
	slices.SortStableFunc(l.removed, func(a, b removal) int { return int(a.revision - b.revision) })
	if over := len(l.removed) - maxRemovals; over > 0 {
		l.floor = max(l.floor, l.removed[over-1].revision)
		l.removed = slices.Clone(l.removed[over:])
	}
	l.entries = merge(before, changed, removed)
	l.root = Root(name, l.entries)
	return l
}

// merge returns the entries, sorted, without what was removed, with what is new; what is both is new. It costs a copy and
// what changes, not a sort of what is there.
func merge(entries, changed []*Entry, removed []removal) []*Entry {
	to := make(map[Key]*Entry, len(changed)+len(removed))
	for _, r := range removed {
		to[r.key] = nil
	}
	for _, e := range changed {
		to[e.key()] = e
	}
	merged := make([]*Entry, 0, len(entries)+len(changed))
	for _, key := range slices.SortedFunc(maps.Keys(to), compareKeys) {
		at, found := slices.BinarySearchFunc(entries, key, func(e *Entry, k Key) int { return compareKeys(e.key(), k) })
		merged = append(merged, entries[:at]...)
		if e := to[key]; e != nil {
			merged = append(merged, e)
		}
		if found {
			at++
		}
		entries = entries[at:]
	}
	return append(merged, entries...)
}

// from returns the update that leads from base to here: a delta, or everything if base is 0 or too long ago.
func (l *lane) from(base int64) (*payload, error) {
	if base < l.floor || base > l.number {
		base = 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.encoded[base]; ok {
		return p, nil
	}
	set := &edgev1.ResourceSet{}
	for _, e := range l.entries {
		if base == 0 || e.since > base {
			set.Changed = append(set.Changed, e.Resource)
		}
	}
	if base != 0 {
		set.Removed = l.removedSince(base)
	}
	body, err := proto.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("serialise the %s lane from %d to %d: %w", l.name, base, l.number, err)
	}
	p := &payload{from: base, replace: base == 0, encoding: edgev1.Encoding_ENCODING_IDENTITY, resources: body}
	if len(body) >= compressFrom {
		p.encoding, p.resources = edgev1.Encoding_ENCODING_ZSTD, l.compress.EncodeAll(body, nil)
	}
	l.encoded[base] = p
	return p, nil
}

func (l *lane) removedSince(base int64) []*edgev1.ResourceKey {
	var keys []*edgev1.ResourceKey
	seen := make(map[Key]bool)
	for _, r := range l.removed {
		if r.revision <= base || seen[r.key] {
			continue
		}
		seen[r.key] = true
		if _, back := slices.BinarySearchFunc(l.entries, r.key, func(e *Entry, k Key) int { return compareKeys(e.key(), k) }); !back {
			keys = append(keys, &edgev1.ResourceKey{Kind: r.key.Kind, Id: r.key.ID})
		}
	}
	return keys
}
