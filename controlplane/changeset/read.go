package changeset

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Get returns one resource.
func (s *Service) Get(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, kind controlplane.Kind, id string) (*controlplane.Resource, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	var found *controlplane.Resource
	err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		var err error
		found, err = tx.Resource(kind, id)
		return err
	})
	return found, err
}

// List returns up to limit resources of a kind in the order of their ids, from behind after on. With a pool, it is the
// edges of that pool, which must exist.
func (s *Service) List(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, kind controlplane.Kind, pool, after string, limit int) ([]*controlplane.Resource, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, err
	}
	var found []*controlplane.Resource
	err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		var err error
		if pool == "" {
			found, err = tx.Resources(kind, after, limit)
			return err
		}
		if _, err := tx.Resource(controlplane.KindEdgePool, pool); err != nil {
			return err
		}
		found, err = tx.ResourcesIn(kind, pool+"/", after, limit)
		return err
	})
	return found, err
}

// Export returns everything that Apply takes, ordered by kind and id, and the revision that it is the state of.
func (s *Service) Export(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, managedBy string) ([]*controlplane.Resource, controlplane.Revision, error) {
	if err := caller.Enter(scope.UID); err != nil {
		return nil, controlplane.Revision{}, err
	}
	var found []*controlplane.Resource
	var revision controlplane.Revision
	err := s.db.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		all, err := tx.AllResources(Applicable(scope)...)
		head := tx.Head()
		revision = head.Revision(controlplane.Config)
		found = slices.DeleteFunc(all, func(r *controlplane.Resource) bool { return managedBy != "" && r.ManagedBy != managedBy })
		return err
	})
	slices.SortFunc(found, func(a, b *controlplane.Resource) int {
		if a.Kind != b.Kind {
			return strings.Compare(string(a.Kind), string(b.Kind))
		}
		return strings.Compare(a.ID, b.ID)
	})
	return found, revision, err
}

// Applicable returns the kinds that Apply takes and Export gives in a scope.
func Applicable(scope controlplane.Scope) []controlplane.Kind {
	var kinds []controlplane.Kind
	for _, kind := range slices.Sorted(maps.Keys(controlplane.Kinds)) {
		if controlplane.Kinds[kind].Applicable && BelongsTo(kind, scope) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// BelongsTo reports whether resources of the kind can be in the scope. Members and their tokens are in tenants and in the
// platform; everything else is in one or the other.
func BelongsTo(kind controlplane.Kind, scope controlplane.Scope) bool {
	if kind == controlplane.KindMember || kind == controlplane.KindAPIToken {
		return true
	}
	return controlplane.Kinds[kind].Platform == (scope.UID == controlplane.PlatformUID)
}
