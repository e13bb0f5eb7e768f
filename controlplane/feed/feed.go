// Package feed notices that a tenant has changed. It compares the heads that it reads with what has been published: it
// keeps no position in a log, so there is nothing to fall behind, skip, or read in the wrong order.
//
// A notification is a hint that makes it quick. The poll, each second, is the guarantee: whatever is lost, doubled or
// late (a listening connection that broke, a commit that was slow to become visible) is a difference in the next poll.
// The package must never decide anything from a notification's content but whom to look at.
package feed

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// pollEvery bounds how late a change is noticed when every notification is lost.
const pollEvery = time.Second

// Config is what a feed needs; every field is required.
type Config struct {
	Store *store.System
	// Changed says that a tenant has probably changed.
	Changed func(tenant controlplane.UID)
	// Compare holds all heads, read from the database at that instant, against what is published.
	Compare func(heads []store.Head, at time.Time)
	// Acknowledged says that some edge has acknowledged something of a tenant; "" is perhaps any tenant.
	Acknowledged func(tenant controlplane.UID)
	// Reconnected says that the database may have been another one, or may have crashed: what it keeps of
	// acknowledgements, which it does not log, may be gone.
	Reconnected func()
	Now         func() time.Time
	Log         *slog.Logger
}

// Feed is the feed of one process.
type Feed struct {
	cfg  Config
	poll chan struct{}
}

// New makes a feed; it does nothing until [Feed.Run].
func New(cfg Config) *Feed { return &Feed{cfg: cfg, poll: make(chan struct{}, 1)} }

// Run listens and polls until ctx ends.
func (f *Feed) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.cfg.Store.Listen(ctx, f.notified) })
	group.Go(func() error { return f.run(ctx) })
	return group.Wait()
}

func (f *Feed) notified(channel, payload string) {
	switch channel {
	case store.ChannelHead:
		f.cfg.Changed(controlplane.UID(payload))
	case store.ChannelAck:
		f.cfg.Acknowledged(controlplane.UID(payload))
	case "":
		// The connection is new: anything may have been missed.
		f.cfg.Acknowledged("")
		f.cfg.Reconnected()
		select {
		case f.poll <- struct{}{}:
		default:
		}
	}
}

func (f *Feed) run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failing := false
	for {
		at := f.cfg.Now()
		heads, err := f.cfg.Store.Heads(ctx)
		switch {
		case err == nil:
			if failing {
				f.cfg.Log.InfoContext(ctx, "heads can be read again")
			}
			failing = false
			f.cfg.Compare(heads, at)
		case ctx.Err() != nil:
			return ctx.Err()
		case !failing:
			// Said once: edges show it as the age of their policy.
			failing = true
			f.cfg.Log.ErrorContext(ctx, "read heads", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-f.poll:
		}
	}
}
