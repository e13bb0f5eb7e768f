package idp

import (
	"sync"
	"time"
)

// expiring is a bounded map whose entries live for one fixed time.
type expiring[V any] struct {
	life time.Duration

	mu      sync.Mutex
	entries map[string]entry[V]
	order   []string // by age; may name entries that are gone
}

type entry[V any] struct {
	value   V
	expires time.Time
}

func newExpiring[V any](life time.Duration) *expiring[V] {
	return &expiring[V]{life: life, entries: map[string]entry[V]{}}
}

func (e *expiring[V]) put(key string, value V) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.entries[key]; !known {
		e.order = append(e.order, key)
	}
	e.entries[key] = entry[V]{value, time.Now().Add(e.life)}
	for len(e.order) > maxKept {
		delete(e.entries, e.order[0])
		e.order = e.order[1:]
	}
}

func (e *expiring[V]) get(key string) (V, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.live(key)
}

// take is get for the last time.
func (e *expiring[V]) take(key string) (V, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	value, ok := e.live(key)
	delete(e.entries, key)
	return value, ok
}

func (e *expiring[V]) live(key string) (V, bool) {
	found, ok := e.entries[key]
	if !ok || time.Now().After(found.expires) {
		var none V
		return none, false
	}
	return found.value, true
}
