package changeset

import (
	"context"
	"maps"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Preview runs fn with the tenant's policy as it would be once a set were brought about, and the revision that it was put
// upon. The set is checked as Apply checks it, but for what only writing can tell: whether another tenant has a host.
// Nothing is written, so no role is asked for, and no writer is kept waiting.
func (s *Service) Preview(
	ctx context.Context, caller *controlplane.Caller, set *Set, fn func(*store.TenantTx, *policy.Site, controlplane.Revision) error,
) error {
	if err := caller.Enter(set.Scope.UID); err != nil {
		return err
	}
	give, err := s.previews.Take(ctx, set.Scope.UID)
	if err != nil {
		return err
	}
	defer give()
	outside, err := s.lookOutside(ctx, set)
	if err != nil {
		return err
	}
	return s.db.Read(ctx, set.Scope.UID, func(tx *store.TenantTx) error {
		head := tx.Head()
		site, err := s.sites.at(tx)
		if err != nil {
			return err
		}
		dry := *set
		dry.ForceReason = "only a preview" // what policy tests say of it is not asked here
		r := s.run(tx, caller, &dry)
		r.outside = outside
		if err := r.preview(); err != nil {
			return err
		}
		if r.after != nil {
			site = r.after
		}
		return fn(tx, site, head.Revision(controlplane.Config))
	})
}

// preview checks a set without writing it.
func (r *run) preview() error {
	for _, step := range []func() error{r.load, r.plan, r.prune, r.checkEach, r.remember, r.checkAll, r.hosts} {
		if err := step(); err != nil {
			return err
		}
		if len(r.violations) > 0 {
			return controlplane.InvalidFields(r.violations...)
		}
	}
	return nil
}

// hosts refuses those that something else in the tenant has, as the store does when a set is written.
func (r *run) hosts() error {
	wanted, changed := map[string]bool{}, map[controlplane.UID]bool{}
	for _, c := range r.changes {
		if c.before != nil {
			changed[c.before.UID] = true // what it has, it leaves or asks for again
		}
		for _, host := range hostsOf(c.after) {
			if wanted[host] {
				return r.hostTaken(host)
			}
			wanted[host] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	owners, err := r.tx.HostOwners(slices.Sorted(maps.Keys(wanted)))
	if err != nil {
		return err
	}
	for _, host := range slices.Sorted(maps.Keys(owners)) {
		if !changed[owners[host]] {
			return r.hostTaken(host)
		}
	}
	return nil
}

func (r *run) hostTaken(host string) error {
	return placeHost(store.HostTaken(host), r.set, &Result{Resources: r.resources})
}

func hostsOf(r *controlplane.Resource) []string {
	if app := specOf[*controlplane.App](r); app != nil {
		return app.Hosts
	}
	if tenant := specOf[*controlplane.Tenant](r); tenant != nil && tenant.AuthHost != "" {
		return []string{tenant.AuthHost}
	}
	return nil
}
