// Package token makes and reads the bearer tokens of the product: API tokens, service tokens, join tokens and the
// bootstrap token. It knows their form and nothing of what they are good for, and it never keeps, prints or compares a
// secret in clear: what is stored is a hash, and [Token.Matches] is the only comparison.
//
// The form, with lengths that never vary:
//
//	spa_mfzwizltoq_Zm9vYmFyYmF6cXV4…43 characters…_q1w2e3
//	    id         secret, 32 bytes base64url       checksum
//
// The prefix lets secret scanners recognise a leaked token, the id finds its row without the secret taking part in a
// search, and the checksum tells a typing error from a guess before anything is looked up. The secret's alphabet has
// the separator in it, so a token is read by lengths and never split.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// Prefix says what a token is for. A token with one prefix is never accepted where another is wanted.
type Prefix string

// The prefixes.
const (
	API       Prefix = "spa" // of a member, for the admin API
	Service   Prefix = "sp"  // of a service account, for apps
	Join      Prefix = "spj" // of an edge that is to be, for one enrolment
	Bootstrap Prefix = "spo" // of the first operator, until there is one
)

const (
	idLength       = 10
	secretLength   = 43
	checksumLength = 6
	pinLength      = 43
)

var (
	idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	// Strict, so that no two spellings are one token.
	encoding = base64.RawURLEncoding.Strict()
)

// Token is a token in clear. It prints as REDACTED; only [Token.Text] gives it away.
type Token struct {
	Prefix Prefix
	ID     string // 10 characters, not secret
	secret [32]byte
}

// Mint makes a new token.
func Mint(prefix Prefix) Token {
	t := Token{Prefix: prefix}
	var id [7]byte // 56 bits; the 10 characters hold 50 of them
	// crypto/rand.Read never fails: it ends the process rather than return bad bytes.
	_, _ = rand.Read(id[:])
	_, _ = rand.Read(t.secret[:])
	t.ID = idEncoding.EncodeToString(id[:])[:idLength]
	return t
}

// Text returns the token as its holder sends it.
func (t Token) Text() string {
	body := string(t.Prefix) + "_" + t.ID + "_" + encoding.EncodeToString(t.secret[:])
	return body + "_" + checksum(body)
}

// Hash is what is stored instead of the secret.
func (t Token) Hash() [32]byte { return sha256.Sum256(t.secret[:]) }

// Matches reports whether hash is this token's, in a time that does not depend on where they differ.
func (t Token) Matches(hash []byte) bool {
	own := t.Hash()
	return subtle.ConstantTimeCompare(own[:], hash) == 1
}

// String hides the token.
func (Token) String() string { return "REDACTED" }

// GoString hides the token.
func (Token) GoString() string { return "REDACTED" }

// Parse reads a token of the wanted prefix. It fails on anything whose shape or checksum is not right.
func Parse(want Prefix, text string) (Token, bool) {
	rest, ok := strings.CutPrefix(text, string(want)+"_")
	if !ok || len(rest) != idLength+1+secretLength+1+checksumLength {
		return Token{}, false
	}
	id, secret := rest[:idLength], rest[idLength+1:idLength+1+secretLength]
	if rest[idLength] != '_' || rest[idLength+1+secretLength] != '_' || !isID(id) {
		return Token{}, false
	}
	body := text[:len(text)-1-checksumLength]
	if checksum(body) != text[len(text)-checksumLength:] {
		return Token{}, false
	}
	t := Token{Prefix: want, ID: id}
	n, err := encoding.Decode(t.secret[:], []byte(secret))
	return t, err == nil && n == len(t.secret)
}

// WithPin returns the text of a join token that pins a certificate authority: pin is the SHA-256 of its public key info.
func (t Token) WithPin(pin [32]byte) string {
	return t.Text() + "_" + encoding.EncodeToString(pin[:])
}

// ParseJoin reads a join token and the pin that it carries. The pin is advice to the edge that holds the token and takes
// no part in the token's proof.
func ParseJoin(text string) (t Token, pin [32]byte, ok bool) {
	cut := len(text) - pinLength - 1
	if cut < 0 || text[cut] != '_' {
		return Token{}, pin, false
	}
	if t, ok = Parse(Join, text[:cut]); !ok {
		return Token{}, pin, false
	}
	n, err := encoding.Decode(pin[:], []byte(text[cut+1:]))
	if err != nil || n != len(pin) {
		return Token{}, [32]byte{}, false
	}
	return t, pin, true
}

func isID(id string) bool {
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return len(id) == idLength
}

func checksum(body string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(body)))
	return encoding.EncodeToString(sum[:])
}
