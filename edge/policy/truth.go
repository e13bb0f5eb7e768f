package policy

// Truth is the value of a clause (Kleene's strong three-valued logic). The
// order is what makes min the conjunction and max the disjunction. The zero
// value, Unknown, neither grants nor switches off a refusal.
type Truth int8

// The truths, in order.
const (
	False Truth = iota - 1
	Unknown
	True
)

func (t Truth) String() string {
	switch t {
	case False:
		return "false"
	case True:
		return "true"
	default:
		return "unknown"
	}
}

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}
