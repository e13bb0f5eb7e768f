// Package egress is the only way out of an edge, to upstreams and identity providers alike.
//
// What is asked for are names and addresses that tenants chose, so the address is checked where it cannot change any
// more: after it was resolved, at every dial. It must never connect to an address that is not public unless the pool's
// operator allowed its network, never follow a redirect, and never read a proxy from the environment.
package egress

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Forbidden is an address that may not be connected to.
type Forbidden struct{ Address netip.Addr }

func (f *Forbidden) Error() string {
	return "the address " + f.Address.String() + " is neither public nor in a network that the edge pool allows"
}

// Check returns a *Forbidden unless the address is public or in an allowed network.
func Check(address netip.Addr, allowed []netip.Prefix) error {
	address = address.Unmap()
	for _, p := range allowed {
		// A zone names an interface of this machine: no network of the operator's does.
		if address.Zone() == "" && p.Contains(address) {
			return nil
		}
	}
	if public(address) {
		return nil
	}
	return &Forbidden{address}
}

// notPublic are the networks of the IANA special-purpose registries (RFC 6890 and later), and those that carry an IPv4
// address inside an IPv6 one, behind which any of the others could hide.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32",
	"2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		list[i] = netip.MustParsePrefix(t)
	}
	return list
}

const (
	dialTimeout = 5 * time.Second
	keepAlive   = 15 * time.Second
)

// Dialer dials public addresses, and those in the allowed networks.
func Dialer(allowed []netip.Prefix) *net.Dialer {
	return &net.Dialer{
		Timeout:   dialTimeout,
		KeepAlive: keepAlive,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			resolved, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return Check(resolved.Addr(), allowed)
		},
	}
}

// Client is for requests of our own, such as to identity providers. It has no cookies and follows no redirect.
func Client(allowed []netip.Prefix, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:            Dialer(allowed).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  timeout,
			MaxResponseHeaderBytes: 64 << 10,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
