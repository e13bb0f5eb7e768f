package exchange

import (
	"fmt"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy"
)

// Outcome is what became of a request, as the audit names it.
type Outcome string

// The outcomes.
const (
	Allowed       Outcome = "ALLOW"
	Denied        Outcome = "DENY"
	Authenticates Outcome = "AUTHENTICATE"
	StepsUp       Outcome = "STEP_UP"
	Refused       Outcome = "REFUSED"
	NotAvailable  Outcome = "UNAVAILABLE"
)

// Denial is why a request is not answered by what it asked for. It is the only error of a stage, and only edge/respond.go
// says it to a client.
type Denial struct {
	Outcome     Outcome
	Reason      policy.Reason
	Status      int           // 0: the reason's
	Detail      string        // a sentence for the caller; never to a stranger
	Remediation string        // what to do about it; "" is the reason's
	StepUp      policy.Need   // if signing in again helps: how
	RetryAfter  time.Duration // 0: not said
	Close       bool          // what follows on this connection cannot be trusted
	Caller      *Caller       // if a stage knows who it was
	Err         error         // for the log; never said
}

func (d *Denial) Error() string {
	text := string(d.Outcome) + " " + string(d.Reason)
	if d.Detail != "" {
		text += ": " + d.Detail
	}
	if d.Err != nil {
		text += fmt.Sprintf(" (%v)", d.Err)
	}
	return text
}

func (d *Denial) Unwrap() error { return d.Err }

// StatusCode is the HTTP status of the answer.
func (d *Denial) StatusCode() int {
	if d.Status != 0 {
		return d.Status
	}
	if info, ok := d.Reason.Info(); ok && info.Status != 0 {
		return info.Status
	}
	return 500
}

// Deny says that the caller may not.
func Deny(reason policy.Reason) *Denial { return &Denial{Outcome: Denied, Reason: reason} }

// Authenticate says that an identity may help.
func Authenticate(reason policy.Reason) *Denial {
	return &Denial{Outcome: Authenticates, Reason: reason}
}

// StepUp says that signing in again helps, as somebody needs it.
func StepUp(reason policy.Reason, need policy.Need) *Denial {
	return &Denial{Outcome: StepsUp, Reason: reason, StepUp: need}
}

// Refuse says that the request itself is not acceptable, whoever sends it. detail must not repeat what was sent.
func Refuse(reason policy.Reason, detail string) *Denial {
	return &Denial{Outcome: Refused, Reason: reason, Detail: detail}
}

// Unavailable says that we cannot tell right now.
func Unavailable(reason policy.Reason, retryAfter time.Duration, err error) *Denial {
	return &Denial{Outcome: NotAvailable, Reason: reason, RetryAfter: retryAfter, Err: err}
}
