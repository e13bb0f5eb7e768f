package login

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// How long the steps of a sign-in are good.
const (
	attemptLife = 10 * time.Minute
	handOffLife = 30 * time.Second
	roundLife   = 30 * time.Second
	handOffOnce = time.Minute
)

// The purposes of the `login` key: what was sealed for one step opens at no other.
const (
	forStart   = "start"
	forNeed    = "need"
	forOIDC    = "oidc"
	forHandOff = "handoff"
)

func seal(site *snapshot.Site, purpose string, m proto.Message) (string, error) {
	sealed, err := session.Seal(site.Keys.Login, m, session.AssociatedData(purpose, site.TenantUID, site.Pool.UID))
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func open(site *snapshot.Site, purpose, text string, m proto.Message) bool {
	// encoding/base64 skips line breaks, even when strict.
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return false
	}
	return session.Open(site.Keys.Login, sealed, m, session.AssociatedData(purpose, site.TenantUID, site.Pool.UID)) == nil
}

// random is 32 bytes that nobody guesses, as text for URLs and cookies.
func random() string {
	var b [32]byte
	rand.Read(b[:])
	return base64URL(b[:])
}

func expired(ms int64, now time.Time) bool { return !now.Before(time.UnixMilli(ms)) }

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// scope always has openid: without it there is no ID token.
func scope(scopes []string) string {
	if !slices.Contains(scopes, "openid") {
		scopes = append([]string{"openid"}, scopes...)
	}
	return strings.Join(scopes, " ")
}
