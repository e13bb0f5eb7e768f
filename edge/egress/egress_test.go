package egress

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, c := range []struct {
		address string
		allowed []netip.Prefix
		ok      bool
	}{
		{"8.8.8.8", nil, true},
		{"2606:4700::1111", nil, true},
		{"127.0.0.1", nil, false},
		{"127.0.0.1", loopback, true},
		{"::ffff:127.0.0.1", nil, false},
		{"::ffff:127.0.0.1", loopback, true},
		{"::ffff:8.8.8.8", nil, true},
		{"::1", nil, false},
		{"::1", loopback, true},
		{"::1%lo", loopback, false},
		{"0.0.0.0", nil, false},
		{"::", nil, false},
		{"10.1.2.3", loopback, false},
		{"172.31.0.1", nil, false},
		{"192.168.1.1", nil, false},
		{"100.64.0.1", nil, false},
		{"169.254.169.254", nil, false},
		{"fd00:ec2::254", nil, false},
		{"fe80::1", nil, false},
		{"224.0.0.1", nil, false},
		{"255.255.255.255", nil, false},
		{"64:ff9b::7f00:1", nil, false},
		{"64:ff9b:1::a00:1", nil, false},
		{"2002:7f00:1::", nil, false},
		{"::127.0.0.1", nil, false},
	} {
		err := Check(netip.MustParseAddr(c.address), c.allowed)
		if (err == nil) != c.ok {
			t.Errorf("Check(%s, %v) = %v", c.address, c.allowed, err)
		}
	}
}

func TestDialIsCheckedOnTheResolvedAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1"} {
		_, err := Dialer(nil).DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if forbidden := (*Forbidden)(nil); !errors.As(err, &forbidden) {
			t.Errorf("dial %s: %v, want a *Forbidden", host, err)
		}
	}
	conn, err := Dialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
