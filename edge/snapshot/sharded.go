package snapshot

import "maps"

// sharded is a map of which a changed copy costs little: a copy shares every part that it does not change. The zero value is
// empty.
type sharded[V any] struct {
	parts [256]map[string]V
	size  int
}

func (s *sharded[V]) get(key string) (V, bool) {
	v, ok := s.parts[part(key)][key]
	return v, ok
}

func (s *sharded[V]) all(yield func(string, V) bool) {
	for _, p := range s.parts {
		for key, v := range p {
			if !yield(key, v) {
				return
			}
		}
	}
}

// part is FNV-1a, folded to a byte.
func part(key string) uint8 {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return uint8(h ^ h>>8 ^ h>>16 ^ h>>24)
}

// edit is a copy that is being changed. What it was copied from never changes.
type edit[V any] struct {
	sharded[V]
	own [256]bool
}

func (e *edit[V]) writable(key string) map[string]V {
	i := part(key)
	if !e.own[i] {
		e.own[i] = true
		if e.parts[i] = maps.Clone(e.parts[i]); e.parts[i] == nil {
			e.parts[i] = map[string]V{}
		}
	}
	return e.parts[i]
}

func (e *edit[V]) set(key string, v V) {
	if _, there := e.get(key); !there {
		e.size++
	}
	e.writable(key)[key] = v
}

func (e *edit[V]) remove(key string) {
	if _, there := e.get(key); there {
		e.size--
		delete(e.writable(key), key)
	}
}
