package policy

// truth is the value of a clause (Kleene's strong three-valued logic). The
// order is what makes min the conjunction and max the disjunction. The zero
// value is the one that never grants.
type truth int8

const (
	isFalse truth = iota
	isUnknown
	isTrue
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}
