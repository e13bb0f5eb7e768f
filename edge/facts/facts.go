// Package facts finds out what a decision reads about a request besides who
// makes it: the client's address, and in which country that is. It must never
// believe what a client says about itself, and it says "unknown" rather than
// guess. It asks no network.
package facts

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxHops bounds the walk through X-Forwarded-For.
const maxHops = 32

// Trusted is the set of proxies whose X-Forwarded-For is believed. The zero
// value believes nobody.
type Trusted struct{ networks []netip.Prefix }

// Trust makes the set from networks such as "10.0.0.0/8". Trusting everybody is
// refused: then every client could choose its address.
func Trust(cidrs []string) (Trusted, error) {
	var t Trusted
	for _, s := range cidrs {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return Trusted{}, fmt.Errorf("trusted proxies: %q is not a network such as 10.0.0.0/8", s)
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.Addr().Is4In6() || p.Masked() != p {
			return Trusted{}, fmt.Errorf("trusted proxies: %q has bits set beyond its length", s)
		}
		if p.Bits() == 0 {
			return Trusted{}, fmt.Errorf("trusted proxies: %q trusts everybody", s)
		}
		t.networks = append(t.networks, p)
	}
	return t, nil
}

// Has tells whether an address is one of theirs. It must not be an IPv4 address
// written as one of IPv6.
func (t Trusted) Has(a netip.Addr) bool {
	for _, p := range t.networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// ClientIP returns the address that a request comes from: the peer's, or, as
// long as the hop so far is trusted, what that hop wrote at the right end of
// X-Forwarded-For. If a trusted hop wrote what is not an address, the client's
// is unknown, which is the zero Addr.
func ClientIP(peer netip.Addr, forwardedFor []string, t Trusted) netip.Addr {
	client := normal(peer)
	hops := 0
	for _, line := range slices.Backward(forwardedFor) {
		for more := true; more; {
			if !t.Has(client) {
				return client
			}
			if hops++; hops > maxHops {
				return netip.Addr{}
			}
			var entry string
			line, entry, more = cutLast(line)
			a, err := netip.ParseAddr(strings.Trim(entry, " \t"))
			if err != nil || a.Zone() != "" {
				return netip.Addr{}
			}
			client = normal(a)
		}
	}
	return client
}

// cutLast splits off what follows the last comma.
func cutLast(line string) (before, last string, more bool) {
	if i := strings.LastIndexByte(line, ','); i >= 0 {
		return line[:i], line[i+1:], true
	}
	return "", line, false
}

// normal makes an IPv4 address of one that came mapped into IPv6, as dual-stack
// listeners give them, and drops the name of a local interface.
func normal(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
