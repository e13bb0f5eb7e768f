package edgefleet

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
)

func TestCheckPool(t *testing.T) {
	t.Parallel()
	exists := func(id string) (bool, error) { return id == "acme", nil }
	for name, tc := range map[string]struct {
		pool controlplane.EdgePool
		want []string // field and suggestion
	}{
		"fine":                   {controlplane.EdgePool{Tenants: []string{"acme"}, AllowedUpstreamCIDRs: []string{"127.0.0.0/8", "::1/128", "0.0.0.0/0"}, TrustedProxyCIDRs: []string{"10.0.0.0/8"}}, nil},
		"no such tenant":         {controlplane.EdgePool{Tenants: []string{"acme", "acne"}}, []string{"tenants[1]>"}},
		"host bits":              {controlplane.EdgePool{AllowedUpstreamCIDRs: []string{"10.0.0.1/8"}}, []string{"allowed_upstream_cidrs[0]>10.0.0.0/8"}},
		"a bare address":         {controlplane.EdgePool{AllowedUpstreamCIDRs: []string{"10.0.0.1"}}, []string{"allowed_upstream_cidrs[0]>"}},
		"another spelling":       {controlplane.EdgePool{TrustedProxyCIDRs: []string{"2001:DB8::/32"}}, []string{"trusted_proxy_cidrs[0]>2001:db8::/32"}},
		"IPv4 in IPv6":           {controlplane.EdgePool{TrustedProxyCIDRs: []string{"::ffff:10.0.0.0/104"}}, []string{"trusted_proxy_cidrs[0]>10.0.0.0/8"}},
		"everyone is trusted":    {controlplane.EdgePool{TrustedProxyCIDRs: []string{"0.0.0.0/0"}}, []string{"trusted_proxy_cidrs[0]>"}},
		"everyone, in IPv6":      {controlplane.EdgePool{TrustedProxyCIDRs: []string{"::/0"}}, []string{"trusted_proxy_cidrs[0]>"}},
		"everyone, in the other": {controlplane.EdgePool{TrustedProxyCIDRs: []string{"::ffff:0.0.0.0/96"}}, []string{"trusted_proxy_cidrs[0]>0.0.0.0/0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			violations, err := CheckPool(&tc.pool, exists)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range violations {
				got = append(got, v.Field+">"+v.Suggestion)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := CheckPool(&controlplane.EdgePool{Tenants: []string{"acme"}}, func(string) (bool, error) { return false, errors.New("no database") }); err == nil {
		t.Error("a question without an answer passes")
	}
}

func FuzzCSR(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x30, 0x82, 0x00, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		key, spki, err := parseCSR(der)
		if (err == nil) != (key != nil && len(spki) == 32) {
			t.Errorf("key %v, %d bytes, %v", key, len(spki), err)
		}
		if err != nil && controlplane.KindOf(err) != controlplane.Invalid {
			t.Errorf("not the caller's fault: %v", err)
		}
	})
}
