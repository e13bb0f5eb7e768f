package clause

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// network is "source_cidrs": ranges that do not overlap, in order.
type network struct {
	ranges []addressRange
	text   []string
}

type addressRange struct{ first, last netip.Addr }

func (c *network) eval(f *Facts) truth.Value {
	if !f.SourceIP.IsValid() {
		return truth.Unknown
	}
	return truth.Of(c.contains(normalAddress(f.SourceIP)))
}

// contains never matches an address against a range of the other family: all
// IPv4 addresses sort before all IPv6 addresses.
func (c *network) contains(a netip.Addr) bool {
	i := sort.Search(len(c.ranges), func(i int) bool { return a.Less(c.ranges[i].first) })
	return i > 0 && a.Compare(c.ranges[i-1].last) <= 0
}

func (*network) Field() string    { return "conditions.source_cidrs" }
func (c *network) Wanted() string { return "in " + AnyOf(c.text) }

func (*network) Seen(f *Facts) string {
	if !f.SourceIP.IsValid() {
		return "an unknown address"
	}
	return "the address " + normalAddress(f.SourceIP).String()
}

func (c *Compiler) networks(list []string, at problem.Path) Clause {
	const field = "conditions.source_cidrs"
	if !c.Problems.Length(at, field, list, MaxNetworks) || len(list) == 0 {
		return nil
	}
	prefixes := make([]netip.Prefix, 0, len(list))
	for i, text := range list {
		p, suggestion, err := parseNetwork(text)
		if err != nil {
			c.Problems.Suggest(at, problem.Item(field, i), suggestion, "%s", err)
			continue
		}
		prefixes = append(prefixes, p)
	}
	return &network{text: list, ranges: newRanges(prefixes)}
}

func newRanges(prefixes []netip.Prefix) []addressRange {
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	ranges := make([]addressRange, 0, len(prefixes))
	for _, p := range prefixes {
		// Prefixes nest or are apart; the wider of two sorts first.
		if n := len(ranges); n > 0 && p.Addr().Compare(ranges[n-1].last) <= 0 {
			continue
		}
		ranges = append(ranges, addressRange{first: p.Addr(), last: lastAddress(p)})
	}
	return slices.Clip(ranges)
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
	if len(s) > maxName || strings.Contains(s, "%") {
		return netip.Prefix{}, "", fmt.Errorf("%s is not a network such as 10.0.0.0/8 or 2001:db8::/32", problem.Quote(s))
	}
	p, err = netip.ParsePrefix(s)
	if err != nil {
		if a, addrErr := netip.ParseAddr(s); addrErr == nil {
			a = a.Unmap()
			return netip.Prefix{}, netip.PrefixFrom(a, a.BitLen()).String(), errors.New("a network has a length, even if it is one address")
		}
		return netip.Prefix{}, "", fmt.Errorf("%s is not a network such as 10.0.0.0/8 or 2001:db8::/32", problem.Quote(s))
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, "", fmt.Errorf("%s is partly IPv4 and partly not", problem.Quote(s))
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if masked := p.Masked(); masked != p {
		return netip.Prefix{}, masked.String(), fmt.Errorf("%s has bits set beyond its length", problem.Quote(s))
	}
	return p, "", nil
}
