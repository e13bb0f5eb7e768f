package keyring

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// schedule is how a purpose's keys follow each other. A new key is announced a day before it is used, because an edge
// may serve on a snapshot that is so old: it could not open what others seal.
type schedule struct {
	every    time.Duration // zero: never by the clock
	announce time.Duration
	overlap  time.Duration // how long after its last use an old key still has to open, or be published
}

const day = 24 * time.Hour

func scheduleOf(purpose Purpose) schedule {
	switch purpose {
	case Ticket, Redis:
		return schedule{every: 7 * day, announce: day, overlap: 30 * day} // the longest session
	case Login:
		return schedule{every: 7 * day, announce: day, overlap: time.Hour} // the longest sign-in takes minutes
	case Assertion:
		return schedule{every: 30 * day, announce: day, overlap: 7 * day}
	default:
		return schedule{}
	}
}

// Rotate says what is due at a pool: keys to write, and keys to drop. Nothing due, or keys that another replica has
// rotated already: nothing. Where a purpose has no key at all it makes an active one; so it also makes a pool's first keys.
func Rotate(pool controlplane.UID, poolID string, keys []PoolKey, now time.Time) (put, drop []PoolKey, err error) {
	for _, purpose := range Purposes {
		p, d, err := rotateOne(pool, poolID, purpose, keys, now)
		if err != nil {
			return nil, nil, err
		}
		put, drop = append(put, p...), append(drop, d...)
	}
	return put, drop, nil
}

func rotateOne(pool controlplane.UID, poolID string, purpose Purpose, keys []PoolKey, now time.Time) (put, drop []PoolKey, err error) {
	var active, next *PoolKey
	for i := range keys {
		k := keys[i]
		if k.Pool != pool {
			return nil, nil, fmt.Errorf("rotate keys of pool %s: one is of pool %s", pool, k.Pool)
		}
		if k.Purpose != purpose {
			continue
		}
		switch k.State {
		case Active:
			if active != nil {
				return nil, nil, fmt.Errorf("rotate %s keys: two are active", purpose)
			}
			active = &k
		case Next:
			next = &k
		case Old:
			if !now.Before(k.RetireTime) {
				drop = append(drop, k)
			}
		}
	}
	plan := scheduleOf(purpose)
	switch {
	case active == nil:
		k, err := newPoolKey(pool, poolID, purpose, keys, now)
		if err != nil {
			return nil, nil, err
		}
		put = append(put, k)
	case next != nil && !now.Before(next.NotBefore):
		active.State, active.RetireTime = Old, now.Add(plan.overlap)
		if purpose == Assertion {
			active.Secret = nil
		}
		next.State = Active
		put = append(put, *active, *next) // in this order: at no time are two active
	case next == nil && plan.every > 0 && !now.Before(active.NotBefore.Add(plan.every-plan.announce)):
		k, err := newPoolKey(pool, poolID, purpose, keys, now)
		if err != nil {
			return nil, nil, err
		}
		k.State, k.NotBefore = Next, now.Add(plan.announce)
		put = append(put, k)
	}
	return put, drop, nil
}

// Replace makes every key of a pool anew and drops all that are there: whoever held them is no longer trusted. People
// who are signed in at that pool have to sign in again. The new data key seals other bytes, so the caller also touches
// every resource that has a secret.
func Replace(pool controlplane.UID, poolID string, keys []PoolKey, now time.Time) (put, drop []PoolKey, err error) {
	for _, k := range keys {
		if k.Pool != pool {
			return nil, nil, errors.New("replace keys: one is of another pool")
		}
		if k.State != Dropped {
			drop = append(drop, k)
		}
	}
	for _, purpose := range Purposes {
		k, err := newPoolKey(pool, poolID, purpose, keys, now)
		if err != nil {
			return nil, nil, err
		}
		put = append(put, k)
	}
	return slices.Clip(put), slices.Clip(drop), nil
}
