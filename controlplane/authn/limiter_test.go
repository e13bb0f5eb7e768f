package authn

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var guess, good = secretHash{1}, secretHash{2}

func TestFailuresAreCountedByAddress(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l := newLimiter(func() time.Time { return now })
	attacker, office := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

	for i := range failures {
		if l.refuses(attacker, guess) {
			t.Fatalf("refused after %d failures", i)
		}
		l.failed(attacker)
	}
	if !l.refuses(attacker, guess) {
		t.Error("not refused after the limit")
	}
	if l.refuses(office, guess) {
		t.Error("another address is refused")
	}
	now = now.Add(time.Second / perSecond)
	if l.refuses(attacker, guess) {
		t.Error("still refused when there is room for one more")
	}
}

func TestWhatWasGoodIsStillLookedAt(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l := newLimiter(func() time.Time { return now })
	ip := netip.MustParseAddr("192.0.2.1")
	if !l.succeeded(good) || l.succeeded(good) {
		t.Error("the first success, and only that, is the first")
	}
	for range 2 * failures {
		l.failed(ip)
	}
	if l.refuses(ip, good) {
		t.Error("a token that was good is refused because of others' failures")
	}
	now = now.Add(goodFor)
	for range 2 * failures {
		l.failed(ip)
	}
	if !l.refuses(ip, good) {
		t.Error("a token is known to be good for ever")
	}
}

func TestOneNetworkIsOneSource(t *testing.T) {
	t.Parallel()
	l := newLimiter(time.Now)
	for i := range 2 * failures {
		l.failed(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)))
	}
	if !l.refuses(netip.MustParseAddr("2001:db8::ffff"), guess) {
		t.Error("another address of the same /64 is a new start")
	}
	if l.refuses(netip.MustParseAddr("2001:db8:0:1::1"), guess) {
		t.Error("another /64 is refused")
	}
	l.failed(netip.Addr{}) // must not panic
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var b bounded[int, int]
	for i := range 10 * known {
		b.put(i, i)
		if _, ok := b.get(0); !ok {
			t.Fatal("what is used is forgotten")
		}
	}
	if n := len(b.young) + len(b.old); n > 2*known {
		t.Errorf("%d entries are kept", n)
	}
}
