package policy

import (
	"hash/maphash"
	"slices"
)

// table is an immutable hash table from names. A changed copy shares every
// bucket in which nothing changed.
type table[V any] struct {
	seed    maphash.Seed
	buckets [][]tableEntry[V] // a power of two of them
	size    int
}

type tableEntry[V any] struct {
	hash  uint64
	name  string
	value V
}

// fill is how many entries a bucket has on average before there are more buckets.
const fill = 4

func newTable[V any]() table[V] {
	return table[V]{seed: maphash.MakeSeed(), buckets: make([][]tableEntry[V], 16)}
}

func (t *table[V]) get(name string) (v V, ok bool) {
	hash := maphash.String(t.seed, name)
	for _, e := range t.buckets[hash%uint64(len(t.buckets))] {
		if e.hash == hash && e.name == name {
			return e.value, true
		}
	}
	return v, false
}

// all ranges over the values, in no order.
func (t *table[V]) all(yield func(string, V) bool) {
	for _, bucket := range t.buckets {
		for _, e := range bucket {
			if !yield(e.name, e.value) {
				return
			}
		}
	}
}

// same is whether nothing was changed between two tables.
func (t *table[V]) same(o *table[V]) bool { return &t.buckets[0] == &o.buckets[0] }

// draft is a table while it changes.
type draft[V any] struct{ table[V] }

func (t table[V]) edit() *draft[V] {
	t.buckets = slices.Clone(t.buckets)
	return &draft[V]{t}
}

func (d *draft[V]) set(name string, v V) {
	d.remove(name)
	if d.size >= fill*len(d.buckets) {
		d.grow()
	}
	hash := maphash.String(d.seed, name)
	b := &d.buckets[hash%uint64(len(d.buckets))]
	// Never in place: a table before may share the bucket.
	*b = append(slices.Clip(*b), tableEntry[V]{hash, name, v})
	d.size++
}

func (d *draft[V]) remove(name string) {
	hash := maphash.String(d.seed, name)
	b := &d.buckets[hash%uint64(len(d.buckets))]
	for i, e := range *b {
		if e.hash == hash && e.name == name {
			*b = slices.Concat((*b)[:i], (*b)[i+1:])
			d.size--
			return
		}
	}
}

func (d *draft[V]) grow() {
	before := d.buckets
	d.buckets = make([][]tableEntry[V], 4*len(before))
	for _, bucket := range before {
		for _, e := range bucket {
			b := &d.buckets[e.hash%uint64(len(d.buckets))]
			*b = append(*b, e)
		}
	}
}
