package cli

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

func TestWriteChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ change, want string }{
		"created":           {`{"name": "tenants/t/apps/a", "action": "ACTION_CREATE", "after": {"name": "x"}}`, "+ apps/a\n"},
		"deleted":           {`{"name": "tenants/t/apps/a", "action": "ACTION_DELETE"}`, "- apps/a\n"},
		"not of the tenant": {`{"name": "edgePools/p/keys/k", "action": "ACTION_UPDATE"}`, "~ edgePools/p/keys/k\n"},
		"a value": {
			`{"name": "n", "fields": ["a", "b", "c", "d"],
			"before": {"a": "x", "b": true, "d": 1}, "after": {"a": "y", "c": "", "d": "two words"}}`,
			"~ n\n    a: x → y\n    b: true → (none)\n    c: (none) → \"\"\n    d: 1 → \"two words\"\n",
		},
		"inside":                {`{"name": "n", "fields": ["a.b"], "before": {"a": {"b": "x"}}, "after": {"a": {"b": "y"}}}`, "~ n\n    a.b: x → y\n"},
		"a list":                {`{"name": "n", "fields": ["a"], "before": {"a": ["x", "y"]}, "after": {"a": ["y", "z"]}}`, "~ n\n    a: + z, - x\n"},
		"a new list":            {`{"name": "n", "fields": ["a"], "before": {}, "after": {"a": ["y", "z"]}}`, "~ n\n    a: + y, + z\n"},
		"a list gone":           {`{"name": "n", "fields": ["a"], "before": {"a": ["y"]}, "after": {}}`, "~ n\n    a: - y\n"},
		"a list with one twice": {`{"name": "n", "fields": ["a"], "before": {"a": ["y"]}, "after": {"a": ["y", "y"]}}`, "~ n\n    a: [\"y\"] → [\"y\",\"y\"]\n"},
		"a list instead":        {`{"name": "n", "fields": ["a"], "before": {"a": "y"}, "after": {"a": ["y"]}}`, "~ n\n    a: y → [\"y\"]\n"},
		"elements with names": {
			`{"name": "n", "fields": ["rules", "rules[1].x"],
			"before": {"rules": [{"id": "p", "x": "1"}, {"id": "r"}]}, "after": {"rules": [{"id": "q"}, {"id": "p", "x": "2"}]}}`,
			"~ n\n    rules: + q, - r\n    rules[1].x: 1 → 2\n",
		},
		"elements without": {
			`{"name": "n", "fields": ["members"],
			"before": {"members": [{"user": "a"}, {"user": "b"}]}, "after": {"members": [{"user": "b"}, {"group": "g"}]}}`,
			"~ n\n    members: + {\"group\":\"g\"}, - {\"user\":\"a\"}\n",
		},
		"keys with dots": {
			`{"name": "n", "fields": ["labels.a.b/c", "labels.d"],
			"before": {"labels": {"a.b/c": "x", "d": "x"}}, "after": {"labels": {"a.b/c": "y"}}}`,
			"~ n\n    labels.a.b/c: x → y\n    labels.d: x → (none)\n",
		},
		"nowhere": {
			`{"name": "n", "fields": ["a[7].b", "a.b[0]", "]["], "before": {}, "after": {"a": []}}`,
			"~ n\n    a[7].b: (none) → (none)\n    a.b[0]: (none) → (none)\n    ][: (none) → (none)\n",
		},
		"what a terminal obeys": {
			`{"name": "n\u001b[31m", "fields": ["a\u001b"], "before": {"a\u001b": "\u001b[2J"}, "after": {"a\u001b": "b\nc"}}`,
			"~ n\ufffd[31m\n    a\ufffd: \"\\x1b[2J\" → \"b\\nc\"\n",
		},
		"long": {
			`{"name": "n", "fields": ["a"], "before": {}, "after": {"a": "` + string(bytes.Repeat([]byte("x"), 99)) + `"}}`,
			"~ n\n    a: (none) → " + string(bytes.Repeat([]byte("x"), widest-1)) + "…\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := &sallyportv1.Change{}
			if err := protojson.Unmarshal([]byte(c.change), change); err != nil {
				t.Fatal(err)
			}
			if change.GetAction() == sallyportv1.Change_ACTION_UNSPECIFIED {
				change.Action = sallyportv1.Change_ACTION_UPDATE
			}
			var out bytes.Buffer
			writeChange(&out, "", "tenants/t", change)
			if out.String() != c.want {
				t.Errorf("got\n%swant\n%s", out.String(), c.want)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	response := &sallyportv1.WaitResponse{}
	err := protojson.Unmarshal([]byte(`{"pending": [
		{"edge": "edgePools/dev/edges/eu-1", "config": "c7", "urgent": "u1"},
		{"edge": "edgePools/dev/edges/eu-2", "config": "c7", "refused": "MALFORMED at c8: what\u001bever"},
		{"edge": "edgePools/dev/edges/eu-3"}],
		"unreachable": [{"edge": "edgePools/dev/edges/us-1", "seen_time": "2026-01-02T03:04:05Z", "closes_by": "2026-01-03T03:04:05Z"}]}`), response)
	if err != nil {
		t.Fatal(err)
	}
	seen, closes := response.GetUnreachable()[0].GetSeenTime().AsTime().Local(), response.GetUnreachable()[0].GetClosesBy().AsTime().Local()
	want := `  edgePools/dev/edges/eu-1 has c7 and u1
  edgePools/dev/edges/eu-2 has c7 and nothing, and refused MALFORMED at c8: what` + "\ufffd" + `ever
  edgePools/dev/edges/eu-3 has nothing and nothing
  edgePools/dev/edges/us-1 is silent since ` + seen.Format(instant) + `, and may serve what it has until ` + closes.Format(instant)
	if got := missing(response); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
