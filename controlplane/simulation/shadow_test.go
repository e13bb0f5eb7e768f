package simulation_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane/simulation"
)

// A request that no route takes is refused after the rules have allowed it: a policy that allows it too gives nobody
// anything, and one that does not takes no access away.
func TestShadowOfWhatHasNoRoute(t *testing.T) {
	t.Parallel()
	type counts struct{ unchanged, gains, losses, changes int64 }
	for _, c := range []struct {
		outcome, reason, would string
		want                   counts
	}{
		{"REFUSED", "route.none", "ALLOW", counts{unchanged: 1}},
		{"REFUSED", "route.none", "DENY", counts{changes: 1}},
		{"DENY", "deny.default", "ALLOW", counts{gains: 1}},
		{"ALLOW", "allow.rule", "DENY", counts{losses: 1}},
		{"ALLOW", "allow.rule", "ALLOW", counts{unchanged: 1}},
	} {
		event := fmt.Sprintf(`{"time":"2026-11-23T12:00:00Z","app":"wiki","principal":{"kind":"user","subject":"user:1"},"request":{"method":"GET","host":"h","path":"/"},`+
			`"decision":{"outcome":%q,"reason":%q,"facts":{},"shadow":[{"policy":"office","outcome":%q}]}}`, c.outcome, c.reason, c.would)
		s, err := simulation.Shadowed("office", []byte(event))
		if err != nil {
			t.Fatal(err)
		}
		got := counts{unchanged: s.Unchanged, gains: s.Gains.Events, losses: s.Losses.Events}
		for _, change := range s.Changes {
			got.changes += change.Events
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(counts{})); diff != "" {
			t.Errorf("%s %s, would %s (-want +got):\n%s", c.outcome, c.reason, c.would, diff)
		}
	}
}
