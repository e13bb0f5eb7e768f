package snapshot

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/controlplane"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func encoder(t testing.TB) *zstd.Encoder {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func roleEntry(t testing.TB, id string, revision int64, operations ...string) *Entry {
	t.Helper()
	e, err := newEntry(id, "uid of "+id, revision, &edgev1.Role{Id: id, Operations: operations})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// applyTo does what an edge does with a payload.
func applyTo(t testing.TB, have map[Key]*edgev1.Resource, p *payload) map[Key]*edgev1.Resource {
	t.Helper()
	packed := p.resources
	if p.encoding == edgev1.Encoding_ENCODING_ZSTD {
		decoder, err := zstd.NewReader(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer decoder.Close()
		if packed, err = decoder.DecodeAll(packed, nil); err != nil {
			t.Fatal(err)
		}
	}
	set := &edgev1.ResourceSet{}
	if err := proto.Unmarshal(packed, set); err != nil {
		t.Fatal(err)
	}
	next := maps.Clone(have)
	if p.replace {
		next = make(map[Key]*edgev1.Resource)
	}
	for _, k := range set.Removed {
		delete(next, Key{k.Kind, k.Id})
	}
	for _, r := range set.Changed {
		next[Key{r.Kind, r.Id}] = r
	}
	return next
}

func rootOf(lane controlplane.Lane, have map[Key]*edgev1.Resource) []byte {
	var entries []*Entry
	for _, r := range have {
		entries = append(entries, &Entry{Resource: r, sum: sha256.Sum256(r.Bytes)})
	}
	slices.SortFunc(entries, compareEntries)
	return Root(lane, entries)
}

// From whatever revision an edge starts, the update brings it to the root that is signed.
func TestEveryUpdateLeadsToTheRoot(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11))
	compress := encoder(t)
	for round := range 20 {
		l := nextLane(nil, controlplane.Config, int64(random.IntN(3)), nil, nil, compress)
		have := map[int64]map[Key]*edgev1.Resource{l.number: {}}
		for range 40 {
			to := l.number + 1 + int64(random.IntN(3)) // several commits may be one step
			var changed []*Entry
			var removed []removal
			touched := map[string]bool{}
			for range random.IntN(4) {
				id := fmt.Sprint("role-", random.IntN(10))
				if touched[id] {
					continue
				}
				touched[id] = true
				if random.IntN(3) == 0 {
					removed = append(removed, removal{Key{"Role", id}, to})
				} else {
					changed = append(changed, roleEntry(t, id, to, fmt.Sprint(random.Uint64())))
				}
			}
			l = nextLane(l, controlplane.Config, to, changed, removed, compress)
			whole, err := l.from(0)
			if err != nil {
				t.Fatal(err)
			}
			have[to] = applyTo(t, nil, whole)
			for base, resources := range have {
				p, err := l.from(base)
				if err != nil {
					t.Fatal(err)
				}
				if got := rootOf(l.name, applyTo(t, resources, p)); !bytes.Equal(got, l.root) {
					t.Fatalf("round %d: from %d to %d (replace %v) leads elsewhere", round, base, to, p.replace)
				}
			}
		}
	}
}

func TestUnknownBasesGetEverything(t *testing.T) {
	t.Parallel()
	compress := encoder(t)
	l := nextLane(nil, controlplane.Config, 50, []*Entry{roleEntry(t, "a", 3)}, nil, compress)
	l = nextLane(l, controlplane.Config, 51, []*Entry{roleEntry(t, "b", 51)}, nil, compress)
	for base, replace := range map[int64]bool{0: true, 1: true, 49: true, 50: false, 51: false, 52: true} {
		p, err := l.from(base)
		if err != nil {
			t.Fatal(err)
		}
		if p.replace != replace {
			t.Errorf("from %d: replace %v", base, p.replace)
		}
	}
	// So many removals that the oldest are forgotten.
	var removed []removal
	for i := range maxRemovals + 10 {
		removed = append(removed, removal{Key{"Role", fmt.Sprint("gone-", i)}, 52 + int64(i)})
	}
	last := removed[len(removed)-1].revision
	l = nextLane(l, controlplane.Config, last, nil, removed, compress)
	for base, replace := range map[int64]bool{51: true, 60: true, 61: false, last: false} {
		p, err := l.from(base)
		if err != nil {
			t.Fatal(err)
		}
		if p.replace != replace {
			t.Errorf("with forgotten removals, from %d: replace %v", base, p.replace)
		}
	}
}

func TestLargeSetsArePackedOnce(t *testing.T) {
	t.Parallel()
	compress := encoder(t)
	var entries []*Entry
	for i := range 500 {
		entries = append(entries, roleEntry(t, fmt.Sprint("role-", i), 1, "the same operation in each of them"))
	}
	l := nextLane(nil, controlplane.Config, 1, entries, nil, compress)
	p, err := l.from(0)
	if err != nil {
		t.Fatal(err)
	}
	if p.encoding != edgev1.Encoding_ENCODING_ZSTD || len(applyTo(t, nil, p)) != 500 {
		t.Errorf("encoding %s", p.encoding)
	}
	if again, _ := l.from(0); again != p {
		t.Error("it was packed twice")
	}
	// A step with nothing in it, such as a change of an administrator, has an update all the same.
	l = nextLane(l, controlplane.Config, 2, nil, nil, compress)
	if p, err = l.from(1); err != nil || p.replace || len(p.resources) != 0 || p.encoding != edgev1.Encoding_ENCODING_IDENTITY {
		t.Errorf("an empty step: %+v %v", p, err)
	}
}
