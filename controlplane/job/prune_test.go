package job

import (
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// As long as TLS lets a certificate of a deleted edge in, it has to be told that it was deleted: to one that is merely not
// known, it might be our mistake.
func TestDeletedEdgesAreRemembered(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Now()
	for name, tc := range map[string]struct {
		edge store.Edge
		want bool
	}{
		"a week ago":                     {store.Edge{LeftHow: "deleted", LeftTime: now.Add(-8 * day)}, false},
		"its last certificate may renew": {store.Edge{LeftHow: "deleted", LeftTime: now.Add(-31 * day)}, false},
		"no certificate is good":         {store.Edge{LeftHow: "deleted", LeftTime: now.Add(-32 * day)}, true},
		"its keys are still in use":      {store.Edge{LeftHow: "deleted", LeftTime: now.Add(-90 * day), KeysDue: dueRotate}, false},
		"it is disabled":                 {store.Edge{LeftHow: "disabled", LeftTime: now.Add(-90 * day)}, false},
		"it is there":                    {store.Edge{}, false},
	} {
		if got := forgettable(tc.edge, now); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
