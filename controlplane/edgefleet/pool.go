package edgefleet

import (
	"fmt"
	"net/netip"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// CheckPool says what is wrong with a pool beyond its shape. Every write of a pool passes through it.
func CheckPool(pool *controlplane.EdgePool, tenantExists func(id string) (bool, error)) ([]controlplane.Violation, error) {
	var violations []controlplane.Violation
	for i, id := range pool.Tenants {
		ok, err := tenantExists(id)
		if err != nil {
			return nil, err
		}
		if !ok {
			violations = append(violations, controlplane.Violation{
				Field: fmt.Sprintf("tenants[%d]", i), Reason: controlplane.ReasonReferenceNotFound,
				Description: fmt.Sprintf("tenant %q does not exist", id),
			})
		}
	}
	violations = append(violations, checkNetworks("allowed_upstream_cidrs", pool.AllowedUpstreamCIDRs)...)
	violations = append(violations, checkNetworks("trusted_proxy_cidrs", pool.TrustedProxyCIDRs)...)
	for i, text := range pool.TrustedProxyCIDRs {
		// Believing everyone's X-Forwarded-For is believing no address at all.
		if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Bits() == 0 {
			violations = append(violations, controlplane.Violation{
				Field: fmt.Sprintf("trusted_proxy_cidrs[%d]", i), Reason: controlplane.ReasonFieldInvalid,
				Description: "everyone cannot be a trusted proxy",
			})
		}
	}
	return violations, nil
}

func checkNetworks(field string, networks []string) []controlplane.Violation {
	var violations []controlplane.Violation
	for i, text := range networks {
		at := fmt.Sprintf("%s[%d]", field, i)
		prefix, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			violations = append(violations, controlplane.Violation{
				Field: at, Reason: controlplane.ReasonFieldInvalid, Description: fmt.Sprintf("%q is not a network such as 10.0.0.0/8", text),
			})
		case prefix.Addr().Is4In6() || prefix.Masked().String() != text:
			violations = append(violations, controlplane.Violation{
				Field: at, Reason: controlplane.ReasonFieldInvalid,
				Description: fmt.Sprintf("%q is not in its one spelling", text), Suggestion: canonical(prefix),
			})
		}
	}
	return violations
}

func canonical(prefix netip.Prefix) string {
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked().String()
}
