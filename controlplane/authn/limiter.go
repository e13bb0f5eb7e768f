package authn

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Guessing is hopeless (256 bits); the limit keeps guesses from costing the database anything. Only failures count, and
// a token that was good a moment ago is still looked at: one bad script does not lock out the office it runs in. What was
// good is known by the hash of its secret, so that a right id with a wrong secret is no different from a wrong id.
const (
	failures  = 100            // at once from one address,
	perSecond = 10             // and then so many
	limitText = "100, 10/s"    // for the error
	known     = 10_000         // addresses, and tokens, that are remembered
	goodFor   = 24 * time.Hour // and how long a token is known to be good
)

type secretHash = [32]byte

type limiter struct {
	now func() time.Time

	mu        sync.Mutex
	addresses bounded[netip.Prefix, *rate.Limiter]
	good      bounded[secretHash, time.Time]
}

func newLimiter(now func() time.Time) *limiter { return &limiter{now: now} }

// source is the address that failures are counted by: of IPv6 the network, for one customer has all of it.
func source(ip netip.Addr) netip.Prefix {
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // an invalid address is counted as one of them
	return p
}

// refuses reports whether the address has failed too often to be looked at with this token.
func (l *limiter) refuses(ip netip.Addr, hash secretHash) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if good, ok := l.good.get(hash); ok && l.now().Sub(good) < goodFor {
		return false
	}
	bucket, ok := l.addresses.get(source(ip))
	return ok && bucket.TokensAt(l.now()) < 1
}

func (l *limiter) failed(ip netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, ok := l.addresses.get(source(ip))
	if !ok {
		bucket = rate.NewLimiter(perSecond, failures)
	}
	bucket.AllowN(l.now(), 1)
	l.addresses.put(source(ip), bucket)
}

// succeeded remembers the token and reports whether it was not known to be good.
func (l *limiter) succeeded(hash secretHash) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if good, ok := l.good.get(hash); ok && l.now().Sub(good) < goodFor {
		return false
	}
	l.good.put(hash, l.now())
	return true
}

// bounded is a map of at most twice known entries: when the young half is full the old half is forgotten, so what is used
// is kept, and nobody can make it grow.
type bounded[K comparable, V any] struct {
	young, old map[K]V
}

func (b *bounded[K, V]) get(key K) (V, bool) {
	if v, ok := b.young[key]; ok {
		return v, true
	}
	v, ok := b.old[key]
	if ok {
		b.put(key, v)
	}
	return v, ok
}

func (b *bounded[K, V]) put(key K, value V) {
	if b.young == nil || len(b.young) >= known {
		b.old, b.young = b.young, map[K]V{}
	}
	b.young[key] = value
}
