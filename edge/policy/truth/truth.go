// Package truth is the values of clauses: Kleene's strong three-valued logic. It
// must never turn what is unknown into one of the other two.
package truth

// Value is what a clause is. The order is what makes min the conjunction and max
// the disjunction. The zero value, Unknown, neither grants nor switches off a
// refusal.
type Value int8

// The values, in order.
const (
	False Value = iota - 1
	Unknown
	True
)

// Of is the truth of what is known.
func Of(b bool) Value {
	if b {
		return True
	}
	return False
}

// Not is the negation.
func (v Value) Not() Value { return -v }

func (v Value) String() string {
	switch v {
	case False:
		return "false"
	case True:
		return "true"
	default:
		return "unknown"
	}
}
