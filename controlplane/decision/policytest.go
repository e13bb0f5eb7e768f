package decision

import (
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// Test runs all policy tests, on what is there or on a draft: the same that a write of it would be held against.
func (s *Service) Test(ctx context.Context, caller *controlplane.Caller, scope controlplane.Scope, draft *changeset.Set) ([]policy.TestResult, controlplane.Revision, error) {
	site, revision, err := s.site(ctx, caller, scope, draft)
	if err != nil {
		return nil, revision, err
	}
	return site.Run(), revision, nil
}
