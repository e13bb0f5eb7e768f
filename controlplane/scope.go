package controlplane

// Scope is the tenant that a request is about, found by its name and open to the caller.
type Scope struct {
	UID UID
	ID  string // "" for the platform
}

// Parent is the name that the scope's resources live below.
func (s Scope) Parent() string {
	if s.UID == PlatformUID {
		return PlatformParent
	}
	return "tenants/" + s.ID
}

// Name returns the name of one of the scope's resources.
func (s Scope) Name(kind Kind, id string) string {
	return Name{Tenant: s.ID, Kind: kind, ID: id}.String()
}

// TokenName returns the name of a service account's token, which is no resource of its own.
func (s Scope) TokenName(account, id string) string {
	return s.Name(KindServiceAccount, account) + "/tokens/" + id
}
