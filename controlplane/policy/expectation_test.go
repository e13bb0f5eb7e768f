package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// To say why costs far more than to decide, and a write runs all tests.
func TestFewFailingTestsSayWhy(t *testing.T) {
	t.Parallel()
	specs := map[string]controlplane.Spec{"wiki": &controlplane.App{Hosts: []string{"wiki.acme.test"}, Routes: []controlplane.Route{{Path: "/**"}}}}
	for n := range 100 {
		specs[fmt.Sprintf("t%d", n)] = &controlplane.PolicyTest{
			Principal: &controlplane.TestPrincipal{Anonymous: true}, Request: &controlplane.TestRequest{App: "wiki"},
			Expect: &controlplane.TestExpectation{Outcome: "OUTCOME_ALLOW"},
		}
	}
	why := 0
	for _, r := range policy.NewSite(resources(specs)).Run() {
		if r.Passed || !strings.Contains(r.Explanation, "expected ALLOW") {
			t.Fatalf("got %+v", r)
		}
		if strings.Contains(r.Explanation, "\n") {
			why++
		}
	}
	if why != 20 {
		t.Errorf("%d of 100 failing tests say why", why)
	}
}
