package policy

import (
	"hash/maphash"
	"maps"
)

// table is an immutable map from names. A changed copy shares what did not
// change: one of 100,000 entries costs as much as a map of 400.
type table[V any] struct {
	seed   maphash.Seed
	shards *[shardCount]map[string]V
	size   int
}

const shardCount = 256

func newTable[V any]() table[V] {
	return table[V]{seed: maphash.MakeSeed(), shards: new([shardCount]map[string]V)}
}

func (t table[V]) shard(name string) int { return int(maphash.String(t.seed, name) % shardCount) }

func (t table[V]) get(name string) (V, bool) {
	v, ok := t.shards[t.shard(name)][name]
	return v, ok
}

// all ranges over the values, in no order.
func (t table[V]) all(yield func(string, V) bool) {
	for _, shard := range t.shards {
		for name, v := range shard {
			if !yield(name, v) {
				return
			}
		}
	}
}

// draft is a table while it changes.
type draft[V any] struct {
	table[V]
	own [shardCount]bool // shards that no other table has
}

func (t table[V]) edit() *draft[V] {
	d := &draft[V]{table: t}
	d.shards = new(*t.shards)
	return d
}

func (d *draft[V]) mine(name string) map[string]V {
	i := d.shard(name)
	if !d.own[i] {
		d.own[i] = true
		if d.shards[i] = maps.Clone(d.shards[i]); d.shards[i] == nil {
			d.shards[i] = map[string]V{}
		}
	}
	return d.shards[i]
}

func (d *draft[V]) set(name string, v V) {
	shard := d.mine(name)
	before := len(shard)
	shard[name] = v
	d.size += len(shard) - before
}

func (d *draft[V]) remove(name string) {
	if _, ok := d.get(name); ok {
		delete(d.mine(name), name)
		d.size--
	}
}
