package controlplane

import (
	"strconv"
)

// Lane is one of a tenant's two gap-free counters.
type Lane string

const (
	Config Lane = "config" // what admins write
	Urgent Lane = "urgent" // revocations and keys: refer to nothing in config and overtake it
)

// Revision is a numbered point in a tenant's history. The zero Revision is none.
type Revision struct {
	Lane   Lane
	Number int64
}

// String returns the opaque token of the API: `c1042` or `u77`; "" for none.
func (r Revision) String() string {
	switch {
	case r.Number == 0:
		return ""
	case r.Lane == Urgent:
		return "u" + strconv.FormatInt(r.Number, 10)
	default:
		return "c" + strconv.FormatInt(r.Number, 10)
	}
}

// ParseRevision is the inverse of [Revision.String] for everything but "".
func ParseRevision(token string) (Revision, bool) {
	if len(token) < 2 {
		return Revision{}, false
	}
	n, err := strconv.ParseInt(token[1:], 10, 64)
	if err != nil || n < 0 {
		return Revision{}, false
	}
	r := Revision{Number: n}
	switch token[0] {
	case 'c':
		r.Lane = Config
	case 'u':
		r.Lane = Urgent
	default:
		return Revision{}, false
	}
	return r, true
}
