package job

import (
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

// pool is a pool that serves the tenant at hand.
type pool struct {
	uid   controlplane.UID
	id    string
	login bool
	due   string // what an edge that left demands: store.Edge.KeysDue
}

// What the departure of an edge demands of its pool's keys.
const (
	dueReplace = "replace"
	dueRotate  = "rotate"
)

// plan is what has to happen to one tenant's keys.
type plan struct {
	put, drop []keyring.PoolKey
	// reseal says that secrets of resources come out as other bytes, or come to pools that did not have them: the
	// resources' revision has to say so.
	reseal bool
}

func (p *plan) empty() bool { return len(p.put)+len(p.drop) == 0 }

// planKeys compares a tenant's keys with the pools that serve it.
func planKeys(pools []pool, keys []keyring.PoolKey, now time.Time) (*plan, error) {
	whole := &plan{}
	for _, p := range pools {
		own := slices.DeleteFunc(slices.Clone(keys), func(k keyring.PoolKey) bool { return k.Pool != p.uid })
		one, err := planPool(p, own, now)
		if err != nil {
			return nil, err
		}
		whole.put, whole.drop = append(whole.put, one.put...), append(whole.drop, one.drop...)
		whole.reseal = whole.reseal || one.reseal
	}
	// A pool that no longer serves the tenant has no use for its keys, and its edges may still know them.
	for _, k := range keys {
		serves := slices.ContainsFunc(pools, func(p pool) bool { return p.uid == k.Pool })
		if !serves && k.State != keyring.Dropped {
			whole.drop = append(whole.drop, k)
		}
	}
	return whole, nil
}

func planPool(p pool, keys []keyring.PoolKey, now time.Time) (*plan, error) {
	out := &plan{}
	var err error
	switch p.due {
	case dueReplace:
		out.put, out.drop, err = keyring.Replace(p.uid, p.id, keys, now)
	case dueRotate:
		out, err = rotateEarly(p, keys, now)
	default:
		out.put, out.drop, err = keyring.Rotate(p.uid, p.id, keys, now)
	}
	if err != nil {
		return nil, err
	}
	if !p.login {
		out.put = slices.DeleteFunc(out.put, isLogin)
		for _, k := range keys {
			if isLogin(k) && !slices.ContainsFunc(out.drop, same(k)) {
				out.drop = append(out.drop, k)
			}
		}
	}
	newLogin := slices.ContainsFunc(out.put, isLogin) && !slices.ContainsFunc(keys, isLogin)
	lostLogin := !p.login && slices.ContainsFunc(keys, isLogin)
	newData := slices.ContainsFunc(out.put, func(k keyring.PoolKey) bool { return k.Purpose == keyring.Data })
	out.reseal = newData || newLogin || lostLogin
	if newData {
		out.put = append(out.put, untouched(keys, out)...)
	}
	return out, nil
}

func isLogin(k keyring.PoolKey) bool { return k.Purpose == keyring.Login }

// rotateEarly announces a successor of every key, whatever its age, and replaces the data key at once: what it seals is
// sealed anew in the same step, so nobody needs the old one. A successor that was announced already is known to the edge
// that left, so it is replaced by another.
func rotateEarly(p pool, keys []keyring.PoolKey, now time.Time) (*plan, error) {
	due, drop, err := keyring.Rotate(p.uid, p.id, keys, now)
	if err != nil {
		return nil, err
	}
	out := &plan{drop: drop}
	var current []keyring.PoolKey
	for _, k := range merge(keys, due) {
		known := slices.ContainsFunc(keys, same(k))
		switch {
		case slices.ContainsFunc(drop, same(k)):
			continue
		case known && (k.State == keyring.Next || k.Purpose == keyring.Data && k.State == keyring.Active):
			out.drop = append(out.drop, k)
			continue
		case k.State == keyring.Active:
			k.NotBefore = time.Time{} // old enough for anything
		}
		current = append(current, k)
	}
	early, _, err := keyring.Rotate(p.uid, p.id, current, now)
	if err != nil {
		return nil, err
	}
	out.put = merge(due, early)
	return out, nil
}

func same(k keyring.PoolKey) func(keyring.PoolKey) bool {
	return func(other keyring.PoolKey) bool { return other.Purpose == k.Purpose && other.ID == k.ID }
}

// merge is the keys of both, the newer form where they are the same key.
func merge(older, newer []keyring.PoolKey) []keyring.PoolKey {
	out := slices.DeleteFunc(slices.Clone(older), func(k keyring.PoolKey) bool { return slices.ContainsFunc(newer, same(k)) })
	return append(out, newer...)
}

// untouched are the keys that a plan leaves as they are. Under a new data key they come out as other bytes, so they are
// written again for their revision's sake.
func untouched(keys []keyring.PoolKey, p *plan) []keyring.PoolKey {
	var rest []keyring.PoolKey
	for _, k := range keys {
		if k.State != keyring.Dropped && !slices.ContainsFunc(p.put, same(k)) && !slices.ContainsFunc(p.drop, same(k)) {
			rest = append(rest, k)
		}
	}
	return rest
}
