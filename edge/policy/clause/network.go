package clause

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// network is "source_cidrs": ranges that do not overlap, in order. An address is
// never in a range of the other family.
type network struct {
	v4, v6 []span
	text   []string
}

// span is from one address to another, both of which are in it.
type span struct{ first, last key }

// key is an address as a number.
type key struct{ high, low uint64 }

// address is an address as networks are searched for it. The zero value is none that is searched for twice: it is made again.
type address struct {
	key
	v4 bool
}

func addressOf(a netip.Addr) address {
	a = normalAddress(a)
	return address{keyOf(a), a.Is4()}
}

func keyOf(a netip.Addr) key {
	bytes := a.As16()
	return key{binary.BigEndian.Uint64(bytes[:8]), binary.BigEndian.Uint64(bytes[8:])}
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.high, o.high), cmp.Compare(k.low, o.low))
}

func (c *network) eval(f *Facts) truth.Value {
	if !f.SourceIP.IsValid() {
		return truth.Unknown
	}
	if f.address == (address{}) {
		f.address = addressOf(f.SourceIP)
	}
	return truth.Of(c.contains(f.address))
}

func (c *network) contains(a address) bool {
	list := c.v6
	if a.v4 {
		list = c.v4
	}
	k := a.key
	from, to := 0, len(list) // the ranges before from begin at k or before it, those from to on after it
	for from < to {
		if middle := (from + to) / 2; list[middle].first.compare(k) <= 0 {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from > 0 && k.compare(list[from-1].last) <= 0
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
	var v4, v6 []netip.Prefix
	for i, text := range list {
		p, suggestion, err := parseNetwork(text)
		if err != nil {
			c.Problems.Suggest(at, problem.Item(field, i), suggestion, "%s", err)
			continue
		}
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return &network{text: list, v4: spans(v4), v6: spans(v6)}
}

func spans(prefixes []netip.Prefix) []span {
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	list := make([]span, 0, len(prefixes))
	for _, p := range prefixes {
		s := spanOf(p)
		// Prefixes nest or are apart; the wider of two sorts first.
		if n := len(list); n == 0 || s.first.compare(list[n-1].last) > 0 {
			list = append(list, s)
		}
	}
	return slices.Clip(list)
}

func spanOf(p netip.Prefix) span {
	first := keyOf(p.Addr())
	last, free := first, p.Addr().BitLen()-p.Bits()
	last.low |= 1<<min(free, 64) - 1
	if free > 64 {
		last.high |= 1<<(free-64) - 1
	}
	return span{first, last}
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
