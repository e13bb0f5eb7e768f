package session_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
)

// A store that answers, but does not tell its memory policy (this one, and managed services that forbid INFO), is used.
func TestStoreThatDoesNotTellItsPolicy(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	e := newEdge(t, sessiontest.New(t), newClock(), dial(t, server.Addr()))
	if err := e.CheckStore(t.Context()); err != nil {
		t.Error(err)
	}
	if err := e.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
}
