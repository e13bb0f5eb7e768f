package session

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sort"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

const (
	// MaxGroups is how many claim groups of a person are kept; what a provider says beyond is unknown.
	MaxGroups = 2000
	// groupHash is long enough that nobody finds a second group name for a hash that a policy asks about.
	groupHash = 12
	// maxTicketGroups keeps the longest ticket below maxCookie with room for the longest e-mail address and name.
	maxTicketGroups = 128
)

func hashGroup(tenant, idp, name string) []byte {
	sum := sha256.Sum256(AssociatedData("group", tenant, idp, name))
	return sum[:groupHash]
}

func hashGroups(tenant, idp string, names []string) []byte {
	hashes := make([][]byte, 0, len(names))
	for _, n := range names {
		hashes = append(hashes, hashGroup(tenant, idp, n))
	}
	slices.SortFunc(hashes, bytes.Compare)
	return bytes.Join(slices.CompactFunc(hashes, bytes.Equal), nil)
}

func hasGroup(set, hash []byte) bool {
	n := len(set) / groupHash
	at := func(i int) []byte { return set[i*groupHash : (i+1)*groupHash] }
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), hash) >= 0 })
	return i < n && bytes.Equal(at(i), hash)
}

// groupsOf says which of the groups that the tenant's policies mention the person is in. If the claim groups are not all
// known, the rest is split into those that are known to be absent and those that are not listed at all: unknown.
func groupsOf(tenant string, s *edgev1.PersonSession, mentioned []string) (in []string, complete bool, absent []string) {
	for _, name := range mentioned {
		h := hashGroup(tenant, s.IdpUid, name)
		switch {
		case hasGroup(s.Groups, h):
			in = append(in, name)
		case s.GroupsOverflow && hasGroup(s.GroupsAbsent, h):
			absent = append(absent, name)
		}
	}
	return in, !s.GroupsOverflow, absent
}

// forTicket is the session as a cookie can hold it. With more groups than fit, it keeps what the policies of today ask
// about, both ways, and says that it does not know the rest.
func forTicket(tenant string, s *edgev1.PersonSession, mentioned []string) *edgev1.PersonSession {
	if len(s.Groups) <= maxTicketGroups*groupHash {
		return s
	}
	cut := clone(s)
	cut.Groups, cut.GroupsAbsent, cut.GroupsOverflow = nil, nil, true
	var in, out []string
	for _, name := range mentioned {
		if len(in)+len(out) == maxTicketGroups {
			break
		}
		if h := hashGroup(tenant, s.IdpUid, name); hasGroup(s.Groups, h) {
			in = append(in, name)
		} else if !s.GroupsOverflow {
			out = append(out, name)
		}
	}
	cut.Groups, cut.GroupsAbsent = hashGroups(tenant, s.IdpUid, in), hashGroups(tenant, s.IdpUid, out)
	return cut
}

// Portable is a Session as a link can carry it to another host.
func Portable(site *snapshot.Site, s *edgev1.PersonSession) *edgev1.PersonSession {
	var mentioned []string
	if provider := site.Provider(s.GetIdpUid()); provider != nil {
		mentioned = site.ClaimGroups(provider.ID)
	}
	return forTicket(site.TenantUID, s, mentioned)
}
