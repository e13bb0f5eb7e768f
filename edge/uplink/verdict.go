package uplink

import (
	"errors"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// verdict is what the control plane says of this edge when it does not serve it. Only its own words count, over the
// connection that the pinned authority vouches for: an outage, or whatever stands in between, says nothing.
type verdict int

const (
	none     verdict = iota
	disabled         // by an administrator, who may enable it again
	removed          // deleted, or somebody enrolled its name with another key
	unknown          // never heard of
)

// goodbye is how the control plane ends a stream.
type goodbye struct {
	reason string
	wait   time.Duration
}

func (g *goodbye) Error() string { return "the control plane said goodbye: " + g.reason }

func verdictOf(err error) verdict {
	if bye := (*goodbye)(nil); errors.As(err, &bye) {
		return map[string]verdict{"disabled": disabled, "removed": removed}[bye.reason]
	}
	refused := (*connect.Error)(nil)
	if !errors.As(err, &refused) || !connect.IsWireError(refused) {
		return none
	}
	for _, detail := range refused.Details() {
		value, err := detail.Value()
		if info, ok := value.(*errdetails.ErrorInfo); err == nil && ok {
			if said, ok := map[string]verdict{"EDGE_DISABLED": disabled, "EDGE_REMOVED": removed, "EDGE_UNKNOWN": unknown}[info.GetReason()]; ok {
				return said
			}
		}
	}
	if refused.Code() == connect.CodePermissionDenied {
		return disabled // whatever the reason: this edge may not
	}
	return none
}

// An edge that is not known was not deleted: that would be said. The database is an older one than the edge, by a restore
// or a failover that lost something, or it lost a row. So it may well be a mistake, and a mistake must not take a fleet
// down at once. But an edge that nobody knows of is also one that no receipt waits for, and that nobody can disable. So
// it stops when the mistake has had time to be noticed and mended, and long before policies of a day's staleness do.
// (A control plane that was made anew has another authority: what it says is not even heard.)
const (
	unknownFor     = 30 * time.Minute
	unknownAnswers = 20 // to Sync and Renew both: an edge that slept through half an hour has heard it twice
)

// doubt counts for how long the edge has been called unknown, and nothing else. Any other answer, or none, ends it.
type doubt struct {
	since   time.Time
	answers int
}

// settled takes in that it was called so again, and reports whether that is enough.
func (d *doubt) settled(now time.Time) bool {
	if d.answers++; d.answers == 1 {
		d.since = now
	}
	return d.answers >= unknownAnswers && now.Sub(d.since) >= unknownFor
}
