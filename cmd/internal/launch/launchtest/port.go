package launchtest

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
)

// Ports that tests may have are below those that the system gives to outgoing connections: one of those could take a
// port between its choice and its use, or between two starts.
const (
	firstPort = 12000
	lastPort  = 30000
)

var (
	portLock sync.Mutex
	nextPort = firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // spreads the programs of tests that run at the same time, no more
)

// Port returns a port that nobody listens on, and that no other call here returned lately.
func Port() (int, error) {
	portLock.Lock()
	defer portLock.Unlock()
	for range lastPort - firstPort {
		port := nextPort
		if nextPort++; nextPort == lastPort {
			nextPort = firstPort
		}
		if _, err := launch.Port(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d", firstPort, lastPort)
}
