package recorded_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/controlplane/recorded"
)

// What the edge cut from a record is unknown: a DENY of it must not come to nothing.
func TestWhatWasCutIsUnknown(t *testing.T) {
	t.Parallel()
	const event = `{"principal":{"kind":"user","identity_provider":"corp"},"decision":{"facts":{"claim_groups":["a"],"claim_groups_unknown":["c"],"amr":["pwd"],"amr_known":true`
	for end, want := range map[string]struct{ absent, methods []string }{
		`}}}`:                   {[]string{"b"}, []string{"pwd"}},
		`,"incomplete":true}}}`: {},
	} {
		r, err := recorded.Read([]byte(event + end))
		if err != nil {
			t.Fatal(err)
		}
		id := r.Identity([]string{"a", "b", "c"})
		if diff := cmp.Diff(want.absent, id.GroupsAbsent); diff != "" {
			t.Errorf("%s: surely absent (-want +got):\n%s", end, diff)
		}
		if diff := cmp.Diff(want.methods, id.AMR); diff != "" || !cmp.Equal(id.Groups, []string{"a"}) {
			t.Errorf("%s: methods (-want +got):\n%s", end, diff)
		}
	}
}
