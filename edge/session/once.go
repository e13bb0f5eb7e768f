package session

import (
	"context"
	"time"
)

// maxOnce bounds the memory of one-time tokens. Whoever fills it gains little: a token is bound to a browser as well.
const maxOnce = 100_000

// FirstUse says whether a one-time token is used for the first time: at this edge for certain, in the region if the store
// answers. token is a hash or a random value, never a secret in clear.
func (s *Sessions) FirstUse(ctx context.Context, tenantUID, token string, ttl time.Duration) bool {
	if _, fresh := s.once.SetIfAbsent(named{tenantUID, token}, struct{}{}); !fresh {
		return false
	}
	first, err := s.store.firstUse(ctx, tenantUID, token, ttl)
	return err != nil || first
}
