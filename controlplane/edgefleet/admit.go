package edgefleet

import (
	"bytes"
	"context"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Standing is whether an edge may be served.
type Standing int

const (
	Welcome  Standing = iota
	Disabled          // for now: it may be enabled again
	Removed           // for good: it was deleted, or has enrolled again with another key
)

// StandingOf says how an edge stands that comes with a key.
func StandingOf(e store.Edge, spkiSHA256 []byte) Standing {
	switch {
	case e.LeftHow == "deleted", !bytes.Equal(e.SPKISHA256, spkiSHA256):
		return Removed
	case !e.LeftTime.IsZero():
		return Disabled
	default:
		return Welcome
	}
}

// Reasons of errors that an edge acts on; edge.proto lists them.
const (
	ReasonUnknown  = "EDGE_UNKNOWN"
	ReasonDisabled = "EDGE_DISABLED"
	ReasonRemoved  = "EDGE_REMOVED"
)

// Remembered is how long a deleted edge is remembered: as long as TLS lets any certificate of its in. So an edge that is
// unknown was never deleted. It is of another history than the database, which was restored, or has lost it.
const Remembered = leafLife + graceLife + clockSkew

// Admit returns the edge that a certificate belongs to, if it may be served.
func (f *Fleet) Admit(ctx context.Context, who Identity) (*store.Edge, error) {
	edge, err := f.cfg.DB.System().Edge(ctx, who.EdgeUID)
	if controlplane.KindOf(err) == controlplane.NotFound {
		return nil, &controlplane.Error{
			Kind: controlplane.Unauthenticated, Reason: ReasonUnknown, Message: "the edge is not known here, and was not deleted: it has to enrol again",
		}
	}
	if err != nil {
		return nil, err
	}
	switch StandingOf(*edge, who.SPKISHA256) {
	case Removed:
		return nil, &controlplane.Error{
			Kind: controlplane.Denied, Reason: ReasonRemoved, Message: "the edge was deleted, or has enrolled again with another key",
		}
	case Disabled:
		return nil, &controlplane.Error{Kind: controlplane.Denied, Reason: ReasonDisabled, Message: "the edge is disabled"}
	default:
		return edge, nil
	}
}
