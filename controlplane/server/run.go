package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// Run is a control plane: it serves until ctx ends, and then stops in order. Readiness goes off; whoever sends requests
// gets DrainDelay to notice; edges are told to go elsewhere; requests end; loops end; what they still hold is written.
func Run(ctx context.Context, config Config) error {
	health := newHealth(config.Version)
	private := newHTTP(health.handler(config.Health.Addr()), config.Log)
	served := make(chan error, 1)
	go func() { served <- serve(private, config.Health) }()
	err := run(ctx, config, health)
	stop(private, time.Second)
	_ = config.API.Close()
	_ = config.Sync.Close()
	return errors.Join(err, <-served)
}

func run(ctx context.Context, config Config, health *health) error {
	db, err := OpenDatabase(ctx, store.Config{AppURL: config.AppURL, FeedURL: config.FeedURL, Keys: config.Keys, Log: config.Log}, config.DatabaseWait)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := assemble(ctx, config, db, health.registry)
	if err != nil {
		return err
	}

	// Loops outlive ctx: they serve the requests that are still there while the servers drain.
	alive, die := context.WithCancel(context.WithoutCancel(ctx))
	defer die()
	loops, broken := errgroup.WithContext(alive)
	for name, loop := range p.loops {
		loops.Go(func() error {
			err := loop(broken)
			if err == nil && broken.Err() == nil {
				err = errors.New("ended")
			}
			return fmt.Errorf("%s: %w", name, err)
		})
	}
	api, sync := newAPI(p.api, config.Log), newSync(p.sync, p.tls, config.Log)
	loops.Go(func() error { return serve(api, config.API) })
	loops.Go(func() error { return serve(sync, config.Sync) })
	health.set(p.checks...)
	config.Log.InfoContext(ctx, "control plane is up", "api", config.API.Addr().String(), "sync", config.Sync.Addr().String(), "health", config.Health.Addr().String())

	select {
	case <-ctx.Done():
		config.Log.InfoContext(ctx, "stopping", "cause", context.Cause(ctx).Error())
		health.set(check{"drain", func(context.Context) error { return errors.New("stopping") }})
		wait(broken, config.DrainDelay)
		p.drain()
	case <-broken.Done():
	}
	stopBoth(api, sync, config.DrainTimeout)
	die()
	if err := loops.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func stopBoth(api, sync *http.Server, within time.Duration) {
	done := make(chan struct{})
	go func() {
		stop(api, within)
		close(done)
	}()
	stop(sync, within)
	<-done
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
