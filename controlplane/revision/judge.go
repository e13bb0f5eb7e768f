package revision

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Result is how far a revision has come.
type Result int

const (
	Pending        Result = iota + 1 // connected edges are not there yet
	Enforced                         // every accountable edge enforces it: the only success
	EnforcedExcept                   // all but edges that are silent and may still serve the old
)

// EdgeRevision is what one edge has.
type EdgeRevision struct {
	Edge           string // name
	Config, Urgent controlplane.Revision
	SeenTime       time.Time
	ClosesBy       time.Time // for a silent edge: when it stops serving the tenant by itself
	Refused        string    // why it refused, if it did
}

// WaitResult is the answer of [Service.Wait].
type WaitResult struct {
	Result               Result
	Pending, Unreachable []EdgeRevision
	ClosedApps           []string
	EnforceTime          time.Time
	CommitTime           time.Time
}

// defaultStaleness is assumed of an edge whose acknowledgement is lost: the most that the API accepts.
const defaultStaleness = 30 * 24 * time.Hour

// refused is the stored form of a refusal; package snapshot writes it.
type refused struct {
	Lane    controlplane.Lane `json:"lane"`
	Offered int64             `json:"offered"`
	Reason  string            `json:"reason"`
	Detail  string            `json:"detail"`
}

// standing is where one edge is with one revision.
type standing int

const (
	released    standing = iota // not accountable: it serves nothing, or no more
	there                       // it enforces the revision
	pending                     // connected, and not there
	unreachable                 // silent, and not there
)

// judge says where an edge is. now is the clock that closes_by is told in.
func judge(e store.EdgeState, want controlplane.Revision, lineage string, now time.Time) (standing, EdgeRevision) {
	r := EdgeRevision{Edge: e.Edge.Name, SeenTime: e.Edge.SeenTime}
	if !e.Edge.LeftTime.IsZero() || !e.Edge.DepartedTime.IsZero() || e.Edge.SeenTime.IsZero() {
		return released, r
	}
	staleness := defaultStaleness
	if e.Ack != nil {
		staleness = e.Ack.MaxStaleness
		r.Refused = refusalText(e.Ack, want.Lane)
		if e.Ack.Lineage == lineage {
			r.Config = controlplane.Revision{Lane: controlplane.Config, Number: e.Ack.Config}
			r.Urgent = controlplane.Revision{Lane: controlplane.Urgent, Number: e.Ack.Urgent}
		}
	}
	has := r.Config
	if want.Lane == controlplane.Urgent {
		has = r.Urgent
	}
	// Zero is also "nothing": only an acknowledgement can tell that an edge is at a revision.
	if e.Ack != nil && e.Ack.Lineage == lineage && has.Number >= want.Number {
		return there, r
	}
	if e.SeenAgo <= edgefleet.Silence {
		return pending, r
	}
	left := edgefleet.Silence + staleness - e.SeenAgo
	if left <= 0 {
		return released, r
	}
	r.ClosesBy = now.Add(left)
	return unreachable, r
}

func refusalText(a *store.Ack, lane controlplane.Lane) string {
	var r refused
	if len(a.Refused) == 0 || json.Unmarshal(a.Refused, &r) != nil || r.Lane != lane {
		return ""
	}
	reason := strings.TrimPrefix(r.Reason, "REFUSED_REASON_")
	if r.Detail == "" {
		return fmt.Sprintf("%s at %s", reason, controlplane.Revision{Lane: r.Lane, Number: r.Offered})
	}
	return fmt.Sprintf("%s at %s: %s", reason, controlplane.Revision{Lane: r.Lane, Number: r.Offered}, r.Detail)
}

// judgeAll sums up the edges of a tenant.
func judgeAll(edges []store.EdgeState, want controlplane.Revision, lineage string, now time.Time) *WaitResult {
	result := &WaitResult{}
	closed := make(map[string]bool)
	for _, e := range edges {
		state, r := judge(e, want, lineage, now)
		switch state {
		case pending:
			result.Pending = append(result.Pending, r)
		case unreachable:
			result.Unreachable = append(result.Unreachable, r)
		case there:
			for _, app := range e.Ack.ClosedApps {
				closed[app] = true
			}
			if e.AckTime.After(result.EnforceTime) {
				result.EnforceTime = e.AckTime
			}
		}
	}
	result.ClosedApps = slices.Sorted(maps.Keys(closed))
	switch {
	case len(result.Pending) > 0:
		result.Result = Pending
	case len(result.Unreachable) > 0:
		result.Result = EnforcedExcept
	default:
		result.Result = Enforced
	}
	if result.Result == Pending {
		result.EnforceTime = time.Time{}
	}
	return result
}
