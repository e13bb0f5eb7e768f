package token_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane/token"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, prefix := range []token.Prefix{token.API, token.Service, token.Bootstrap, token.Join} {
		minted := token.Mint(prefix)
		parsed, ok := token.Parse(prefix, minted.Text())
		if !ok {
			t.Fatalf("%s: a minted token does not parse", prefix)
		}
		hash := minted.Hash()
		if parsed != minted || !parsed.Matches(hash[:]) {
			t.Errorf("%s: parsed token differs from the minted one", prefix)
		}
		if other := token.Mint(prefix).Hash(); parsed.Matches(other[:]) || parsed.Matches(nil) {
			t.Errorf("%s: matches a hash that is not its own", prefix)
		}
	}
}

func TestJoinTokenCarriesItsPin(t *testing.T) {
	t.Parallel()
	want := sha256.Sum256([]byte("public key info"))
	minted := token.Mint(token.Join)
	parsed, pin, ok := token.ParseJoin(minted.WithPin(want))
	if !ok || parsed != minted || pin != want {
		t.Fatalf("ParseJoin(WithPin) = %v, %x, %v", parsed, pin, ok)
	}
	if _, _, ok := token.ParseJoin(minted.Text()); ok {
		t.Error("a join token without a pin parses as one with a pin")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	good := token.Mint(token.API).Text()
	flipped := []byte(good)
	flipped[20] ^= 1
	for name, text := range map[string]string{
		"empty":             "",
		"prefix alone":      "spa_",
		"other prefix":      "sp" + good[3:],
		"cut":               good[:len(good)-1],
		"longer":            good + "A",
		"one bit":           string(flipped),
		"upper case id":     strings.ToUpper(good[:14]) + good[14:],
		"trailing newline":  good + "\n",
		"separator missing": good[:14] + "-" + good[15:],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, ok := token.Parse(token.API, text); ok {
				t.Errorf("Parse(%q) succeeded", text)
			}
		})
	}
}

func TestNeverPrints(t *testing.T) {
	t.Parallel()
	minted := token.Mint(token.API)
	secret := minted.Text()[15:58]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if printed := fmt.Sprintf(verb, minted); strings.Contains(printed, secret) {
			t.Errorf("%s prints the secret", verb)
		}
	}
}

// What parses is exactly what would be minted: one token has one spelling.
func FuzzParse(f *testing.F) {
	f.Add(token.Mint(token.API).Text())
	f.Add(token.Mint(token.Join).WithPin([32]byte{1}))
	f.Add("spa__")
	f.Fuzz(func(t *testing.T, text string) {
		if parsed, ok := token.Parse(token.API, text); ok && parsed.Text() != text {
			t.Errorf("%q parses as %q", text, parsed.Text())
		}
		if parsed, pin, ok := token.ParseJoin(text); ok && parsed.WithPin(pin) != text {
			t.Errorf("%q parses as the join token %q", text, parsed.WithPin(pin))
		}
	})
}
