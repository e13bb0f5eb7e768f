package expression

// Truth is the value of an expression (Kleene's strong three-valued logic). The
// order is what makes min the conjunction and max the disjunction. The zero
// value is the one that never grants.
type Truth int8

// The three values.
const (
	False Truth = iota
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

// known is b, unless what it was computed from is not.
func known(b, ok bool) Truth {
	if !ok {
		return Unknown
	}
	return truthOf(b)
}
