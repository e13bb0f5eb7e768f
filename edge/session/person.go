package session

import (
	"bytes"
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
	AuthTime       time.Time // zero is unknown
	ACR            string    // "" is unknown
	AMR            []string  // nil is unknown
	// Asked is what the provider was asked for, if this is a step-up that came back.
	Asked *edgev1.SignInAsked
}

// Is says whether it is the person that a Session is of.
func (p Person) Is(tenant string, s *edgev1.PersonSession) bool {
	return s != nil && p.IDPUID == s.IdpUid && bytes.Equal(principal(tenant, p.Issuer, p.Subject), s.Principal)
}

// Bounds on what is kept of a person: together with maxTicketGroups they keep the longest ticket below maxCookie.
const (
	maxEmail = 254 // RFC 5321 §4.5.3.1.3
	maxName  = 256
	maxACR   = 128
	maxAMR   = 128 // of all together, and two bytes for each
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

// knownACR is a class that fits. The beginning of one that does not would be another class.
func knownACR(acr string) string {
	if len(acr) > maxACR {
		return ""
	}
	return acr
}

// knownAMR are methods that fit. Some of more would say that the others were not used.
func knownAMR(amr []string) (list []string, known bool) {
	left := maxAMR
	for _, s := range amr {
		left -= len(s) + 2
	}
	if left < 0 {
		return nil, false
	}
	return amr, amr != nil
}

func clone(s *edgev1.PersonSession) *edgev1.PersonSession {
	return proto.Clone(s).(*edgev1.PersonSession)
}

func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
