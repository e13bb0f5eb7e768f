package policy

import "github.com/sallyport-iap/sallyport/edge/policy/expression"

// Truth is the value of a clause (Kleene's strong three-valued logic). The
// order is what makes min the conjunction and max the disjunction. The zero
// value, Unknown, neither grants nor switches off a refusal.
type Truth = expression.Truth

// The truths, in order.
const (
	False   = expression.False
	Unknown = expression.Unknown
	True    = expression.True
)

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}
