package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sort"
)

// networks is a set of addresses: ranges that do not overlap, in order.
type networks []addressRange

type addressRange struct{ first, last netip.Addr }

// contains never matches an address against a range of the other family: all
// IPv4 addresses sort before all IPv6 addresses.
func (n networks) contains(a netip.Addr) bool {
	i := sort.Search(len(n), func(i int) bool { return a.Less(n[i].first) })
	return i > 0 && a.Compare(n[i-1].last) <= 0
}

func newNetworks(prefixes []netip.Prefix) networks {
	sorted := slices.Clone(prefixes)
	slices.SortFunc(sorted, netip.Prefix.Compare)
	var n networks
	for _, p := range sorted {
		// Prefixes nest or are apart; the wider of two sorts first.
		if len(n) > 0 && p.Addr().Compare(n[len(n)-1].last) <= 0 {
			continue
		}
		n = append(n, addressRange{first: p.Addr(), last: lastAddress(p)})
	}
	return n
}

func lastAddress(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// normalAddress makes an IPv4 address of one that came mapped into IPv6, and
// drops the zone, which is a name of this machine's interface.
func normalAddress(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// parseNetwork reads a network strictly; suggestion is what was probably meant.
func parseNetwork(s string) (p netip.Prefix, suggestion string, err error) {
	p, err = netip.ParsePrefix(s)
	if err != nil {
		if a, addrErr := netip.ParseAddr(s); addrErr == nil && a.Zone() == "" {
			a = a.Unmap()
			return netip.Prefix{}, netip.PrefixFrom(a, a.BitLen()).String(), errors.New("a network has a length, even if it is one address")
		}
		return netip.Prefix{}, "", fmt.Errorf("%q is not a network such as 10.0.0.0/8 or 2001:db8::/32", s)
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, "", fmt.Errorf("%q is partly IPv4 and partly not", s)
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if masked := p.Masked(); masked != p {
		return netip.Prefix{}, masked.String(), fmt.Errorf("%q has bits set beyond its length", s)
	}
	return p, "", nil
}
