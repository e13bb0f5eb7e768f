package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// The vectors were made by another program from the definition; the edge is tested against the same file.
func TestRootVectors(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../proto/sallyport/edge/v1/testdata/roots.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name      string
		Lane      controlplane.Lane
		Resources []struct {
			Kind, ID, UID string
			Revision      int64
			Bytes         []byte
		}
		Root string
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var entries []*Entry
			for _, r := range v.Resources {
				entries = append(entries, &Entry{
					Resource: &edgev1.Resource{Kind: r.Kind, Id: r.ID, Uid: r.UID, Revision: r.Revision, Bytes: r.Bytes},
					sum:      sha256.Sum256(r.Bytes),
				})
			}
			slices.SortFunc(entries, compareEntries)
			if got := hex.EncodeToString(Root(v.Lane, entries)); got != v.Root {
				t.Errorf("root %s, want %s", got, v.Root)
			}
		})
	}
}
