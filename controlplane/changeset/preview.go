package changeset

import (
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Preview runs fn with the tenant's policy as it would be once a set were brought about, and the revision that it was put
// upon. The set is checked as Apply checks it; nothing is kept, so no role is asked for.
func (s *Service) Preview(
	ctx context.Context, caller *controlplane.Caller, set *Set, fn func(*store.TenantTx, *policy.Site, controlplane.Revision) error,
) error {
	if err := caller.Enter(set.Scope.UID); err != nil {
		return err
	}
	outside, err := s.lookOutside(ctx, set)
	if err != nil {
		return err
	}
	dry := *set
	dry.ValidateOnly, dry.RequestID, dry.Also = true, "", nil
	dry.ForceReason = "only a preview" // what policy tests say of it is not asked here
	return s.db.Tenant(ctx, set.Scope.UID, func(tx *store.TenantTx) error {
		head := tx.Head()
		site, err := s.sites.at(tx)
		if err != nil {
			return err
		}
		r := &run{tx: tx, caller: caller, set: &dry, trusted: true, outside: outside, sites: s.sites, checkPool: s.checkPool}
		if _, err := r.all(); err != nil {
			return err
		}
		if r.after != nil {
			site = r.after
		}
		return fn(tx, site, head.Revision(controlplane.Config))
	})
}
