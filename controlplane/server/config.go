package server

import (
	"log/slog"
	"net"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane/keyring"
)

// Config is what a control plane needs. All fields are required but those that say otherwise.
type Config struct {
	// AppURL and FeedURL are the database as its two roles.
	AppURL, FeedURL string
	// DatabaseWait is how long an unreachable database is waited for at start.
	DatabaseWait time.Duration
	// Keys is the deployment key.
	Keys *keyring.Keyring
	// API, Sync and Health are open already, so that a taken port is said before anything else is done. Run closes them.
	API, Sync, Health net.Listener
	// DrainDelay is how long requests are still taken after readiness went off, for load balancers to notice. 0 is fine
	// without one.
	DrainDelay time.Duration
	// DrainTimeout is how long requests may take to end.
	DrainTimeout time.Duration
	// Version of this program, as edges and /metrics are told.
	Version string
	Log     *slog.Logger
}
