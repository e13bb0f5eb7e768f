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
	"github.com/sallyport-iap/sallyport/controlplane/turn"
)

// Config is what [New] needs.
type Config struct {
	DB      *store.DB
	Changes *changeset.Service
	Now     func() time.Time
}

// What is done at a time, of one process and of one tenant. To lint has a core for a second; to explain what was decided
// compiles a whole policy that nobody keeps.
const (
	maxLints      = 2
	maxExplains   = 4
	maxTenantsOwn = 1
)

// Service answers questions about decisions.
type Service struct {
	Config
	lints, explains *turn.Turns
}

// New makes a Service.
func New(config Config) *Service {
	return &Service{
		Config: config, lints: turn.New(turn.Config{What: "lints", All: maxLints, Each: maxTenantsOwn}),
		explains: turn.New(turn.Config{What: "explanations of what was decided", All: maxExplains, Each: maxTenantsOwn}),
	}
}

// site is the tenant as it is, or as it would be with a draft; nil is none.
func (s *Service) site(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, draft *changeset.Set) (site *policy.Site, revision controlplane.Revision, err error) {
	err = s.reading(ctx, caller, scope, draft, func(_ *store.TenantTx, found *policy.Site, at controlplane.Revision) error {
		site, revision = found, at
		return nil
	})
	return site, revision, err
}

// reading runs fn with the tenant as it is, or as it would be with a draft, in one snapshot of the database.
func (s *Service) reading(
	ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, draft *changeset.Set,
	fn func(*store.TenantTx, *policy.Site, controlplane.Revision) error,
) error {
	if draft != nil {
		return s.Changes.Preview(ctx, caller, draft, fn)
	}
	if err := caller.Enter(scope.UID); err != nil {
		return err
	}
	return s.DB.Read(ctx, scope.UID, func(tx *store.TenantTx) error {
		site, err := s.Changes.Site(tx)
		if err != nil {
			return err
		}
		head := tx.Head()
		return fn(tx, site, head.Revision(controlplane.Config))
	})
}
