package policy

import (
	"net/netip"
	"time"
)

// Request is the facts that a decision reads. What is left out is unknown.
type Request struct {
	Operation string     // "" if the request is none of the app's
	Principal *Principal // nil is anonymous
	Method    string
	Host      string
	Path      string
	SourceIP  netip.Addr
	Country   string // of SourceIP: ISO 3166-1 alpha-2, upper case
	Device    *Device
	Now       time.Time
}

// Device is what was reported of the device that a request comes from.
type Device struct {
	Managed    Truth
	Compliant  Truth
	Posture    map[string]bool // by check: whether it passes; a check that is not there is unknown
	ReportedAt time.Time
}
