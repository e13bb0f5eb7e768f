package simulation

// How many bytes of each kind are remembered.
const (
	maxPeople   = 48 << 20
	maxSupposed = 16 << 20
	maxGaps     = 8 << 20
	maxLeads    = 8 << 20
)

// memory remembers what was used last, up to so many bytes: when what was added or found since the last time is half of
// that, all else is forgotten. What is larger than half by itself is forgotten next.
type memory[V any] struct {
	limit        int
	fresh, stale map[string]kept[V]
	used         int // bytes of what is fresh
}

type kept[V any] struct {
	value V
	size  int
}

// entry is what a map takes for one, beside the key.
const entry = 96

func (m *memory[V]) find(key []byte) (value V, ok bool) {
	if found, ok := m.fresh[string(key)]; ok {
		return found.value, true
	}
	found, ok := m.stale[string(key)]
	if ok {
		m.keep(string(key), found)
	}
	return found.value, ok
}

func (m *memory[V]) add(key []byte, value V, size int) {
	if m.limit > 0 {
		m.keep(string(key), kept[V]{value, size + entry + len(key)})
	}
}

func (m *memory[V]) keep(key string, k kept[V]) {
	if m.used+k.size > m.limit/2 {
		m.fresh, m.stale, m.used = nil, m.fresh, 0
	}
	if m.fresh == nil {
		m.fresh = map[string]kept[V]{}
	}
	m.fresh[key] = k
	m.used += k.size
}
