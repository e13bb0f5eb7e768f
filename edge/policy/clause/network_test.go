package clause

import (
	"net/netip"
	"testing"
)

// FuzzNetworks holds that what networks contain is what netip says of each.
func FuzzNetworks(f *testing.F) {
	f.Add("10.0.0.0/8", "10.1.0.0/16", "10.255.255.255")
	f.Add("::ffff:10.0.0.0/104", "0.0.0.0/0", "::ffff:10.0.0.1")
	f.Add("2001:db8::/32", "::/0", "fe80::1%eth0")
	f.Add("10.0.0.1/8", "010.0.0.0/8", "")
	f.Fuzz(func(t *testing.T, one, other, address string) {
		var prefixes, v4, v6 []netip.Prefix
		for _, text := range []string{one, other} {
			p, suggestion, err := parseNetwork(text)
			if err != nil {
				if _, _, err := parseNetwork(suggestion); suggestion != "" && err != nil {
					t.Fatalf("%q: did you mean %q, which is wrong as well: %v", text, suggestion, err)
				}
				continue
			}
			if p != p.Masked() || p.Addr().Is4In6() {
				t.Fatalf("%q is %v", text, p)
			}
			prefixes = append(prefixes, p)
			if p.Addr().Is4() {
				v4 = append(v4, p)
			} else {
				v6 = append(v6, p)
			}
		}
		a, err := netip.ParseAddr(address)
		if err != nil {
			return
		}
		want := false
		for _, p := range prefixes {
			want = want || p.Contains(normalAddress(a))
		}
		n := &network{v4: spans(v4), v6: spans(v6)}
		if got := n.contains(addressOf(a)); got != want {
			t.Fatalf("%v in %v: %v, want %v", a, prefixes, got, want)
		}
	})
}
