package recorded_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/sallyport-iap/sallyport/controlplane/recorded"
)

func TestScan(t *testing.T) {
	t.Parallel()
	event := `{"id":"01A", "time":"2026-11-23T09:00:00Z","app":"wi\u006bi", "operation":null,
		"principal" : {"kind":"user", "email":"a\"}b@acme.test"}, "request":{"method":"GET","path":"/a\\","host":"h"},
		"stream":{"phase":"end"}, "decision":{"outcome":"ALLOW", "config":"12","facts":{"country":"DE","acr":"x", "path":"/p","amr":["a","]"]}}}`
	var r recorded.Raw
	if !recorded.Scan([]byte(event), &r) {
		t.Fatal("not scanned")
	}
	for got, want := range map[string]string{
		recorded.Text(r.App): "wiki", string(r.Operation): "", string(r.Principal): `{"kind":"user", "email":"a\"}b@acme.test"}`,
		recorded.Text(r.Path): `/a\`, recorded.Text(r.Phase): "end", recorded.Text(r.Outcome): "ALLOW", recorded.Text(r.Config): "12",
		recorded.Text(r.Country): "DE", string(r.Lasting): `,"acr":"x","amr":["a","]"]`,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Whatever is stored, the pieces are those that encoding/json finds.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"app":"a","decision":{"outcome":"ALLOW","facts":{"country":"DE"}},"request":{"path":"/\"\\"}}`))
	f.Add([]byte(` {"app" : null , "app":"b", "\u0061pp":"c","gap":[1,{"x":"]"}],"time":1e3}`))
	f.Add([]byte(`{"app":"\\\"","principal":{}}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		var all map[string]json.RawMessage
		var r recorded.Raw
		scanned := recorded.Scan(event, &r) // does not panic, whatever it is
		if !utf8.Valid(event) || !json.Valid(event) || json.Unmarshal(event, &all) != nil || all == nil {
			return
		}
		if !scanned {
			t.Fatalf("%s is an object, and was not scanned", event)
		}
		for name, got := range map[string][]byte{"app": r.App, "time": r.Time, "gap": r.Gap, "principal": r.Principal, "source_ip": r.SourceIP} {
			want := []byte(all[name])
			if string(want) == "null" {
				continue // it is as good as not there
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%s of %s is %s, not %s", name, event, got, want)
			}
		}
		var text string
		if json.Unmarshal(r.App, &text) == nil && recorded.Text(r.App) != text {
			t.Fatalf("the text of %s is %q, not %q", r.App, recorded.Text(r.App), text)
		}
	})
}
