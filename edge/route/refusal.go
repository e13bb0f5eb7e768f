package route

// Reasons of a [Refusal], from the closed list that edge/policy keeps.
const (
	ReasonAmbiguousPath = "request.ambiguous_path"   // 400
	ReasonTarget        = "request.malformed.target" // 400
	ReasonBadHost       = "request.bad_host"         // 400
	ReasonMethod        = "request.method"           // 405
)

// Refusal says why a target, host or method is not accepted. Detail is a fixed
// sentence: it never repeats what was sent, so it is safe on a page or in a log.
type Refusal struct {
	Reason string
	Detail string
}

func (r *Refusal) Error() string { return r.Reason + ": " + r.Detail }

func ambiguous(detail string) *Refusal {
	return &Refusal{Reason: ReasonAmbiguousPath, Detail: detail}
}
