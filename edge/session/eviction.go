package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// EvictionError says that Redis may drop a tombstone to make room, which would let an ended session in again.
type EvictionError struct{ Policy string }

func (e *EvictionError) Error() string {
	return fmt.Sprintf("the session store evicts keys: its maxmemory-policy is %q; it must be noeviction or volatile-ttl", e.Policy)
}

// CheckStore is for the start: a store that is there and set up wrongly stops the edge. One that is not there does not.
func (s *Sessions) CheckStore(ctx context.Context) error {
	if s.store.redis == nil {
		return nil
	}
	return s.store.checkEviction(ctx)
}

// checkEviction asks INFO, because CONFIG is what managed services forbid.
func (s *store) checkEviction(ctx context.Context) error {
	var info string
	err := s.try(ctx, func(ctx context.Context) error {
		var err error
		info, err = s.redis.Info(ctx, "memory").Result()
		if refused := redis.Error(nil); errors.As(err, &refused) {
			return nil // it is there, and does not tell: no reason to do without it
		}
		return err
	})
	if err != nil {
		return nil
	}
	for line := range strings.Lines(info) {
		policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:")
		if ok && policy != "noeviction" && policy != "volatile-ttl" {
			return &EvictionError{policy}
		}
	}
	return nil
}
