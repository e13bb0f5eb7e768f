package snapshot

import (
	"context"
	"crypto/hpke"
	"fmt"
	"log/slog"
	"sync"

	"github.com/sallyport-iap/sallyport/controlplane"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Reasons of a Goodbye to an edge; edge.proto lists them.
const (
	GoodbyeDrain    = "drain"
	GoodbyeDisabled = "disabled"
	GoodbyeRemoved  = "removed"
	GoodbyeOverload = "overload"
)

// Edge is who follows: all of it is derived from the edge's certificate.
type Edge struct {
	UID           controlplane.UID
	PoolUID       controlplane.UID
	SPKISHA256    []byte
	HPKEPublicKey hpke.PublicKey
}

// Stream is one connected edge: what it has, and so what it is to be sent. [Stream.Next] is for the one goroutine that
// writes; everything else may be called from anywhere.
type Stream struct {
	p     *Publisher
	edge  Edge
	log   *slog.Logger
	ready chan struct{}

	serving    sync.Mutex // held while the set of tenants changes; taken before mu
	generation int64
	closed     bool

	mu      sync.Mutex
	cut     string
	begun   bool                                 // the edge has been sent its pool
	said    map[controlplane.UID]*edgev1.Version // what Hello said, until it is looked at
	cursors map[controlplane.UID]*cursor
	urgent  map[controlplane.UID]struct{} // tenants whose lane or head may be due
	config  map[controlplane.UID]struct{}
	heads   map[controlplane.UID]struct{}
}

// Subscribe makes a stream for an edge that has what its Hello says. Close it.
func (p *Publisher) Subscribe(edge Edge, have map[string]*edgev1.Version) *Stream {
	s := &Stream{
		p: p, edge: edge, log: p.cfg.Log.With("edge_uid", string(edge.UID)),
		ready:   make(chan struct{}, 1),
		said:    make(map[controlplane.UID]*edgev1.Version, len(have)),
		cursors: make(map[controlplane.UID]*cursor),
		urgent:  make(map[controlplane.UID]struct{}),
		config:  make(map[controlplane.UID]struct{}),
		heads:   make(map[controlplane.UID]struct{}),
	}
	for uid, version := range have {
		s.said[controlplane.UID(uid)] = version
	}
	p.mu.Lock()
	p.streams[s] = struct{}{}
	now := p.fleet
	p.mu.Unlock()
	s.serve(now)
	p.cfg.Metrics.streams(1)
	return s
}

// Close ends the stream.
func (s *Stream) Close() {
	s.p.mu.Lock()
	delete(s.p.streams, s)
	s.p.mu.Unlock()
	s.serving.Lock()
	defer s.serving.Unlock()
	s.closed = true
	s.mu.Lock()
	cursors := s.cursors
	s.cursors = make(map[controlplane.UID]*cursor)
	s.mu.Unlock()
	for _, c := range cursors {
		c.slot.tenant.leave(s, c.slot)
	}
	s.p.cfg.Metrics.streams(-1)
}

// Ready is signalled when [Stream.Next] may have something.
func (s *Stream) Ready() <-chan struct{} { return s.ready }

// Cut asks for the stream to end, for one of the Goodbye reasons.
func (s *Stream) Cut(reason string) {
	s.mu.Lock()
	if s.cut == "" {
		s.cut = reason
	}
	s.mu.Unlock()
	s.signal()
}

// CutReason is why the stream must end, or "".
func (s *Stream) CutReason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cut
}

func (s *Stream) signal() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// serve sets which tenants the stream carries: the platform, and those that its pool serves.
func (s *Stream) serve(f fleet) {
	s.serving.Lock()
	defer s.serving.Unlock()
	if s.closed || f.generation < s.generation {
		return
	}
	s.generation = f.generation
	wanted := map[controlplane.UID]bool{controlplane.PlatformUID: true}
	for _, uid := range f.serves[s.edge.PoolUID] {
		wanted[uid] = true
	}
	s.mu.Lock()
	var leave []*cursor
	for uid, c := range s.cursors {
		if !wanted[uid] {
			delete(s.cursors, uid)
			leave = append(leave, c)
		}
		delete(wanted, uid)
	}
	s.mu.Unlock()
	for _, c := range leave {
		c.slot.tenant.leave(s, c.slot)
	}
	for uid := range wanted {
		c := &cursor{tenant: uid, slot: s.p.tenant(uid).join(s, s.edge.PoolUID)}
		s.mu.Lock()
		c.said = s.said[uid]
		delete(s.said, uid)
		s.cursors[uid] = c
		s.mu.Unlock()
		s.mark(uid, true, true, true)
	}
}

// mark says that something of a tenant may be due.
func (s *Stream) mark(uid controlplane.UID, urgent, config, head bool) {
	s.mu.Lock()
	if urgent {
		s.urgent[uid] = struct{}{}
	}
	if config {
		s.config[uid] = struct{}{}
	}
	if head {
		s.heads[uid] = struct{}{}
	}
	s.mu.Unlock()
	s.signal()
}

// Next returns the next message for the edge, or nil if nothing is due until [Stream.Ready]. Until the edge has its pool
// it is sent nothing else; then urgent lanes come before config lanes, and updates before bare heads.
func (s *Stream) Next(ctx context.Context) (*edgev1.SyncResponse, error) {
	for {
		c, lane := s.take()
		if c == nil {
			return nil, nil
		}
		v := c.slot.view.Load()
		if v == nil {
			continue // it is marked again when it has been read
		}
		if err := s.listen(ctx, c, v); err != nil {
			return nil, fmt.Errorf("tenant %s: %w", c.tenant, err)
		}
		var message *edgev1.SyncResponse
		var err error
		switch lane {
		case "":
			message = &edgev1.SyncResponse{Msg: &edgev1.SyncResponse_Head{Head: v.signed}}
		default:
			message, err = s.update(c, v, lane)
		}
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", c.tenant, err)
		}
		if c.tenant == controlplane.PlatformUID && lane == controlplane.Config {
			s.mu.Lock()
			s.begun = true
			s.mu.Unlock()
		}
		if message != nil {
			return message, nil
		}
	}
}

// take picks what is due next: a tenant and one of its lanes, or "" for a bare head.
func (s *Stream) take() (*cursor, controlplane.Lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, turn := range []struct {
		due  map[controlplane.UID]struct{}
		lane controlplane.Lane
	}{{s.urgent, controlplane.Urgent}, {s.config, controlplane.Config}} {
		if _, ok := turn.due[controlplane.PlatformUID]; ok {
			delete(turn.due, controlplane.PlatformUID)
			return s.cursors[controlplane.PlatformUID], turn.lane
		}
	}
	if !s.begun {
		return nil, ""
	}
	for _, turn := range []struct {
		due  map[controlplane.UID]struct{}
		lane controlplane.Lane
	}{{s.urgent, controlplane.Urgent}, {s.config, controlplane.Config}, {s.heads, ""}} {
		for uid := range turn.due {
			delete(turn.due, uid)
			if c := s.cursors[uid]; c != nil {
				return c, turn.lane
			}
		}
	}
	return nil, ""
}
