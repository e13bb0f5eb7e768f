package recorded

import (
	"testing"

	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// What an edge cut is unknown, and not what is left of it.
func TestWhatWasCutIsUnknown(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]string{
		`{"request": {"path": "/a"}, "decision": {"facts": {}}}`:                                                                 "/a",
		`{"request": {"path": "/a"}, "decision": {"facts": {"incomplete": true}}}`:                                               "/a",
		`{"request": {"path": "/a…sha256:0123456789abcdef01234567"}, "decision": {"facts": {"incomplete": true}}}`:               "",
		`{"request": {"path": "/a…sha256:0123456789abcdef01234567"}, "decision": {"facts": {}}}`:                                 "/a…sha256:0123456789abcdef01234567",
		`{"request": {"path": "/a"}, "decision": {"facts": {"path": "/b…sha256:0123456789abcdef01234567", "incomplete": true}}}`: "",
	} {
		r, err := Read([]byte(event))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Ask().Path; got != want {
			t.Errorf("%s: asked for %q", event, got)
		}
		r.Principal.Kind = "user"
		id := r.Identity([]string{"admins"})
		if id.Kind != engine.Person || (len(id.GroupsAbsent) > 0) == r.Decision.Facts.Incomplete {
			t.Errorf("%s: surely without %q", event, id.GroupsAbsent)
		}
	}
}
