package controlplane

// Kind names a sort of resource, as in YAML and in Any type names.
type Kind string

const (
	KindTenant           Kind = "Tenant"
	KindIdentityProvider Kind = "IdentityProvider"
	KindApp              Kind = "App"
	KindRole             Kind = "Role"
	KindGroup            Kind = "Group"
	KindPolicy           Kind = "Policy"
	KindGrant            Kind = "Grant"
	KindPolicyTest       Kind = "PolicyTest"
	KindServiceAccount   Kind = "ServiceAccount"
	KindMember           Kind = "Member"
	KindAPIToken         Kind = "ApiToken"
	KindEdgePool         Kind = "EdgePool"
	KindEdge             Kind = "Edge"
)

// Traits is what the generic path needs to know of a kind.
type Traits struct {
	Collection string // the segment of the name: `apps`
	Platform   bool   // lives in the platform, not in a tenant
	Applicable bool   // ConfigService.Apply and Export take it
	New        func() Spec
}

// Kinds holds every kind of resource.
var Kinds = map[Kind]Traits{
	KindTenant:           {Collection: "tenants", Applicable: true, New: func() Spec { return &Tenant{} }},
	KindIdentityProvider: {Collection: "identityProviders", Applicable: true, New: func() Spec { return &IdentityProvider{} }},
	KindApp:              {Collection: "apps", Applicable: true, New: func() Spec { return &App{} }},
	KindRole:             {Collection: "roles", Applicable: true, New: func() Spec { return &Role{} }},
	KindGroup:            {Collection: "groups", Applicable: true, New: func() Spec { return &Group{} }},
	KindPolicy:           {Collection: "policies", Applicable: true, New: func() Spec { return &Policy{} }},
	KindGrant:            {Collection: "grants", Applicable: true, New: func() Spec { return &Grant{} }},
	KindPolicyTest:       {Collection: "policyTests", Applicable: true, New: func() Spec { return &PolicyTest{} }},
	KindServiceAccount:   {Collection: "serviceAccounts", Applicable: true, New: func() Spec { return &ServiceAccount{} }},
	KindMember:           {Collection: "members", Applicable: true, New: func() Spec { return &Member{} }},
	KindAPIToken:         {Collection: "apiTokens", New: func() Spec { return &APIToken{} }},
	KindEdgePool:         {Collection: "edgePools", Platform: true, Applicable: true, New: func() Spec { return &EdgePool{} }},
	KindEdge:             {Collection: "edges", Platform: true, New: func() Spec { return &Edge{} }},
}
