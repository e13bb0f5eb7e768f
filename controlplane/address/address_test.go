package address_test

import (
	"net/netip"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane/address"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"1.1.1.1": true, "93.184.216.34": true, "2606:4700::1111": true, "2a00:1450:4001::1": true,
		"::ffff:1.1.1.1": true,
		"0.0.0.0":        false, "10.1.2.3": false, "100.64.0.1": false, "127.0.0.1": false, "127.255.255.255": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "198.18.0.1": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "192.0.0.192": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::127.0.0.1": false,
		"64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "fc00::1": false, "fd12::1": false, "fe80::1": false,
		"fe80::1%eth0": false, "2606:4700::1111%eth0": false, "ff02::1": false, "2001:db8::1": false,
	} {
		if got := address.Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("Public(%s) = %v", text, got)
		}
	}
	if address.Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestOpenedNetworks(t *testing.T) {
	t.Parallel()
	opened := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for text, want := range map[string]bool{
		"127.0.0.1": true, "::ffff:127.0.0.1": true, "fd00::1": true, "8.8.8.8": true, "::1": false, "10.0.0.1": false, "fd00::1%lo": false,
	} {
		if got := address.Allowed(netip.MustParseAddr(text), opened); got != want {
			t.Errorf("Allowed(%s) = %v", text, got)
		}
	}
}

func TestLiteral(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]int{
		"127.0.0.1": 1, "::1": 1, "localhost": 2, "LOCALHOST.": 2, "a.localhost": 2, "example.com": 0, "127.1": 0, "localhost.example": 0,
	} {
		if got := address.Literal(host); len(got) != want {
			t.Errorf("Literal(%q) = %v", host, got)
		}
	}
	for host, want := range map[string]bool{
		"127.1": true, "2130706433": true, "0x7f000001": true, "0x7f.1": true, "0X7F.0x1": true, "a.1": true, "1.": true, "010.0.0.1": true,
		"127.0.0.1": false, "::1": false, "example.com": false, "1password.com": false, "0xample": false, "": false,
	} {
		if got := address.Ambiguous(host); got != want {
			t.Errorf("Ambiguous(%q) = %v", host, got)
		}
	}
}
