package systemtest

import "testing"

// TestProduct runs on one demo. Not beside other tests: it measures times.
func TestProduct(t *testing.T) { //nolint:paralleltest // see above
	d := newPlace(t).start(t)
	t.Run("machine", func(t *testing.T) { machinePath(t, d) })
	t.Run("revoked account", func(t *testing.T) { revokedAccount(t, d) })
	t.Run("people", func(t *testing.T) { people(t, d) })
	t.Run("changes", func(t *testing.T) { changes(t, d) })
	t.Run("stopped edge", func(t *testing.T) { stoppedEdge(t, d) })
	t.Run("killed programs", func(t *testing.T) { killedPrograms(t, d) })
	d.stop(t)
	d.gone(t)
}
