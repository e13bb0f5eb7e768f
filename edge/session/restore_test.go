package session_test

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// A session that begins after config was restored and before the urgent lane was, counts in the old urgent history: a
// number from there must not outlive the revocations of the new one.
func TestRevokedAfterARestore(t *testing.T) {
	t.Parallel()
	w := sessiontest.New(t)
	now := time.Now()
	s := session.New(session.Config{Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Report: func(string, *edgev1.SessionEvent) {}})
	for range 20 { // the old history is far ahead
		w.ReplaceKeys(sessiontest.Acme, "login", false)
	}
	arrive := w.Restore(sessiontest.Acme)
	site := w.Site(sessiontest.Acme)
	begun, err := s.Begin(t.Context(), site, sessiontest.WikiHost,
		session.Person{Issuer: "http://127.0.0.1:1", Subject: "bob", IDPUID: sessiontest.IDP, GroupsComplete: true}, netip.Addr{}, now)
	if err != nil {
		t.Fatal(err)
	}
	arrive()
	w.Revoke(sessiontest.Acme, begun.Caller.Subject)
	site = w.Site(sessiontest.Acme)
	got := s.Authenticate(t.Context(), site, site.AppByUID(sessiontest.Wiki), sessiontest.WikiHost, begun.Cookie.Value, netip.Addr{}, now)
	if got.State != session.Ended {
		t.Errorf("state %v: the person was revoked", got.State)
	}
}
