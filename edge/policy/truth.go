package policy

import "github.com/sallyport-iap/sallyport/edge/policy/truth"

// Truth is the value of a clause.
type Truth = truth.Value

// The three values, in order.
const (
	False   = truth.False
	Unknown = truth.Unknown
	True    = truth.True
)
