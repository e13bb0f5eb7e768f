package exchange

import (
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// Facts are what a decision reads of a caller, as a record can hold it. They are made once per caller and program, and
// must not be changed.
type Facts struct {
	EmailVerified    bool
	EmailDomainOwned bool
	Groups           []string // ids of groups that the caller is in
	GroupsUnknown    []string // and those of which that is unknown
	Claims           []string // values of the provider's groups claim that the caller has, of those that the tenant's groups name
	ClaimsUnknown    []string // and those of which that is unknown
	ACR              string
	AMR              []string // nil is unknown
	Asked            policy.Asked
	Incomplete       bool // something did not fit

	identity policy.Identity
}

// A record has room for so much of each list. All of it together must stay below what the control plane takes, or the
// record is lost; it is far more than what people have.
const (
	maxNames     = 128
	maxNameBytes = 1 << 10
)

func factsOf(id policy.Identity, who *policy.Principal, s *snapshot.Site) *Facts {
	f := &Facts{
		EmailVerified: id.EmailVerified, EmailDomainOwned: id.EmailDomainOwned, Groups: who.Groups(), GroupsUnknown: who.UnknownGroups(),
		Claims: id.Groups, ACR: id.ACR, AMR: id.AMR, Asked: id.Asked, identity: id,
	}
	if id.Kind == policy.Person && !id.GroupsComplete {
		for _, name := range s.ClaimGroups(id.IDP) {
			if !slices.Contains(id.Groups, name) && !slices.Contains(id.GroupsAbsent, name) {
				f.ClaimsUnknown = append(f.ClaimsUnknown, name)
			}
		}
	}
	for _, list := range []*[]string{&f.Groups, &f.GroupsUnknown, &f.Claims, &f.ClaimsUnknown, &f.AMR, &f.Asked.ACR, &f.Asked.AMR} {
		n := fitting(*list)
		f.Incomplete = f.Incomplete || n < len(*list)
		*list = (*list)[:n:n]
	}
	if len(f.ACR) > maxNameBytes {
		f.ACR, f.Incomplete = "", true
	}
	return f
}

// fitting is how many names of a list there is room for.
func fitting(names []string) int {
	left := maxNameBytes
	for i, name := range names {
		if left -= len(name); left < 0 || i == maxNames {
			return i
		}
	}
	return len(names)
}
