package login

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// FuzzClaims holds that what is accepted reads the same for everybody, and what is taken from it is bounded.
func FuzzClaims(f *testing.F) {
	for _, doc := range []string{
		`{}`, `{"sub":"bob","groups":["a","b"],"email":"b@acme.test","email_verified":true}`, `{"sub":"a","sub":"b"}`, `{"sub":"a","sub":"b"}`, `[]`, `null`, `{"a":1}{"b":2}`,
		`{"exp":1e400}`, `{"exp":-0}`, `{"groups":"one"}`, `{"groups":[[]]}`, `{"groups":{"a":1}}`, `{"_claim_names":{"groups":"x"}}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, "\ufeff{}", ` {"a" : [ 1, {"b":null} ] } `,
	} {
		f.Add([]byte(doc))
	}
	idp := &snapshot.IdentityProvider{EmailClaim: "email", NameClaim: "name", GroupsClaim: "groups"}
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, err := parseClaims(doc)
		if err != nil {
			return
		}
		var theirs map[string]any
		d := json.NewDecoder(bytes.NewReader(doc))
		d.UseNumber()
		if err := d.Decode(&theirs); err != nil {
			t.Fatalf("accepted, and nobody else can read it: %v", err)
		}
		written, err := json.Marshal(map[string]any(c))
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseClaims(written)
		if err != nil || !cmp.Equal(map[string]any(c), map[string]any(again)) {
			t.Fatalf("read as %v, then as %v (%v)", c, again, err)
		}
		if len(theirs) != len(c) {
			t.Fatalf("we read %d claims, others %d", len(c), len(theirs))
		}
		p, err := person(idp, c)
		if err != nil {
			return
		}
		if len(p.Groups) > session.MaxGroups || p.EmailVerified && (p.Email == "" || theirs["email_verified"] != true) {
			t.Fatalf("%+v", p)
		}
		for _, g := range p.Groups {
			if g == "" || len(g) > maxGroupName {
				t.Fatalf("group %q", g)
			}
		}
	})
}

// FuzzKeys holds that a provider's key set yields public asymmetric keys, and not many.
func FuzzKeys(f *testing.F) {
	for _, doc := range []string{
		`{"keys":[]}`, `{"keys":null}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a","use":"sig"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		keys, err := parseKeys(doc)
		if err != nil {
			return
		}
		if len(keys) > maxKeys {
			t.Fatalf("%d keys", len(keys))
		}
		for _, k := range keys {
			if _, secret := k.Key.([]byte); secret || !k.IsPublic() {
				t.Fatalf("a key that is not public: %T", k.Key)
			}
			suits(&k, "RS256") // must not panic, whatever the key
		}
	})
}

// A provider that says that there are no groups says it with a list; whatever it leaves out is unknown, or who signs in
// without the scope that brings the claim escapes what is refused to a group.
func TestGroupsThatAreNotSaid(t *testing.T) {
	t.Parallel()
	for body, complete := range map[string]bool{
		`{"groups": ["a"]}`: true, `{"groups": []}`: true, `{"groups": "a"}`: true,
		`{}`: false, `{"groups": null}`: false, `{"Groups": []}`: false,
		`{"_claim_names": {"groups": "src"}}`: false, `{"groups": ["` + strings.Repeat("x", maxGroupName+1) + `"]}`: false,
	} {
		c, err := parseClaims([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, got, err := groups(c, "groups"); got != complete || err != nil {
			t.Errorf("%s: all of them are known: %v, %v", body, got, err)
		}
		if _, got, _ := groups(c, ""); !got {
			t.Errorf("%s: without a claim for groups, some are unknown", body)
		}
	}
}
