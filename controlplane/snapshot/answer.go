package snapshot

import (
	"cmp"
	"encoding/json"
	"strings"
	"unicode"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

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
	c.closedApps = m.ClosedApps[:min(len(m.ClosedApps), maxClosed)]
	s.mu.Unlock()
	if !moved {
		s.log.Debug("edge acknowledged what it was not sent", "tenant_uid", m.TenantUid, "at", m.At.String())
		return
	}
	s.acknowledge(c)
	s.mark(uid, true, true, false)
}

// Bounds of what is kept of an edge's explanations.
const (
	maxDetail = 1 << 10
	maxClosed = 1_000
)

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
		p.refused, p.why = offered, &refusal{l, offered.number, m.Reason.String(), printable(m.Detail)}
	}
	c.keySent = "" // it may have thrown the key away with the rest
	s.mu.Unlock()
	s.log.Warn("edge refused an update", "tenant_uid", m.TenantUid, "lane", string(l), "offered", offered.number,
		"reason", m.Reason.String(), "detail", printable(m.Detail), "retry", again)
	s.p.cfg.Metrics.refused(m.Reason)
	if !again {
		s.acknowledge(c)
	}
	s.mark(uid, true, true, false)
}

// printable is an edge's text as it can be stored and shown: bounded, and without the characters that neither a terminal
// nor Postgres's JSON should be given.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text[:min(len(text), maxDetail)], ""))
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
