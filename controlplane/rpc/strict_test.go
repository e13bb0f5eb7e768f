package rpc

import (
	"strings"
	"testing"

	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// A list that is there and empty cannot be told from none once it is a message: a rule would be about everybody.
func TestEmptyListsOfRules(t *testing.T) {
	t.Parallel()
	const policy = `{"resources": [{"@type": "type.googleapis.com/sallyport.v1.Policy", "rules": [{"conditions": {%}}]}]}`
	for body, field := range map[string]string{
		strings.Replace(policy, "%", `"source_cidrs": [], "countries": ["DE"]`, 1):            "resources[0].rules[0].conditions.source_cidrs",
		strings.Replace(policy, "%", `"membersOf": [ ]`, 1):                                   "resources[0].rules[0].conditions.members_of",
		strings.Replace(policy, "%", "\"time_windows\": [{\"days\": [\n]}]", 1):               "resources[0].rules[0].conditions.time_windows[0].days",
		strings.Replace(policy, "%", `"countries": ["[]"]`, 1):                                "",
		`{"resources": [{"@type": "type.googleapis.com/sallyport.v1.Grant", "roles": []}]}`:   "resources[0].roles",
		`{"resources": [{"@type": "type.googleapis.com/sallyport.v1.Group", "members": []}]}`: "",
		`{"resources": []}`: "",
	} {
		m := &v1.ApplyRequest{}
		if err := (strictJSON{}).Unmarshal([]byte(body), m); err != nil {
			t.Fatalf("%s: the codec fails by itself: %v", body, err)
		}
		err := refuseUnknown(m)
		if (err == nil) != (field == "") || err != nil && !strings.Contains(err.Error(), field+": an empty list") {
			t.Errorf("%s: refused with %v", body, err)
		}
	}
}
