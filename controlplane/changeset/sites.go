package changeset

import (
	"sync"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// sites keeps the policies of the tenants that were written to last, compiled: a write to a large tenant then costs what
// it changes. A site is only ever what was committed, at a point of the tenant's history that its chain proves; from
// there the rows that changed since bring it to where a transaction is. To lose it costs time and nothing else.
type sites struct {
	mu    sync.Mutex
	kept  map[controlplane.UID]keptSite
	clock int64
	limit int // weight of all that are kept, in bytes
	size  int
}

type keptSite struct {
	site     *policy.Site
	revision int64
	chain    []byte
	used     int64
	weight   int
}

// maxKept bounds what is kept, in bytes: about as much as two large tenants and a thousand small ones. A tenant that has
// more alone is compiled anew by each write.
const maxKept = 256 << 20

func newSites(limit int) *sites {
	return &sites{kept: map[controlplane.UID]keptSite{}, limit: limit}
}

// at returns the site of the transaction's tenant as it was before the transaction, which must not have written yet.
func (s *sites) at(tx *store.TenantTx) (*policy.Site, error) {
	head := tx.Head()
	s.mu.Lock()
	have, ok := s.kept[head.TenantUID]
	s.mu.Unlock()
	if ok {
		since, err := tx.ResourcesSince(have.revision, have.chain, policy.Kinds...)
		if err != nil {
			return nil, err
		}
		if since != nil {
			var gone []policy.Key
			for _, r := range since.Removed {
				gone = append(gone, policy.Key{Kind: r.Kind, ID: r.ID})
			}
			have.site = have.site.With(since.Changed, gone)
		} else {
			ok = false
		}
	}
	if !ok {
		all, err := tx.AllResources(policy.Kinds...)
		if err != nil {
			return nil, err
		}
		have.site = policy.NewSite(all)
	}
	s.keep(head.TenantUID, keptSite{site: have.site, revision: head.Config, chain: head.ConfigChain})
	return have.site, nil
}

func (s *sites) keep(tenant controlplane.UID, k keptSite) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	k.used = s.clock
	if old, ok := s.kept[tenant]; ok {
		if k.weight = old.weight; old.site != k.site {
			k.weight = k.site.Weight()
		}
		s.drop(tenant)
	} else {
		k.weight = k.site.Weight()
	}
	if k.weight > s.limit {
		return
	}
	s.kept[tenant] = k
	s.size += k.weight
	for s.size > s.limit {
		oldest := tenant
		for uid, other := range s.kept {
			if other.used < s.kept[oldest].used {
				oldest = uid
			}
		}
		s.drop(oldest)
	}
}

func (s *sites) drop(tenant controlplane.UID) {
	s.size -= s.kept[tenant].weight
	delete(s.kept, tenant)
}

// Site is a tenant's policy as the transaction sees it, compiled. The transaction must not have written.
func (s *Service) Site(tx *store.TenantTx) (*policy.Site, error) { return s.sites.at(tx) }
