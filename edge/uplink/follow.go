package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

var (
	errSilence  = errors.New("the control plane was silent for 15 s")
	errDeparted = errors.New("the edge has left")
)

// away is what happened since the control plane last welcomed this edge.
type away struct {
	attempts int
	said     verdict // the last time
	doubt    doubt
}

// follow keeps a stream up until ctx is cancelled or the edge departs.
func (u *Uplink) follow(ctx context.Context, store *snapshot.Store) error {
	defer close(u.departed)
	var a away
	for {
		welcomed, err := u.stream(ctx, store)
		u.up.Store(false)
		if ctx.Err() != nil || u.departing() {
			return nil
		}
		if welcomed {
			a = away{}
		}
		timer := time.NewTimer(u.pause(ctx, store, err, &a))
		a.attempts++
		select {
		case <-timer.C:
		case <-u.depart:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

func (u *Uplink) departing() bool {
	select {
	case <-u.depart:
		return true
	default:
		return false
	}
}

// pause acts on how the stream ended, and says when to come back.
func (u *Uplink) pause(ctx context.Context, store *snapshot.Store, err error, a *away) time.Duration {
	said := verdictOf(err)
	if (said == none || said == unknown) && connect.CodeOf(err) == connect.CodeUnauthenticated {
		// An expired certificate opens no stream, but it still renews. And whoever does not know the edge says so twice.
		if err = u.renewNow(ctx, store); err == nil {
			return jitter(a.attempts)
		}
		said = verdictOf(err)
	}
	again := said == a.said
	a.said = said
	if said != unknown {
		a.doubt = doubt{}
	}
	log, because := u.config.Log, slog.Any("error", err)
	switch said {
	case disabled, removed:
		store.Withdraw()
		if !again {
			log.ErrorContext(ctx, "this edge was disabled or deleted: it serves nothing", slog.Bool("deleted", said == removed), because)
		}
		if said == removed {
			return removedWait + rand.N(removedWait/10) //nolint:gosec // to spread load
		}
		wait := min(disabledWait, firstDisabledWait<<min(a.attempts, 10))
		return wait/2 + rand.N(wait/2) //nolint:gosec // to spread load
	case unknown:
		if a.doubt.settled(time.Now()) {
			store.Withdraw()
			log.ErrorContext(ctx, "the control plane still does not know this edge: it serves nothing", because)
		} else {
			log.ErrorContext(ctx, "the control plane does not know this edge, and did not delete it: is its database an older one?",
				slog.Duration("serves_for", max(0, unknownFor-time.Since(a.doubt.since))), because)
		}
		return jitter(a.attempts)
	}
	wait := jitter(a.attempts)
	if bye := (*goodbye)(nil); errors.As(err, &bye) {
		wait = bye.wait + rand.N(bye.wait/2+firstWait) //nolint:gosec // to spread load
	}
	log.WarnContext(ctx, "the stream from the control plane ended; coming back", slog.Duration("in", wait), because)
	return wait
}

// stream is one stream, from Hello to its end. welcomed tells that the control plane took it.
func (u *Uplink) stream(parent context.Context, store *snapshot.Store) (welcomed bool, err error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	raw, err := u.client.Sync(ctx)
	if err != nil {
		return false, err
	}
	s := &stream{uplink: u, store: store, raw: raw, out: make(chan *edgev1.SyncRequest, 16), build: make(chan struct{}, concurrentBuild)}
	s.heard()
	hello := &edgev1.Hello{Version: u.config.Version, BootId: u.config.BootID, Have: store.Have()}
	if err := raw.Send(&edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Hello{Hello: hello}}); err != nil {
		// What the server said is in Receive.
		_, err = raw.Receive()
		return false, err
	}
	var group sync.WaitGroup
	group.Go(func() { cancel(s.send(ctx)) })
	group.Go(func() { s.watch(ctx, cancel) })
	err = s.receive(ctx)
	cause := context.Cause(ctx)
	cancel(err)
	group.Wait()
	s.work.Wait()
	_ = raw.CloseResponse()
	// What the control plane said explains more than that nothing could be sent to it.
	if cause != nil && parent.Err() == nil && verdictOf(err) == none {
		err = cause
	}
	return s.welcomed, err
}

type stream struct {
	uplink   *Uplink
	store    *snapshot.Store
	raw      *connect.BidiStreamForClientSimple[edgev1.SyncRequest, edgev1.SyncResponse]
	out      chan *edgev1.SyncRequest
	build    chan struct{} // tokens of config updates that are compiled
	work     sync.WaitGroup
	last     atomic.Int64 // when something was heard
	welcomed bool
}

func (s *stream) heard() { s.last.Store(time.Now().UnixNano()) }

// send is the only goroutine that sends.
func (s *stream) send(ctx context.Context) error {
	for {
		timer := time.NewTimer(heartbeat*4/5 + rand.N(heartbeat*2/5)) //nolint:gosec // to spread load
		var m *edgev1.SyncRequest
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case m = <-s.out:
		case <-timer.C:
			m = &edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Heartbeat{Heartbeat: &edgev1.Heartbeat{Time: timestamppb.Now()}}}
		case <-s.uplink.depart:
			m = &edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Goodbye{Goodbye: &edgev1.Goodbye{Reason: "drain"}}}
			_ = s.raw.Send(m)
			_ = s.raw.CloseRequest()
			s.await(ctx)
			return errDeparted
		}
		timer.Stop()
		if err := s.raw.Send(m); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
}

