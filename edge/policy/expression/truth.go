package expression

import "github.com/sallyport-iap/sallyport/edge/policy/truth"

// Truth is the value of an expression.
type Truth = truth.Value

// The three values.
const (
	False   = truth.False
	Unknown = truth.Unknown
	True    = truth.True
)

func truthOf(b bool) Truth { return truth.Of(b) }

// known is b, unless what it was computed from is not.
func known(b, ok bool) Truth {
	if !ok {
		return Unknown
	}
	return truthOf(b)
}
