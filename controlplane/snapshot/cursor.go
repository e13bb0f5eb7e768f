package snapshot

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hpke"
	"encoding/json"
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

// Applied takes in that the edge enforces something it was sent.
func (s *Stream) Applied(m *edgev1.Applied) {
	uid := controlplane.UID(m.TenantUid)
	s.mu.Lock()
	c := s.cursors[uid]
	if c == nil {
		s.mu.Unlock()
		return // it left the pool meanwhile
	}
	var moved bool
	for _, l := range []controlplane.Lane{controlplane.Urgent, controlplane.Config} {
		p := c.lane(l)
		at, _ := pointOf(l, m.At)
		// Only what was offered can be acknowledged: an edge cannot claim a revision that it was never sent.
		if p.flying != (point{}) && at == p.flying {
			*p = progress{have: at}
			moved = true
			if l == controlplane.Config {
				c.staleness = c.offered
			}
		}
	}
	c.closedApps = m.ClosedApps
	s.mu.Unlock()
	if !moved {
		s.log.Warn("edge acknowledged what it was not sent", "tenant_uid", m.TenantUid, "at", m.At.String())
		return
	}
	s.acknowledge(c)
	s.mark(uid, true, true, false)
}

// maxDetail bounds what is kept of an edge's explanation.
const maxDetail = 1 << 10

// refusal is the stored form of why an edge keeps its last good state.
type refusal struct {
	Lane    controlplane.Lane `json:"lane"`
	Offered int64             `json:"offered"`
	Reason  string            `json:"reason"`
	Detail  string            `json:"detail"`
}

// Refused takes in that the edge kept what it had. If it could not follow, it is sent everything once; what it cannot
// use is not offered again.
func (s *Stream) Refused(m *edgev1.Refused) {
	uid := controlplane.UID(m.TenantUid)
	l := controlplane.Config
	if m.Lane == edgev1.Lane_LANE_URGENT {
		l = controlplane.Urgent
	}
	if len(m.Detail) > maxDetail {
		m.Detail = m.Detail[:maxDetail]
	}
	offered, _ := pointOf(l, m.Offered)
	s.mu.Lock()
	c := s.cursors[uid]
	if c == nil {
		s.mu.Unlock()
		return
	}
	p := c.lane(l)
	again := false
	switch m.Reason {
	case edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT, edgev1.RefusedReason_REFUSED_REASON_WRONG_BASE, edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE:
		again = p.retried != offered
	}
	p.flying, p.whole = point{}, again
	if again {
		p.retried = offered
	} else {
		p.refused, p.why = offered, &refusal{l, offered.number, m.Reason.String(), m.Detail}
	}
	c.keySent = "" // it may have thrown the key away with the rest
	s.mu.Unlock()
	s.log.Warn("edge refused an update", "tenant_uid", m.TenantUid, "lane", string(l), "offered", offered.number,
		"reason", m.Reason.String(), "detail", m.Detail, "retry", again)
	s.p.cfg.Metrics.refused(m.Reason)
	if !again {
		s.acknowledge(c)
	}
	s.mark(uid, true, true, false)
}

// reacknowledge records all of it again.
func (s *Stream) reacknowledge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.cursors {
		if c.config.have != (point{}) || c.urgent.have != (point{}) {
			s.acknowledgeLocked(c)
		}
	}
}

// acknowledge records how far the edge is.
func (s *Stream) acknowledge(c *cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acknowledgeLocked(c)
}

func (s *Stream) acknowledgeLocked(c *cursor) {
	ack := store.Ack{EdgeUID: s.edge.UID, TenantUID: c.tenant}
	ack.Lineage, ack.MaxStaleness, ack.ClosedApps = c.slot.view.Load().head.Lineage, c.staleness, c.closedApps
	if c.config.have.lineage == ack.Lineage {
		ack.Config = c.config.have.number
	}
	if c.urgent.have.lineage == ack.Lineage {
		ack.Urgent = c.urgent.have.number
	}
	if why := cmp.Or(c.urgent.why, c.config.why); why != nil {
		// A struct of strings and numbers always marshals.
		ack.Refused, _ = json.Marshal(why)
	}
	// Under the lock, so that two acknowledgements of one tenant are recorded in their order.
	s.p.cfg.Acked(ack)
}
