package changeset_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/changeset"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// naming is a policy whose only rule names so many people.
func naming(people int) *policy.Site {
	rule := controlplane.Rule{ID: "r", Effect: "EFFECT_ALLOW", Operations: []string{"read"}}
	for i := range people {
		rule.Principals = append(rule.Principals, fmt.Sprintf("user:somebody-%d@acme.test", i))
	}
	return policy.NewSite([]*controlplane.Resource{{Kind: controlplane.KindPolicy, ID: "p", Spec: &controlplane.Policy{Apps: []string{"wiki"}, Rules: []controlplane.Rule{rule}}}})
}

// What is kept is bounded by what it takes, and not by how many resources it is in.
func TestWhatIsKeptIsBoundedByWhatItTakes(t *testing.T) {
	t.Parallel()
	small, large, huge := naming(1), naming(100), naming(10_000)
	if got := large.Weight(); got < 100*100 || got > 100*400 {
		t.Fatalf("100 people weigh %d bytes", got)
	}
	limit := 2*large.Weight() + small.Weight()
	of := []controlplane.UID{"a", "b", "c", "d", "c", "huge", "c"}
	kept, weight := changeset.Kept(limit, of, []*policy.Site{large, large, large, small, large, huge, small})
	if diff := cmp.Diff(map[controlplane.UID]bool{"b": true, "c": true, "d": true}, kept); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := large.Weight() + 2*small.Weight(); weight != want {
		t.Errorf("they weigh %d, want %d", weight, want)
	}
}
