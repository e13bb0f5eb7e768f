package changeset

import (
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Preview returns the resources that decisions are made of, as they would be once a set were brought about, and the
// revision that it was put upon. The set is checked as Apply checks it; nothing is kept, so no role is asked for.
func (s *Service) Preview(ctx context.Context, caller *controlplane.Caller, set *Set) ([]*controlplane.Resource, controlplane.Revision, error) {
	var revision controlplane.Revision
	if err := caller.Enter(set.Scope.UID); err != nil {
		return nil, revision, err
	}
	outside, err := s.lookOutside(ctx, set)
	if err != nil {
		return nil, revision, err
	}
	dry := *set
	dry.ValidateOnly, dry.RequestID, dry.Also = true, "", nil
	dry.ForceReason = "only a preview" // what policy tests say of it is not asked here
	var found []*controlplane.Resource
	err = s.db.Tenant(ctx, set.Scope.UID, func(tx *store.TenantTx) error {
		head := tx.Head()
		revision = head.Revision(controlplane.Config)
		r := &run{tx: tx, caller: caller, set: &dry, trusted: true, outside: outside, sites: s.sites, checkPool: s.checkPool}
		if _, err := r.all(); err != nil {
			return err
		}
		found, err = tx.AllResources(policy.Kinds...)
		return err
	})
	return found, revision, err
}
