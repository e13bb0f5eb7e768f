package header

// Reasons of a [Refusal], from the closed list that edge/policy keeps.
const (
	ReasonTwoCredentials = "request.two_credentials"      // 400
	ReasonConnection     = "request.malformed.connection" // 400
	ReasonTooLarge       = "request.too_large"            // 431
	ReasonUpgrade        = "request.upgrade"              // 400
)

// Refusal says why a header is not accepted. Detail is a fixed sentence: it
// never repeats what was sent, so it is safe on a page or in a log.
type Refusal struct {
	Reason string
	Detail string
}

func (r *Refusal) Error() string { return r.Reason + ": " + r.Detail }
