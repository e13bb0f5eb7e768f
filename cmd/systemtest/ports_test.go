package systemtest

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
	nextPort = firstPort + rand.IntN((lastPort-firstPort)/2) // tests of another checkout may run at the same time
)

func freePort() (int, error) {
	portLock.Lock()
	defer portLock.Unlock()
	for ; nextPort < lastPort; nextPort++ {
		if _, err := launch.Port(nextPort); err == nil {
			nextPort++
			return nextPort - 1, nil
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d", firstPort, lastPort)
}
