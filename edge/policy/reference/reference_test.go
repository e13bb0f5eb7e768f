package reference

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
)

var tables = []string{"scope.txt", "conditions.txt", "expressions.txt", "procedure.txt", "rails.txt", "peers.txt"}

func TestTables(t *testing.T) {
	t.Parallel()
	cases, err := policytest.Load(os.DirFS("../testdata"), tables...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		want := c.Want
		want.ValidUntil = time.Time{} // not said by the reference
		if diff := cmp.Diff(want, r.Decide(c.World, &c.Request)); diff != "" {
			t.Errorf("%s:%d (%s): -want +got\n%s", c.File, c.Line, c.Text, diff)
		}
		if diff := cmp.Diff(c.Shadow, r.Shadow(c.World, &c.Request)); diff != "" {
			t.Errorf("%s:%d (%s): shadow: -want +got\n%s", c.File, c.Line, c.Text, diff)
		}
	}
	t.Logf("%d cases", len(cases))
}

// What checks has to be checked by reading.
func TestIsShort(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"procedure.go", "clause.go", "who.go", "world.go"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(data), "\n"); lines > 200 {
			t.Errorf("%s has %d lines", file, lines)
		}
	}
}
