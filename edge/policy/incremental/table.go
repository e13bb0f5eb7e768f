package incremental

import (
	"hash/maphash"
	"slices"
)

// Table is an immutable hash table from names. A changed copy shares every
// bucket in which nothing changed.
type Table[V any] struct {
	seed    maphash.Seed
	buckets [][]entry[V] // a power of two of them
	size    int
}

// Size is how many names there are.
func (t *Table[V]) Size() int { return t.size }

type entry[V any] struct {
	hash  uint64
	name  string
	value V
}

// fill is how many entries a bucket has on average before there are more buckets.
const fill = 4

// NewTable returns an empty table.
func NewTable[V any]() Table[V] {
	return Table[V]{seed: maphash.MakeSeed(), buckets: make([][]entry[V], 16)}
}

// Get returns what a name has, and whether it has something.
func (t *Table[V]) Get(name string) (v V, ok bool) {
	hash := maphash.String(t.seed, name)
	for _, e := range t.buckets[hash%uint64(len(t.buckets))] {
		if e.hash == hash && e.name == name {
			return e.value, true
		}
	}
	return v, false
}

// All ranges over the values, in no order.
func (t *Table[V]) All(yield func(string, V) bool) {
	for _, bucket := range t.buckets {
		for _, e := range bucket {
			if !yield(e.name, e.value) {
				return
			}
		}
	}
}

// Same is whether one is the other: nothing was changed in between.
func (t *Table[V]) Same(o *Table[V]) bool { return &t.buckets[0] == &o.buckets[0] }

// Draft is a table while it changes.
type Draft[V any] struct{ Table[V] }

// Edit returns a draft that begins as the table. What is changed in it changes no
// other.
func (t Table[V]) Edit() *Draft[V] {
	t.buckets = slices.Clone(t.buckets)
	return &Draft[V]{t}
}

// Set gives a name something, instead of what it had.
func (d *Draft[V]) Set(name string, v V) {
	d.Remove(name)
	if d.size >= fill*len(d.buckets) {
		d.grow()
	}
	hash := maphash.String(d.seed, name)
	b := &d.buckets[hash%uint64(len(d.buckets))]
	// Never in place: a table before may share the bucket.
	*b = append(slices.Clip(*b), entry[V]{hash, name, v})
	d.size++
}

// Remove takes a name out.
func (d *Draft[V]) Remove(name string) {
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

func (d *Draft[V]) grow() {
	before := d.buckets
	d.buckets = make([][]entry[V], 4*len(before))
	for _, bucket := range before {
		for _, e := range bucket {
			b := &d.buckets[e.hash%uint64(len(d.buckets))]
			*b = append(*b, e)
		}
	}
}
