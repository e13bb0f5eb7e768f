package changeset

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDifferences(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"nothing":                  {`{"a":"x"}`, `{"a":"x"}`, nil},
		"a value":                  {`{"a":"x"}`, `{"a":"y"}`, []string{"a"}},
		"another type":             {`{"a":"x"}`, `{"a":{"b":"x"}}`, []string{"a"}},
		"a list for a value":       {`{"a":"x"}`, `{"a":["x"]}`, []string{"a"}},
		"something new":            {`{}`, `{"a":false}`, []string{"a"}},
		"something gone":           {`{"a":{"b":"x"}}`, `{}`, []string{"a"}},
		"inside":                   {`{"a":{"b":"x","c":"x"}}`, `{"a":{"b":"x","c":"y"}}`, []string{"a.c"}},
		"a list in another order":  {`{"a":["x","y"]}`, `{"a":["y","x"]}`, nil},
		"a list with more":         {`{"a":["x"]}`, `{"a":["x","y"]}`, []string{"a"}},
		"a list with one twice":    {`{"a":["x","y","y"]}`, `{"a":["x","x","y"]}`, []string{"a"}},
		"objects in another order": {`{"a":[{"b":"x"},{"b":"y","c":["1","2"]}]}`, `{"a":[{"c":["2","1"],"b":"y"},{"b":"x"}]}`, nil},
		"one rule":                 {`{"rules":[{"id":"p","x":"1"},{"id":"q","x":"1"}]}`, `{"rules":[{"id":"q","x":"2"},{"id":"p","x":"1"}]}`, []string{"rules[0].x"}},
		"one rule more":            {`{"rules":[{"id":"p"}]}`, `{"rules":[{"id":"p"},{"id":"q"}]}`, []string{"rules"}},
		"one rule less":            {`{"rules":[{"id":"p"},{"id":"q"}]}`, `{"rules":[{"id":"p"}]}`, []string{"rules"}},
		"one more, another edited": {`{"rules":[{"id":"p","x":"1"}]}`, `{"rules":[{"id":"q"},{"id":"p","x":"2"}]}`, []string{"rules", "rules[1].x"}},
		"one less, another edited": {`{"rules":[{"id":"q"},{"id":"p","x":"1"}]}`, `{"rules":[{"id":"p","x":"2"}]}`, []string{"rules", "rules[0].x"}},
		"a rule renamed":           {`{"rules":[{"id":"p"}]}`, `{"rules":[{"id":"q"}]}`, []string{"rules"}},
		"rules twice":              {`{"rules":[{"id":"p"},{"id":"p","x":"1"}]}`, `{"rules":[{"id":"p","x":"1"},{"id":"p"}]}`, nil},
		"a route":                  {`{"routes":[{"path":"/a","t":"1"}]}`, `{"routes":[{"path":"/a","t":"2"}]}`, []string{"routes[0].t"}},
		"texts that look alike":    {`{"a":["1"]}`, `{"a":[1]}`, []string{"a"}},
		"true and its name":        {`{"a":[true]}`, `{"a":["true"]}`, []string{"a"}},
		"lists in lists":           {`{"a":[["x","y"],["z"]]}`, `{"a":[["z"],["y","x"]]}`, nil},
		"lists cut otherwise":      {`{"a":[["x","y"],["z"]]}`, `{"a":[["x"],["y","z"]]}`, []string{"a"}},
	} {
		got, err := Differences(json.RawMessage(c.before), json.RawMessage(c.after))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		back, err := Differences(json.RawMessage(c.after), json.RawMessage(c.before))
		if err != nil || (len(back) == 0) != (len(got) == 0) {
			t.Errorf("%s: there %v, and back %v", name, got, back)
		}
	}
}

// Of any two documents: equal in meaning if one is the other with its lists shuffled, and never a panic.
func FuzzDifferences(f *testing.F) {
	f.Add([]byte(`{"rules":[{"id":"p","x":["1","2"]},{"id":"q"}]}`), []byte(`{"rules":{"id":"p"}}`), uint64(1))
	f.Add([]byte(`{"a":[[1],{"path":"/"},null]}`), []byte(`{"a":null}`), uint64(2))
	f.Fuzz(func(t *testing.T, one, two []byte, seed uint64) {
		var a, b, shuffled map[string]any
		if json.Unmarshal(one, &a) != nil || json.Unmarshal(two, &b) != nil || json.Unmarshal(one, &shuffled) != nil {
			return
		}
		shuffle(rand.New(rand.NewPCG(seed, 0)), shuffled)
		if got := differences(a, shuffled); len(got) > 0 {
			t.Errorf("a shuffled document differs in %v", got)
		}
		if there, back := differences(a, b), differences(b, a); (len(there) == 0) != (len(back) == 0) {
			t.Errorf("there %v, back %v", there, back)
		}
	})
}

func shuffle(r *rand.Rand, value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, e := range v {
			shuffle(r, e)
		}
	case []any:
		for _, e := range v {
			shuffle(r, e)
		}
		r.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
	}
}