// await gives the control plane a moment to take the goodbye: closing the stream at once could overtake it.
func (s *stream) await(ctx context.Context) {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// watch ends a stream that has gone silent: writes into a dead connection succeed for a long time.
func (s *stream) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if now.Sub(time.Unix(0, s.last.Load())) > silence {
				cancel(errSilence)
				return
			}
		}
	}
}

func (s *stream) receive(ctx context.Context) error {
	for {
		m, err := s.raw.Receive()
		if err != nil {
			return err
		}
		s.heard()
		switch m := m.GetMsg().(type) {
		case *edgev1.SyncResponse_Welcome:
			s.store.TrustHeadKeys(m.Welcome.GetHeadKeys())
			s.welcomed = true
			s.uplink.up.Store(true)
			s.uplink.config.Log.InfoContext(ctx, "following the control plane", slog.String("edge", m.Welcome.GetEdge()))
		case *edgev1.SyncResponse_Update:
			s.update(ctx, m.Update)
		case *edgev1.SyncResponse_Head:
			if refused := s.store.Head(m.Head); refused != nil {
				s.say(ctx, &edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Refused{Refused: refused}})
			}
		case *edgev1.SyncResponse_Goodbye:
			return &goodbye{m.Goodbye.GetReason(), time.Duration(m.Goodbye.GetRetryAfterMs()) * time.Millisecond}
		}
	}
}

// update applies an update. The platform's is applied before anything else is heard, as all others depend on it; tenants
// do not wait for each other, and what is urgent waits for nothing.
func (s *stream) update(ctx context.Context, u *edgev1.Update) {
	if u.GetTenantUid() == snapshot.PlatformUID {
		s.apply(ctx, u)
		return
	}
	s.work.Go(func() {
		if u.GetLane() == edgev1.Lane_LANE_CONFIG {
			s.build <- struct{}{}
			defer func() { <-s.build }()
		}
		s.apply(ctx, u)
	})
}

func (s *stream) apply(ctx context.Context, u *edgev1.Update) {
	applied, refused := s.store.Apply(u)
	if refused != nil {
		s.say(ctx, &edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Refused{Refused: refused}})
		return
	}
	s.say(ctx, &edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Applied{Applied: applied}})
}

func (s *stream) say(ctx context.Context, m *edgev1.SyncRequest) {
	select {
	case s.out <- m:
	case <-ctx.Done():
	}
}
