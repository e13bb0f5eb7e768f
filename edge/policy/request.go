package policy

import (
	"net/netip"
	"time"
)

// Request is what a decision reads.
type Request struct {
	Operation string     // "" if the request is none of the app's
	Principal *Principal // nil is anonymous
	SourceIP  netip.Addr // the zero value is unknown
	Now       time.Time  // the zero value is unknown
}

// Outcome is what is to be done with a request.
type Outcome int8

// The outcomes. The zero value denies.
const (
	Deny         Outcome = iota
	Allow                // forward it
	Authenticate         // a stranger may come back with an identity
)

func (o Outcome) String() string {
	switch o {
	case Allow:
		return "ALLOW"
	case Authenticate:
		return "AUTHENTICATE"
	default:
		return "DENY"
	}
}

// Decision is an outcome and what is recorded about it.
type Decision struct {
	Outcome Outcome
	Reason  Reason
	Policy  string // of the rule that decided, if one did
	Rule    string
	// Remediation is what the person who was denied is told: that of the rule
	// that decided, or of the first rule (by policy id, rule id) that could have
	// allowed the operation and has one. Empty for strangers.
	Remediation string
	// ValidUntil is the earliest instant at which passing time alone could
	// change the decision; zero if it cannot. Open streams are decided again
	// then.
	ValidUntil time.Time
}
