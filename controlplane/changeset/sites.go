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
	size  int // resources in all that are kept
}

type keptSite struct {
	site     *policy.Site
	revision int64
	chain    []byte
	used     int64
}

// maxKept bounds what is kept by the number of resources: about as many as one large tenant and some hundred small ones.
const maxKept = 60_000

func newSites() *sites { return &sites{kept: map[controlplane.UID]keptSite{}} }

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
		s.size -= old.site.Size()
	}
	s.kept[tenant] = k
	s.size += k.site.Size()
	for s.size > maxKept && len(s.kept) > 1 {
		oldest := tenant
		for uid, other := range s.kept {
			if other.used < s.kept[oldest].used {
				oldest = uid
			}
		}
		s.size -= s.kept[oldest].site.Size()
		delete(s.kept, oldest)
	}
}

// Site is a tenant's policy as the transaction sees it, compiled. The transaction must not have written.
func (s *Service) Site(tx *store.TenantTx) (*policy.Site, error) { return s.sites.at(tx) }
