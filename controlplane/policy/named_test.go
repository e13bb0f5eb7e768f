package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// An edge that is not told of a group takes nobody to be in it: a DENY that names it would deny nobody.
func TestGroupsThatExpressionsName(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{
		`"night" in principal.groups`, `"night" in principal . groups`, "\"night\" in principal\n\t.groups",
	} {
		named, _ := policy.GroupsNamed(&controlplane.Policy{Rules: []controlplane.Rule{{Expression: expression}}})
		if diff := cmp.Diff([]string{"night"}, named); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expression, diff)
		}
	}
}
