package changeset

import (
	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// Kept keeps sites within a limit and returns of which tenants they are, and what they weigh.
func Kept(limit int, of []controlplane.UID, sites []*policy.Site) (tenants map[controlplane.UID]bool, weight int) {
	s := newSites(limit)
	for i, site := range sites {
		s.keep(of[i], keptSite{site: site})
	}
	tenants = map[controlplane.UID]bool{}
	for uid := range s.kept {
		tenants[uid] = true
	}
	return tenants, s.size
}
