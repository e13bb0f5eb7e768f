package edgerpc

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

const (
	helloWithin    = 10 * time.Second
	heartbeatEvery = 5 * time.Second
	// writeWithin bounds one message to an edge that does not read.
	writeWithin = 15 * time.Second
	// leaveWithin is how long an edge that was told goodbye has to close its side.
	leaveWithin = 2 * time.Second
	// departWithin bounds the note of an edge's goodbye.
	departWithin = 5 * time.Second
	// comeBack spreads the return of edges that were sent away.
	comeBack = 2 * time.Second
)

type bidi = connect.BidiStream[edgev1.SyncRequest, edgev1.SyncResponse]

// Sync is the one stream of an edge: this goroutine reads, another one writes, and each ends the other.
func (h *Handlers) Sync(ctx context.Context, stream *bidi) error {
	edge, from, err := h.edge(ctx, false)
	if err != nil {
		return err
	}
	select {
	case <-h.draining:
		return h.sendAway(stream, snapshot.GoodbyeDrain)
	default:
	}
	if !h.streams.Allow() {
		return h.sendAway(stream, snapshot.GoodbyeOverload)
	}
	key, err := edgefleet.ParseHPKEKey(edge.HPKEPublicKey)
	if err != nil {
		return err
	}
	hello, err := receiveHello(stream, from)
	if err != nil {
		return err
	}
	log := h.cfg.Log.With("edge", edge.Name, "edge_uid", string(edge.EdgeUID))
	conn := &connection{
		h: h, stream: stream, from: from, edge: edge.EdgeUID, boot: hello.BootId, version: hello.Version,
		follow: h.cfg.Publisher.Subscribe(snapshot.Edge{
			UID: edge.EdgeUID, PoolUID: edge.PoolUID, SPKISHA256: from.identity.SPKISHA256, HPKEPublicKey: key,
		}, hello.Have),
	}
	defer conn.follow.Close()
	// Whoever was disabled before the stream could be cut is caught by this second look.
	if _, _, err := h.edge(ctx, false); err != nil {
		return err
	}
	if err := h.cfg.Presence.Arrived(ctx, conn.edge, conn.boot, conn.version); err != nil {
		return err
	}
	log.InfoContext(ctx, "edge connected", "ip", from.ip, "version", hello.Version, "boot", hello.BootId, "tenants", len(hello.Have))
	err = conn.run(ctx, edge.Name)
	log.InfoContext(ctx, "edge disconnected", "error", err)
	return err
}

func receiveHello(stream *bidi, from *request) (*edgev1.Hello, error) {
	// Not every transport of a test has deadlines; the sync port's has.
	_ = from.rc.SetReadDeadline(time.Now().Add(helloWithin))
	first, err := stream.Receive()
	if err != nil {
		return nil, ended(err)
	}
	hello := first.GetHello()
	if hello == nil {
		return nil, &controlplane.Error{Kind: controlplane.Invalid, Reason: controlplane.ReasonFieldRequired, Message: "the first message must be Hello"}
	}
	return hello, nil
}

// connection is one stream while it runs.
type connection struct {
	h             *Handlers
	stream        *bidi
	from          *request
	follow        *snapshot.Stream
	edge          controlplane.UID
	boot, version string
}

func (c *connection) run(ctx context.Context, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wrote := make(chan error, 1)
	go func() {
		err := c.write(ctx, name)
		// Whatever ended the writing also ends the reading: after a goodbye the edge gets a moment to close its side.
		patience := time.Now()
		if err == nil {
			patience = patience.Add(leaveWithin)
		}
		cancel()
		_ = c.from.rc.SetReadDeadline(patience)
		wrote <- err
	}()
	readErr := c.read(ctx)
	cancel()
	if err := <-wrote; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return readErr
}

// read takes in what the edge says, until it ends the stream, says goodbye, or is silent.
func (c *connection) read(ctx context.Context) error {
	for {
		_ = c.from.rc.SetReadDeadline(time.Now().Add(edgefleet.Silence))
		if ctx.Err() != nil {
			// The writer is done, and may have set its deadline before ours.
			_ = c.from.rc.SetReadDeadline(time.Now().Add(leaveWithin))
		}
		message, err := c.stream.Receive()
		if err != nil {
			return ended(err)
		}
		c.h.cfg.Presence.Heard(c.edge, c.boot, c.version)
		switch m := message.Msg.(type) {
		case *edgev1.SyncRequest_Applied:
			c.follow.Applied(m.Applied)
		case *edgev1.SyncRequest_Refused:
			c.follow.Refused(m.Refused)
		case *edgev1.SyncRequest_Heartbeat:
		case *edgev1.SyncRequest_Goodbye:
			return c.departed(ctx)
		default:
			return &controlplane.Error{Kind: controlplane.Invalid, Reason: controlplane.ReasonFieldInvalid, Message: "unexpected message"}
		}
	}
}

// departed notes the goodbye, also when the stream is ending already: until it is noted, everybody waits for the edge.
func (c *connection) departed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), departWithin)
	defer cancel()
	return c.h.cfg.Presence.Departed(ctx, c.edge)
}

// write sends what is due. It returns nil after a goodbye.
func (c *connection) write(ctx context.Context, name string) error {
	welcome := &edgev1.Welcome{
		Edge: name, Version: c.h.cfg.Version, HeadKeys: c.h.headKeys(),
	}
	if err := c.send(&edgev1.SyncResponse{Msg: &edgev1.SyncResponse_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	beat := time.NewTimer(heartbeat())
	defer beat.Stop()
	for {
		if reason := c.follow.CutReason(); reason != "" {
			return c.send(goodbye(reason))
		}
		message, err := c.follow.Next(ctx)
		if err != nil {
			return err
		}
		if message == nil {
			select {
			case <-c.follow.Ready():
				continue
			case <-beat.C:
				message = &edgev1.SyncResponse{Msg: &edgev1.SyncResponse_Heartbeat{Heartbeat: &edgev1.Heartbeat{Time: timestamppb.New(c.h.cfg.Now())}}}
				beat.Reset(heartbeat())
			case <-c.h.draining:
				c.follow.Cut(snapshot.GoodbyeDrain)
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := c.send(message); err != nil {
			return err
		}
	}
}

func (c *connection) send(m *edgev1.SyncResponse) error {
	_ = c.from.rc.SetWriteDeadline(time.Now().Add(writeWithin))
	if err := c.stream.Send(m); err != nil {
		return ended(err)
	}
	return nil
}

func (h *Handlers) sendAway(stream *bidi, reason string) error {
	return stream.Send(goodbye(reason))
}

func goodbye(reason string) *edgev1.SyncResponse {
	g := &edgev1.Goodbye{Reason: reason}
	if reason == snapshot.GoodbyeDrain || reason == snapshot.GoodbyeOverload {
		g.RetryAfterMs = 1 + rand.N(comeBack).Milliseconds() //nolint:gosec // spreads load, hides nothing
	}
	return &edgev1.SyncResponse{Msg: &edgev1.SyncResponse_Goodbye{Goodbye: g}}
}

// heartbeat is 5 s, give or take a fifth, so that many streams do not beat together.
func heartbeat() time.Duration {
	return heartbeatEvery - heartbeatEvery/5 + rand.N(2*heartbeatEvery/5) //nolint:gosec // spreads load, hides nothing
}

// ended makes an end of the stream that is nobody's fault no error.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
