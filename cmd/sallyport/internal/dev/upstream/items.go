package upstream

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// item is one entry of the list that the API's writes change.
type item struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	ChangedBy string `json:"changed_by"`
}

type items struct {
	mu   sync.Mutex
	last int
	kept []item
}

const maxItems = 100

func newItems() *items {
	return &items{last: 2, kept: []item{{"1", "Invoice 2026-001", "demo"}, {"2", "Invoice 2026-002", "demo"}}}
}

func (s *items) list(w http.ResponseWriter, _ *http.Request, _ map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"items": s.kept})
}

func (s *items) get(w http.ResponseWriter, r *http.Request, _ map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(r); i >= 0 {
		writeJSON(w, http.StatusOK, s.kept[i])
		return
	}
	refuseJSON(w, http.StatusNotFound, "not_found", "There is no such item.")
}

type itemBody struct {
	Name string `json:"name"`
}

func (s *items) create(w http.ResponseWriter, r *http.Request, claims map[string]any) {
	var body itemBody
	if !decode(w, r, &body) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) >= maxItems {
		refuseJSON(w, http.StatusInsufficientStorage, "full", "The demo keeps 100 items.")
		return
	}
	s.last++
	made := item{strconv.Itoa(s.last), body.Name, actor(claims)}
	s.kept = append(s.kept, made)
	writeJSON(w, http.StatusCreated, made)
}

func (s *items) put(w http.ResponseWriter, r *http.Request, claims map[string]any) {
	var body itemBody
	if !decode(w, r, &body) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(r); i >= 0 {
		s.kept[i].Name, s.kept[i].ChangedBy = body.Name, actor(claims)
		writeJSON(w, http.StatusOK, s.kept[i])
		return
	}
	refuseJSON(w, http.StatusNotFound, "not_found", "There is no such item.")
}

func (s *items) delete(w http.ResponseWriter, r *http.Request, _ map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(r); i >= 0 {
		s.kept = slices.Delete(s.kept, i, i+1)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	refuseJSON(w, http.StatusNotFound, "not_found", "There is no such item.")
}

func (s *items) index(r *http.Request) int {
	return slices.IndexFunc(s.kept, func(i item) bool { return i.ID == r.PathValue("id") })
}

// actor is the name by which a person or machine signs a change.
func actor(claims map[string]any) string {
	for _, name := range []string{"email", "sub"} {
		if value, ok := claims[name].(string); ok && value != "" {
			return value
		}
	}
	return "unknown"
}
