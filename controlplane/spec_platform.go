package controlplane

// Tenant is a tenant's own settings. Field meanings: sallyport.v1.Tenant.
type Tenant struct {
	AuthHost string         `json:"auth_host,omitempty"`
	Disabled bool           `json:"disabled,omitempty"`
	Session  *SessionLimits `json:"session,omitempty"`
}

// SessionLimits are lifetimes; nil means the default, or the tenant's.
type SessionLimits struct {
	AbsoluteLifetime *Duration `json:"absolute_lifetime,omitempty"`
	IdleTimeout      *Duration `json:"idle_timeout,omitempty"`
}

// Check says what is wrong with the limits; at is where they are in the request. It is nil-safe.
func (l *SessionLimits) Check(at string) []Violation {
	if l == nil || l.AbsoluteLifetime == nil || l.IdleTimeout == nil || *l.IdleTimeout <= *l.AbsoluteLifetime {
		return nil
	}
	return []Violation{{
		Field: at + ".idle_timeout", Reason: ReasonFieldInvalid,
		Description: "must not be longer than absolute_lifetime",
	}}
}

// References is empty.
func (*Tenant) References() []Reference { return nil }

// EdgePool is edges that serve the same tenants with the same keys. Field meanings: sallyport.v1.EdgePool.
type EdgePool struct {
	Tenants              []string `json:"tenants,omitempty"`
	Login                bool     `json:"login,omitempty"`
	AllowedUpstreamCIDRs []string `json:"allowed_upstream_cidrs,omitempty"`
	TrustedProxyCIDRs    []string `json:"trusted_proxy_cidrs,omitempty"`
}

// References is empty: tenants are not resources of the platform, their existence is checked by the pool's use case.
func (*EdgePool) References() []Reference { return nil }

// Edge is one enrolled edge process. What it last told is kept apart, so that a heartbeat is no change.
type Edge struct {
	Pool     string `json:"pool,omitempty"`
	Disabled bool   `json:"disabled,omitempty"`
}

// References names the pool.
func (e *Edge) References() []Reference { return []Reference{{"pool", KindEdgePool, e.Pool}} }
