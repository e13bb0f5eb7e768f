package snapshot

import (
	"bytes"
	"context"
	"crypto/hpke"
	"fmt"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// longestStaleness is the most that the API accepts as an app's max_staleness.
const longestStaleness = 30 * 24 * time.Hour

// cursor is how far one edge is with one tenant. Fields are guarded by the stream's mutex, but for heard, which belongs
// to the writing goroutine.
type cursor struct {
	tenant controlplane.UID
	slot   *slot
	said   *edgev1.Version // from Hello
	heard  bool            // said has been held against the history

	urgent, config progress
	staleness      time.Duration // how long the config that it may have lasts without us
	offered        time.Duration // how long the one in flight would
	closedApps     []string
	keySent        string // id of the data key last wrapped for this edge on this stream
}

// progress is one lane of a cursor.
type progress struct {
	have    point    // what the edge enforces; zero: nothing, or nothing that we know
	flying  point    // sent and not answered
	whole   bool     // it could not follow a delta: send everything
	retried point    // what was sent again for that reason
	refused point    // do not offer this again
	why     *refusal // until the lane moves on
}

// point is a revision in one history.
type point struct {
	lineage string
	number  int64
}

func (c *cursor) lane(l controlplane.Lane) *progress {
	if l == controlplane.Urgent {
		return &c.urgent
	}
	return &c.config
}

func (v *view) lane(l controlplane.Lane) *lane {
	if l == controlplane.Urgent {
		return v.urgent
	}
	return v.config
}

func pointOf(l controlplane.Lane, v *edgev1.Version) (p point, chain []byte) {
	if l == controlplane.Urgent {
		return point{v.GetLineage(), v.GetUrgent()}, v.GetUrgentChain()
	}
	return point{v.GetLineage(), v.GetConfig()}, v.GetConfigChain()
}

func chainOf(l controlplane.Lane, h store.Head) []byte {
	if l == controlplane.Urgent {
		return h.UrgentChain
	}
	return h.ConfigChain
}

// listen holds what the edge said it has against the history. What is part of it becomes the base of the first delta;
// anything else counts as nothing, so the edge is sent everything.
func (s *Stream) listen(ctx context.Context, c *cursor, v *view) error {
	if c.heard {
		return nil
	}
	for _, l := range []controlplane.Lane{controlplane.Urgent, controlplane.Config} {
		at, chain := pointOf(l, c.said)
		ours := point{v.head.Lineage, v.lane(l).number}
		ok, err := s.continues(ctx, c.tenant, l, at, chain, ours, chainOf(l, v.head))
		if err != nil {
			return err
		}
		s.mu.Lock()
		if ok {
			c.lane(l).have = at
		}
		switch {
		case l == controlplane.Urgent || at.number == 0:
		case ok && at == ours:
			c.staleness = v.staleness
		default:
			c.staleness = longestStaleness // how long an older config lasts, we do not know
		}
		s.mu.Unlock()
	}
	c.heard = true
	// Also if it has nothing: what its last process had is no longer what it has.
	s.acknowledge(c)
	return nil
}

// continues reports whether our history goes on from a point that the edge says it is at.
func (s *Stream) continues(ctx context.Context, tenant controlplane.UID, l controlplane.Lane, at point, chain []byte, ours point, ourChain []byte) (bool, error) {
	switch {
	case at.number <= 0 || len(chain) == 0 || at.lineage < ours.lineage:
		return false, nil
	case at.lineage > ours.lineage:
		// A history that was replaced by an older one without anybody saying so. The edge keeps what it has.
		s.log.ErrorContext(ctx, "edge has a later history than the database", "tenant_uid", string(tenant), "edge_lineage", at.lineage, "lineage", ours.lineage)
		return true, nil
	case at.number == ours.number:
		return bytes.Equal(chain, ourChain), nil
	case at.number > ours.number:
		// Another replica was quicker; this one's next reading gets there.
		s.log.WarnContext(ctx, "edge is ahead", "tenant_uid", string(tenant), "lane", string(l), "edge", at.number, "here", ours.number)
		return true, nil
	}
	was, ok, err := s.p.cfg.Store.ChainAt(ctx, tenant, controlplane.Revision{Lane: l, Number: at.number})
	if err != nil {
		return false, fmt.Errorf("read the %s chain at %d: %w", l, at.number, err)
	}
	return ok && bytes.Equal(was, chain), nil
}

// update makes the message that brings one lane from what the edge has to the view, or nil if there is none to send.
func (s *Stream) update(c *cursor, v *view, l controlplane.Lane) (*edgev1.SyncResponse, error) {
	target := point{v.head.Lineage, v.lane(l).number}
	s.mu.Lock()
	progress := c.lane(l)
	have := progress.have
	idle := progress.flying == point{} && progress.refused != target
	// Never back: an edge that is ahead in this history, or has a later one, waits for us.
	behind := have.lineage < target.lineage || have.lineage == target.lineage && have.number < target.number || progress.whole
	if !idle || !behind {
		s.mu.Unlock()
		return nil, nil
	}
	progress.flying = target
	var base int64
	if have.lineage == target.lineage && !progress.whole {
		base = have.number
	}
	longer := false
	if l == controlplane.Config {
		// From here on it may enforce this without our hearing of it.
		longer = v.staleness > c.staleness
		c.offered, c.staleness = v.staleness, max(c.staleness, v.staleness)
	}
	wrap := v.dataKeyID != "" && v.dataKeyID != c.keySent
	if wrap {
		c.keySent = v.dataKeyID
	}
	if longer {
		s.acknowledgeLocked(c)
	}
	s.mu.Unlock()

	p, err := v.lane(l).from(base)
	if err != nil {
		return nil, err
	}
	update := &edgev1.Update{
		TenantUid: string(c.tenant), Lane: laneProto(l),
		From: p.from, To: target.number, Replace: p.replace,
		Resources: p.resources, Encoding: p.encoding, Head: v.signed,
	}
	if wrap {
		sealed, err := wrapDataKey(s.edge, c.tenant, v.dataKey)
		if err != nil {
			return nil, err
		}
		update.DataKeys = []*edgev1.WrappedKey{{KeyId: v.dataKeyID, Sealed: sealed}}
	}
	s.p.cfg.Metrics.sent(l, p)
	return &edgev1.SyncResponse{Msg: &edgev1.SyncResponse_Update{Update: update}}, nil
}

func laneProto(l controlplane.Lane) edgev1.Lane {
	if l == controlplane.Urgent {
		return edgev1.Lane_LANE_URGENT
	}
	return edgev1.Lane_LANE_CONFIG
}

// wrapDataKey encrypts the pool's data key of one tenant to one edge; edge.proto documents the form.
func wrapDataKey(edge Edge, tenant controlplane.UID, keyset []byte) ([]byte, error) {
	info := "sallyport data key v1" + string(tenant) + string(edge.PoolUID)
	sealed, err := hpke.Seal(edge.HPKEPublicKey, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info), keyset)
	if err != nil {
		return nil, fmt.Errorf("wrap the data key for edge %s: %w", edge.UID, err)
	}
	return sealed, nil
}
