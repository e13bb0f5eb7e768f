// Package decision says what is decided and why: of a request that somebody might make, by the policy that is there or by
// one that is not applied yet. It asks the evaluator that edges decide with and must never judge by rules of its own, nor
// change anything.
package decision

import (
	"context"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Config is what [New] needs.
type Config struct {
	DB      *store.DB
	Changes *changeset.Service
	Now     func() time.Time
}

// Service answers questions about decisions.
type Service struct{ Config }

// New makes a Service.
func New(config Config) *Service { return &Service{config} }

// site is the tenant as it is, or as it would be with a draft; nil is none.
func (s *Service) site(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, draft *changeset.Set) (*policy.Site, controlplane.Revision, error) {
	if draft != nil {
		resources, revision, err := s.Changes.Preview(ctx, caller, draft)
		if err != nil {
			return nil, revision, err
		}
		return policy.NewSite(resources), revision, nil
	}
	var revision controlplane.Revision
	if err := caller.Enter(scope.UID); err != nil {
		return nil, revision, err
	}
	var resources []*controlplane.Resource
	err := s.DB.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		head := tx.Head()
		revision = head.Revision(controlplane.Config)
		var err error
		resources, err = tx.AllResources(policy.Kinds...)
		return err
	})
	if err != nil {
		return nil, revision, err
	}
	return policy.NewSite(resources), revision, nil
}
