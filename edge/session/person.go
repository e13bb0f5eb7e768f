package session

import (
	"crypto/sha256"
	"encoding/base32"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Person is what a provider said about whoever signed in.
type Person struct {
	Issuer, Subject string
	IDPUID          string
	Email           string
	EmailVerified   bool // only if the provider said JSON true
	Name            string
	Groups          []string // at most MaxGroups
	// GroupsComplete is false if the provider has more to say than Groups.
	GroupsComplete bool
	AuthTime       time.Time
	ACR            string
	AMR            []string
}

// Bounds on what is kept of a person: together with maxTicketGroups they keep the longest ticket below maxCookie.
const (
	maxEmail = 254 // RFC 5321 §4.5.3.1.3
	maxName  = 256
	maxACR   = 128
	maxAMR   = 128 // of all together
)

var lower32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Subject is the stable and opaque name of a person: of a tenant, an issuer and what the issuer calls the person. Never
// of an e-mail address, which may be given to somebody else.
func Subject(tenant, issuer, sub string) string { return subjectText(principal(tenant, issuer, sub)) }

func principal(tenant, issuer, sub string) []byte {
	sum := sha256.Sum256(AssociatedData(tenant, issuer, sub))
	return sum[:16]
}

func subjectText(principal []byte) string { return "user:" + lower32.EncodeToString(principal) }
func sidText(sid []byte) string           { return "s_" + lower32.EncodeToString(sid) }

// name is what the rest of the world calls a host session.
func (h idHash) name() string { return "h_" + lower32.EncodeToString(h[:16]) }

// cut shortens to a number of bytes, at a border between characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func cutAll(list []string, n int) (out []string) {
	for _, s := range list {
		if n -= len(s) + 2; n < 0 {
			break
		}
		out = append(out, s)
	}
	return out
}

func clone(s *edgev1.PersonSession) *edgev1.PersonSession {
	return proto.Clone(s).(*edgev1.PersonSession)
}

func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
