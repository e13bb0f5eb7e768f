package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy"
)

// SignInList is a list of required_acr or of required_amr that some rule of a tenant has: one of the two is set.
type SignInList struct{ ACR, AMR []string }

// Key names the list wherever there is no room for it: a cookie, a link. Nil names none.
func (l SignInList) Key() []byte {
	list, kind := l.ACR, "acr"
	if len(l.AMR) > 0 {
		list, kind = l.AMR, "amr"
	}
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.Sort(list)
	var text []byte
	for _, part := range append([]string{kind}, list...) {
		text = append(binary.BigEndian.AppendUint32(text, uint32(len(part))), part...)
	}
	sum := sha256.Sum256(text)
	return sum[:8]
}

// SignInLists are those of all rules, by key. They must not be changed.
func (s *Site) SignInLists() map[string]SignInList { return s.signInLists() }

func signInLists(policies []*policy.Policy) map[string]SignInList {
	lists := map[string]SignInList{}
	for _, p := range policies {
		for i := range p.Rules {
			c := &p.Rules[i].Conditions
			for _, l := range []SignInList{{ACR: c.RequiredACR}, {AMR: c.RequiredAMR}} {
				if key := l.Key(); key != nil {
					lists[string(key)] = l
				}
			}
		}
	}
	return lists
}
