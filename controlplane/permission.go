package controlplane

import "slices"

// Permission is one thing that an admin role allows. RPCs and the items of a change set ask for permissions, never for
// roles, so that what a role means is said in one place: [AdminRole.Can].
type Permission string

// The permissions.
const (
	ReadConfiguration  Permission = "read-configuration"
	ReadActivity       Permission = "read-activity" // who did what: access events, admin changes, people's sessions
	WriteApps          Permission = "write-apps"    // apps and their policies; for app managers, those with their labels
	WriteConfiguration Permission = "write-configuration"
	WriteMembers       Permission = "write-members" // members and their tokens, up to the caller's own role
	Revoke             Permission = "revoke"        // ends what is signed in or handed out
)

// ranks orders roles by how much they can grant: nobody grants more than their own.
var ranks = []AdminRole{Viewer, Auditor, AppManager, Admin, Owner}

// grants is the role table.
var grants = map[AdminRole][]Permission{
	Viewer:     {ReadConfiguration},
	Auditor:    {ReadConfiguration, ReadActivity},
	AppManager: {ReadConfiguration, WriteApps},
	Admin:      {ReadConfiguration, ReadActivity, WriteApps, WriteConfiguration, WriteMembers, Revoke},
	Owner:      {ReadConfiguration, ReadActivity, WriteApps, WriteConfiguration, WriteMembers, Revoke},
}

// Can reports whether the role allows p. A role that is unknown allows nothing.
func (r AdminRole) Can(p Permission) bool { return slices.Contains(grants[r], p) }

// Exceeds reports whether r may grant more than other. An unknown role exceeds every known one, so that it is never
// granted by mistake.
func (r AdminRole) Exceeds(other AdminRole) bool {
	rank := slices.Index(ranks, r)
	return rank < 0 || rank > slices.Index(ranks, other)
}

// Lesser returns the one of two roles that can do less: what a token of a member may do.
func Lesser(a, b AdminRole) AdminRole {
	if a.Exceeds(b) {
		return b
	}
	return a
}

// RoleError refuses for want of a permission and names the least role that has it.
func RoleError(p Permission) *Error {
	for _, role := range ranks {
		if role.Can(p) {
			return &Error{
				Kind: Denied, Reason: ReasonRoleRequired,
				Message:  "the role " + string(role) + " is required",
				Metadata: map[string]string{"role": string(role)},
			}
		}
	}
	return OperatorError()
}

// OperatorError refuses what only the operator of the service may do.
func OperatorError() *Error {
	return &Error{
		Kind: Denied, Reason: ReasonRoleRequired, Message: "only an operator of the service may do this",
		Metadata: map[string]string{"role": "OPERATOR"},
	}
}

// Require returns an error unless the caller's role allows p.
func (c *Caller) Require(p Permission) error {
	if c.Role.Can(p) {
		return nil
	}
	return RoleError(p)
}

// Enter returns [NotFoundError] unless the caller belongs to the tenant or is an operator. Services ask it first, so that
// a mistake in a handler is not a way over the wall. The bootstrap token belongs to the platform but is no operator: what
// it would make in a tenant outlives it, because only the first operator's token uses it up.
func (c *Caller) Enter(tenant UID) error {
	if (c.Operator() && c.ActorKind != BootstrapActor) || (c.TenantUID == tenant && tenant != "") {
		return nil
	}
	return NotFoundError()
}
