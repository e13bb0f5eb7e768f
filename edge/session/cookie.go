package session

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/header"
)

const (
	idBytes = 32
	// maxCookie bounds the whole value. Browsers keep 4,096 bytes of name, value and attributes.
	maxCookie = 3800
)

type id [idBytes]byte

func newID() (i id) {
	rand.Read(i[:])
	return i
}

// parseCookie takes apart what this package wrote, and nothing else: a value that reads in two spellings would be two
// cache keys for one session.
func parseCookie(value string) (i id, ticket []byte, ok bool) {
	if len(value) > maxCookie {
		return id{}, nil, false
	}
	left, right, found := strings.Cut(value, ".")
	if !found {
		return id{}, nil, false
	}
	rawID, ok := decode(left)
	if !ok || len(rawID) != idBytes {
		return id{}, nil, false
	}
	ticket, ok = decode(right)
	if !ok || len(ticket) == 0 {
		return id{}, nil, false
	}
	return id(rawID), ticket, true
}

func formatCookie(i id, ticket []byte) string {
	return base64.RawURLEncoding.EncodeToString(i[:]) + "." + base64.RawURLEncoding.EncodeToString(ticket)
}

// decode also refuses line breaks, which encoding/base64 skips even when strict.
func decode(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil
}

// newCookie lasts as long as the browser is open: maxAge is 0, or -1 to remove it.
func newCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: header.Session, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: maxAge}
}

// Forget is the cookie that removes ours. Only a sign-out sends it: an error never clears anybody's cookie.
func Forget() *http.Cookie { return newCookie("", -1) }
