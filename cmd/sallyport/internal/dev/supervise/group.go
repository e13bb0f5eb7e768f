// Package supervise runs the parts of `sallyport dev`: starts them in order, says how far it is, starts again what died,
// and stops everything in the opposite order within 3 s.
//
// It must never leave a part behind. What a kill of this process leaves to the kernel is in cmd/internal/launch.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Attempt runs a part once. It calls ready when the part can be used, and returns when it has ended: nil after ctx was
// cancelled, else the reason.
type Attempt func(ctx context.Context, ready func()) error

// Part is one thing that runs.
type Part struct {
	Name string // in messages, such as "edge eu-1"
	Run  Attempt
}

// Group is the parts that run. Its methods are for one goroutine.
type Group struct {
	out    io.Writer
	stages [][]*running
	failed chan error
}

// NewGroup returns an empty group, which tells its progress to out.
func NewGroup(out io.Writer) *Group { return &Group{out: out, failed: make(chan error, 1)} }

type running struct {
	part  Part
	stop  context.CancelFunc
	ready chan struct{}
	took  time.Duration // to become ready; written before ready is closed
	ended chan struct{}
	err   error // written before ended is closed
}

const (
	remindEvery = 5 * time.Second
	startLimit  = 2 * time.Minute
)

// Start starts a stage: its parts at the same time, of which none needs another. It returns when all are ready, or with
// the first failure; call Stop in either case.
func (g *Group) Start(ctx context.Context, parts ...Part) error {
	begun := time.Now()
	var stage []*running
	for _, part := range parts {
		stage = append(stage, g.begin(ctx, part))
	}
	g.stages = append(g.stages, stage)
	for _, r := range stage {
		if err := g.await(ctx, r, begun); err != nil {
			return err
		}
		fmt.Fprintf(g.out, "  %5.1f s  %s\n", r.took.Seconds(), r.part.Name)
	}
	return nil
}

// begin runs the part under a context of its own: the group's order ends it, not the signal.
func (g *Group) begin(ctx context.Context, part Part) *running {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	begun := time.Now()
	r := &running{part: part, stop: stop, ready: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.err = part.Run(ctx, sync.OnceFunc(func() {
			r.took = time.Since(begun)
			close(r.ready)
		}))
		if ctx.Err() != nil {
			return
		}
		if r.err == nil {
			r.err = errors.New("it ended by itself")
		}
		select {
		case g.failed <- fmt.Errorf("%s: %w", part.Name, r.err):
		default: // the first failure is told
		}
	}()
	return r
}

func (g *Group) await(ctx context.Context, r *running, begun time.Time) error {
	remind := time.NewTicker(remindEvery)
	defer remind.Stop()
	for {
		select {
		case <-r.ready:
			return nil
		case <-r.ended:
			return fmt.Errorf("%s: %w", r.part.Name, r.err)
		case err := <-g.failed: // another part
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-remind.C:
			if time.Since(begun) > startLimit {
				return fmt.Errorf("%s: not ready after %s", r.part.Name, startLimit)
			}
			fmt.Fprintf(g.out, "  %5.1f s  still waiting for: %s\n", time.Since(begun).Seconds(), r.part.Name)
		}
	}
}

// Wait blocks until ctx is cancelled (nil) or a part has failed for good.
func (g *Group) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-g.failed:
		return err
	}
}

// Stop ends all parts, the last stage first, and returns when they are gone.
func (g *Group) Stop() {
	for len(g.stages) > 0 {
		last := len(g.stages) - 1
		for _, r := range g.stages[last] {
			r.stop()
		}
		for _, r := range g.stages[last] {
			<-r.ended
		}
		g.stages = g.stages[:last]
	}
}
