package identity

import (
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/edge/header"
)

// token is a service token: id "citoken234", a secret of 32 times "c".
const token = "sp_citoken234_Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2M_ZYrjxA"

// A token has one spelling: whatever is accepted is the text that was minted, byte for byte.
func FuzzParseToken(f *testing.F) {
	f.Add(token)
	f.Add(token + "=")
	f.Add(strings.ToUpper(token))
	f.Add("sp_")
	f.Fuzz(func(t *testing.T, text string) {
		id, hash, ok := parseToken(text)
		if !ok {
			return
		}
		if len(text) != len(token) || !strings.HasPrefix(text, "sp_"+id+"_") {
			t.Fatalf("%q is read as the token %q", text, id)
		}
		if again, same, ok := parseToken(text + " "); ok {
			t.Fatalf("%q with a blank is the token %q, %v", text, again, same == hash)
		}
	})
}

// Of all that a request can carry, at most one token comes out, and what is not ours stays the upstream's.
func FuzzOurToken(f *testing.F) {
	f.Add("Bearer "+token, "", "")
	f.Add("", "Bearer "+token, token)
	f.Add("Bearer eyJ0eXAiOiJzYWxseXBvcnQtYXNzZXJ0aW9uK2p3dCJ9.e30.x", "", "")
	f.Add("Basic x", "", "")
	f.Add("Token\t\""+token+"\"", "", "")
	f.Fuzz(func(t *testing.T, authorization, proxy, bare string) {
		lines := func(s string) []string {
			if s == "" {
				return nil
			}
			return []string{s}
		}
		text, own, err := ourToken(header.Taken{Authorization: lines(authorization), ProxyAuthorization: lines(proxy), Token: lines(bare)})
		switch {
		case err != nil && text != "":
			t.Fatal("a token beside an error")
		case err == nil && proxy+bare != "" && text == "":
			t.Fatalf("what is for us only (%q, %q) is nobody's", proxy, bare)
		case own && text != "?" && !strings.Contains(authorization, text):
			t.Fatalf("the token %q is not in %q", text, authorization)
		case text == "" && err == nil && (strings.HasPrefix(authorization, "Bearer sp_") || strings.HasSuffix(authorization, " "+token)):
			t.Fatalf("%q is taken for the upstream's", authorization)
		}
	})
}
