package policy

// Limits of what can be written. Whatever costs more than its size (memory of
// the program, time to compile it, time to decide) has a limit here, and a
// problem that names the limit; how many resources a tenant has is for the
// control plane to say.
const (
	maxRules      = 1000 // of a policy
	maxPrincipals = 256  // of a rule, a grant or an exemption
	maxOperations = 256  // named by a rule, a grant or a role; and as many roles
	maxLabels     = 16   // that a guard-rail selects by, with as many values as principals
	maxExemptions = 256
	maxExemptApps = 1000
	maxText       = 1024 // bytes of a description or a remediation
	maxName       = 320  // bytes of what names somebody or something

	maxAppOperations = 1000
	// SHADOW policies that reach an app: each decides every request of it once
	// more, and has some 200 bytes of its record.
	maxShadows = 16

	// Of one decision: what all rules of an operation could cost together, and the
	// enforced ones again beside each SHADOW policy. The units are those of
	// expressions, 50 ns at most, so that this is 5 ms, and 30 ms of patterns made
	// for it. 100 rules that make ten comparisons each cost some 2,000.
	maxWork = 100_000

	// Of one tenant.
	maxTenantNetworks    = 100_000
	maxTenantWindows     = 10_000
	maxTenantExpressions = 10_000
	// Bytes of all expressions: compiling a KiB takes up to 2 ms.
	maxTenantExpressionBytes = 2_000_000
	// Principals of rules, counted once for each operation of each app that the
	// rule is attached to, and names of roles and operations, counted once for each
	// app; those in a role once for all rules that name it. 10,000 apps of 3
	// operations with 10 rules are some 400,000.
	maxTenantPlacements = 10_000_000
)

// usage is what counts towards the limits of a tenant.
type usage struct{ networks, windows, expressions, expressionBytes, placements int }

func (u usage) plus(v usage) usage {
	return usage{
		u.networks + v.networks, u.windows + v.windows, u.expressions + v.expressions, u.expressionBytes + v.expressionBytes,
		u.placements + v.placements,
	}
}

func (u usage) minus(v usage) usage {
	return u.plus(usage{-v.networks, -v.windows, -v.expressions, -v.expressionBytes, -v.placements})
}

// exceeded says in words which limit is exceeded, or "".
func (u usage) exceeded() string {
	switch {
	case u.networks > maxTenantNetworks:
		return "all policies together have at most 100,000 source_cidrs"
	case u.windows > maxTenantWindows:
		return "all policies together have at most 10,000 time_windows"
	case u.expressions > maxTenantExpressions:
		return "all policies together have at most 10,000 expressions"
	case u.expressionBytes > maxTenantExpressionBytes:
		return "all expressions together have at most 2,000,000 bytes"
	case u.placements > maxTenantPlacements:
		return "all rules together have at most 10,000,000 principals, counted for each operation of each app, and names of roles and operations, counted for each app"
	}
	return ""
}
