// Package member holds the rules about administrators and their API tokens: who may make, change or remove whom. It is
// pure; package changeset asks it about every member and token that is written, by whatever way.
package member

import (
	"net/mail"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Check says what is wrong with a member; fields are paths in it.
func Check(m *controlplane.Member) []controlplane.Violation {
	if m.Email == "" {
		return nil
	}
	if a, err := mail.ParseAddress(m.Email); err != nil || a.Address != m.Email {
		return []controlplane.Violation{{Field: "email", Description: "must be an e-mail address", Reason: controlplane.ReasonFieldInvalid}}
	}
	return nil
}

// MayWrite refuses a change of a member by a caller whose role is less than the member's, before or after: nobody makes,
// changes or removes somebody above themselves. before or after is nil where there is none.
func MayWrite(c *controlplane.Caller, before, after *controlplane.Member) error {
	for _, m := range []*controlplane.Member{before, after} {
		if m != nil && m.Role.Exceeds(c.Role) {
			return aboveCaller(m.Role)
		}
	}
	return nil
}

// MayWriteToken refuses a token that could do more than the caller, or that acts in the name of a member above the caller.
func MayWriteToken(c *controlplane.Caller, token *controlplane.APIToken, of *controlplane.Member) error {
	if token.Role.Exceeds(c.Role) {
		return aboveCaller(token.Role)
	}
	if of != nil && of.Role.Exceeds(c.Role) {
		return aboveCaller(of.Role)
	}
	return nil
}

func aboveCaller(role controlplane.AdminRole) error {
	return &controlplane.Error{
		Kind: controlplane.Denied, Reason: controlplane.ReasonRoleRequired,
		Message: "nobody grants or takes more than their own role", Metadata: map[string]string{"role": string(role)},
	}
}

// KeepOwner refuses a change that leaves nobody who can undo it: owners is how many there are afterwards.
func KeepOwner(owners int) error {
	if owners > 0 {
		return nil
	}
	return &controlplane.Error{
		Kind: controlplane.Precondition, Reason: controlplane.ReasonLastOwner,
		Message: "there must be an owner: make another one first",
	}
}
