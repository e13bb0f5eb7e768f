package facts

import (
	"net/netip"
	"strings"
	"testing"
)

func TestClientIP(t *testing.T) {
	t.Parallel()
	proxies, err := Trust([]string{"10.0.0.0/8", "2001:db8:1::/48", "::ffff:172.16.0.0/108"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		peer    string
		header  []string
		trusted Trusted
		want    string // "" is unknown
	}{
		"FW-01: trust is not the default":     {"10.0.0.1", []string{"192.0.2.9"}, Trusted{}, "10.0.0.1"},
		"an untrusted peer":                   {"192.0.2.1", []string{"198.51.100.1"}, proxies, "192.0.2.1"},
		"a trusted peer":                      {"10.0.0.1", []string{"192.0.2.9"}, proxies, "192.0.2.9"},
		"a trusted peer that says nothing":    {"10.0.0.1", nil, proxies, "10.0.0.1"},
		"two trusted hops":                    {"10.0.0.1", []string{"192.0.2.9, 10.0.0.2"}, proxies, "192.0.2.9"},
		"what the client claimed stays left":  {"10.0.0.1", []string{"203.0.113.5, 192.0.2.9, 10.0.0.2"}, proxies, "192.0.2.9"},
		"several lines are one list":          {"10.0.0.1", []string{"203.0.113.5", "192.0.2.9", "10.0.0.2"}, proxies, "192.0.2.9"},
		"a claimed inner address is not seen": {"10.0.0.1", []string{"10.9.9.9, 192.0.2.9"}, proxies, "192.0.2.9"},
		"all hops trusted":                    {"10.0.0.1", []string{"10.0.0.3, 10.0.0.2"}, proxies, "10.0.0.3"},
		"garbage left of the client":          {"10.0.0.1", []string{"evil, 192.0.2.9"}, proxies, "192.0.2.9"},
		"garbage from a trusted hop":          {"10.0.0.1", []string{"192.0.2.9, unknown"}, proxies, ""},
		"garbage behind a trusted hop":        {"10.0.0.1", []string{"unknown, 10.0.0.2"}, proxies, ""},
		"an empty entry":                      {"10.0.0.1", []string{"192.0.2.9,"}, proxies, ""},
		"an empty line":                       {"10.0.0.1", []string{""}, proxies, ""},
		"a port":                              {"10.0.0.1", []string{"192.0.2.9:1234"}, proxies, ""},
		"PC-04: another base":                 {"10.0.0.1", []string{"0300.0.2.9"}, proxies, ""},
		"a zone from outside":                 {"10.0.0.1", []string{"fe80::1%eth0"}, proxies, ""},
		"blanks":                              {"10.0.0.1", []string{" 192.0.2.9\t,  10.0.0.2 "}, proxies, "192.0.2.9"},
		"v6":                                  {"2001:db8:1::1", []string{"2001:db8:2::9"}, proxies, "2001:db8:2::9"},
		"a peer mapped into v6":               {"::ffff:10.0.0.1", []string{"::ffff:192.0.2.9"}, proxies, "192.0.2.9"},
		"a trusted network mapped into v6":    {"172.16.0.1", []string{"192.0.2.9"}, proxies, "192.0.2.9"},
		"a zone of our own":                   {"fe80::1%eth0", nil, proxies, "fe80::1"},
		"too many hops":                       {"10.0.0.1", []string{strings.Repeat("10.0.0.2,", maxHops+1) + "10.0.0.2"}, proxies, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ClientIP(netip.MustParseAddr(c.peer), c.header, c.trusted)
			want := netip.Addr{}
			if c.want != "" {
				want = netip.MustParseAddr(c.want)
			}
			if got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestUnknownPeer(t *testing.T) {
	t.Parallel()
	proxies, _ := Trust([]string{"10.0.0.0/8"})
	if got := ClientIP(netip.Addr{}, []string{"192.0.2.9"}, proxies); got.IsValid() {
		t.Errorf("got %v", got)
	}
}

func TestTrustRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "::ffff:0.0.0.0/90", "10.0.0.1/8", "10.0.0.1", "10/8", "", "evil"} { // FW-02
		if got, err := Trust([]string{"10.0.0.0/8", s}); err == nil || len(got.networks) > 0 {
			t.Errorf("%q: got %+v, %v", s, got, err)
		}
	}
}

// FuzzClientIP: the answer is the peer, or an address that some trusted hop
// wrote; and to whoever is not trusted, nobody listens.
func FuzzClientIP(f *testing.F) {
	f.Add("10.0.0.1", "192.0.2.9, 10.0.0.2")
	f.Add("192.0.2.1", "10.0.0.2")
	proxies, err := Trust([]string{"10.0.0.0/8"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, peer, line string) {
		from, err := netip.ParseAddr(peer)
		if err != nil {
			return
		}
		got := ClientIP(from, []string{line}, proxies)
		switch {
		case !proxies.Has(normal(from)) && got != normal(from):
			t.Fatalf("%v said %q and was believed: %v", from, line, got)
		case got.IsValid() && got != normal(from) && !strings.Contains(line, ","):
			if a, err := netip.ParseAddr(strings.Trim(line, " \t")); err != nil || normal(a) != got {
				t.Fatalf("%q: got %v", line, got)
			}
		}
	})
}
