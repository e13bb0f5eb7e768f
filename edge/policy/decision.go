package policy

import (
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/clause"
)

// Outcome is what is to be done with a request.
type Outcome int8

// The outcomes. The zero value denies.
const (
	Deny         Outcome = iota
	Allow                // forward it
	Authenticate         // a stranger may come back with an identity
	StepUp               // a person may come back having signed in again, as Decision.StepUp says
)

func (o Outcome) String() string {
	switch o {
	case Allow:
		return "ALLOW"
	case Authenticate:
		return "AUTHENTICATE"
	case StepUp:
		return "STEP_UP"
	default:
		return "DENY"
	}
}

// Decision is an outcome and what is recorded about it.
type Decision struct {
	Outcome Outcome
	Reason  Reason
	// The rule that decided, if one did: by policy and rule, or the grant.
	Policy string
	Rule   string
	Grant  string
	// Remediation is what the person is told who was not allowed: that of the
	// rule that decided, or of the first rule (by policy id, rule id) that could
	// have allowed the operation and has one. Empty for strangers.
	Remediation string
	StepUp      Need
	// ValidUntil is an instant before which passing time alone cannot change the
	// decision (but for expressions that read the time: they are decided again
	// after 60 s); zero if it never can. Open streams are decided again then.
	ValidUntil time.Time
}

// Need is what a step-up has to ask the identity provider for.
type Need = clause.Need
