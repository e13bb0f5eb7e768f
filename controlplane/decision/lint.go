package decision

import (
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/lint"
)

// Lint says what a tenant's policy, or a draft of it, can hardly mean.
func (s *Service) Lint(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, draft *changeset.Set) ([]lint.Finding, controlplane.Revision, error) {
	site, revision, err := s.site(ctx, caller, scope, draft)
	if err != nil {
		return nil, revision, err
	}
	give, err := s.lints.Take(ctx, scope.UID)
	if err != nil {
		return nil, revision, err
	}
	defer give()
	found, err := lint.Check(ctx, site, s.Now())
	return found, revision, err
}
