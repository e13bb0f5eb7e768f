package snapshot

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Both planes are tested with these vectors: a root that only one of them computes stops every update.
func TestRoots(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../proto/sallyport/edge/v1/testdata/roots.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Lane, Root string
		Resources        []struct {
			Kind, ID, UID string
			Revision      int64
			Bytes         []byte
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) == 0 {
		t.Fatal(err, len(vectors))
	}
	for _, v := range vectors {
		lane := edgev1.Lane_LANE_CONFIG
		if v.Lane == "urgent" {
			lane = edgev1.Lane_LANE_URGENT
		}
		var resources []*resource
		for _, r := range v.Resources {
			resources = append(resources, newResource(lane, &edgev1.Resource{Kind: r.Kind, Id: r.ID, Uid: r.UID, Revision: r.Revision, Bytes: r.Bytes}))
		}
		slices.SortFunc(resources, func(a, b *resource) int { return a.key().compare(b.key()) })
		if got := root(resources); hex.EncodeToString(got[:]) != v.Root {
			t.Errorf("%s: got %x, want %s", v.Name, got, v.Root)
		}
	}
}
