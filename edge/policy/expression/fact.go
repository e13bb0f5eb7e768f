package expression

import (
	"net/netip"
	"time"
)

// Both evaluators read facts through these, so that a fact of a size that the
// cost did not count on is unknown to both.

func textOf(f Facts, field Field) (string, bool) {
	v, ok := f.Text(field)
	return v, ok && len(v) <= variables[field].Max
}

func listOf(f Facts, field Field) ([]string, bool) {
	v, ok := f.List(field)
	if !ok || len(v) > variables[field].Max {
		return nil, false
	}
	for _, entry := range v {
		if len(entry) > maxEntry {
			return nil, false
		}
	}
	return v, true
}

// timeOf knows the times that CEL and protobuf can say.
func timeOf(f Facts, field Field) (time.Time, bool) {
	v, ok := f.Time(field)
	return v, ok && inRange(v)
}

func inRange(t time.Time) bool {
	const first, last = -62135596800, 253402300799 // year 1 to the end of 9999
	return t.Unix() >= first && t.Unix() <= last
}

func addressOf(f Facts) (netip.Addr, bool) {
	v, ok := f.Address()
	return v.Unmap().WithZone(""), ok && v.IsValid()
}
