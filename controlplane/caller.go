package controlplane

// AdminRole is what a member or an API token may do. Values are those of sallyport.v1.AdminRole.
type AdminRole string

const (
	Viewer     AdminRole = "ADMIN_ROLE_VIEWER"
	Auditor    AdminRole = "ADMIN_ROLE_AUDITOR"
	AppManager AdminRole = "ADMIN_ROLE_APP_MANAGER"
	Admin      AdminRole = "ADMIN_ROLE_ADMIN"
	Owner      AdminRole = "ADMIN_ROLE_OWNER"
)

// Kinds of actor.
const (
	APITokenActor  = "apiToken"
	OperatorActor  = "operator"
	EdgeActor      = "edge"
	SystemActor    = "system"
	BootstrapActor = "bootstrap" // makes the first operator and nothing else
)

// Caller is who makes an API request. Every use case takes one, so that none can forget to ask.
type Caller struct {
	Actor     string // a resource name: `tenants/acme/members/ann`, `edgePools/dev/edges/eu-1`
	ActorKind string // one of the kinds of actor
	TenantUID UID    // where it belongs; PlatformUID for operators
	TenantID  string // "" for operators
	Role      AdminRole
	AppLabels map[string]string // for app managers
	IP        string
	RequestID string // of the transport, for the log and the audit
	Method    string // `sallyport.v1.AppService/CreateApp`
}

// Operator reports whether the caller belongs to the platform rather than to a tenant.
func (c *Caller) Operator() bool { return c.TenantUID == PlatformUID }
