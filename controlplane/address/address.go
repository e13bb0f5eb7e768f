// Package address says which network addresses an upstream or an identity provider may have: public ones, and the
// private networks that the operator opened for an edge pool. It judges addresses only and resolves no names: what a
// name resolves to is checked by the edge, at every dial, because it may differ there and change at any time.
package address

import (
	"net/netip"
	"strings"
)

// special are the networks that no public service lives in: the IANA special-purpose registries (RFC 6890) and what
// carries an IPv4 address inside an IPv6 one, which could smuggle any of them.
var special = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared, RFC 6598
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link local; cloud metadata
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // IETF protocols
	"192.0.2.0/24",    // documentation
	"192.31.196.0/24", // AS112
	"192.52.193.0/24", // AMT
	"192.88.99.0/24",  // 6to4 relays, deprecated
	"192.168.0.0/16",  // private
	"192.175.48.0/24", // AS112
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast

	"::/96",         // unspecified, loopback, IPv4-compatible
	"::ffff:0:0/96", // IPv4-mapped; unmapped before it is judged
	"64:ff9b::/96",  // NAT64
	"64:ff9b:1::/48",
	"100::/64", // discard
	"100:0:0:1::/64",
	"2001::/23",     // IETF protocols, Teredo
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4
	"2620:4f:8000::/48",
	"3fff::/20", // documentation
	"5f00::/16", // segment routing
	"fc00::/7",  // unique local
	"fe80::/10", // link local
	"fec0::/10", // site local, deprecated
	"ff00::/8",  // multicast
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// Public reports whether a public service can have the address.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && a.Zone() == "" && !within(a, special)
}

// Allowed reports whether a is public or in one of the opened networks.
func Allowed(a netip.Addr, opened []netip.Prefix) bool {
	a = a.Unmap()
	return Public(a) || a.Zone() == "" && within(a, opened)
}

func within(a netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

var loopback = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// Literal returns the addresses that a URL's host spells out without any name service: those of an address literal and
// of `localhost` and the names below it (RFC 6761). For other names there are none.
func Literal(host string) []netip.Addr {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return loopback
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}
	}
	return nil
}

// Ambiguous reports whether a host is no address literal and yet would be taken for one by somebody: `127.1`, `0x7f.1`,
// `2130706433` (WHATWG URL: a host whose last label is a number is an IPv4 address).
func Ambiguous(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
