package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport-iap/sallyport/edge"
	"github.com/sallyport-iap/sallyport/edge/listener"
	"github.com/sallyport-iap/sallyport/edge/uplink"
)

// departure bounds how long a goodbye may take.
const departure = 3 * time.Second

// run joins, serves until ctx is cancelled, and leaves: readiness goes off, requests finish, the last records are
// delivered, the control plane is told, in this order.
func (c *configuration) run(ctx context.Context) error {
	sockets, err := c.listen(ctx)
	if err != nil {
		return err
	}
	tie, err := uplink.Open(ctx, uplink.Config{
		Dir: c.DataDir, URL: c.SyncURL, JoinToken: c.joinToken, Version: version, BootID: "b_" + random(), Log: c.log,
	})
	if err != nil {
		return errors.Join(err, sockets.close())
	}
	if id := tie.Identity(); c.Name != "" && !strings.HasSuffix(id.Edge, "/edges/"+c.Name) {
		return errors.Join(fmt.Errorf("--name, --data-dir: the identity there is of %s, not of %q", id.Edge, c.Name), sockets.close())
	}
	node, registry, err := c.node(ctx, tie)
	if err != nil {
		return errors.Join(err, sockets.close())
	}
	return c.serve(ctx, sockets, tie, node, registry)
}

type sockets struct{ clients, health net.Listener }

func (s sockets) close() error { return errors.Join(s.clients.Close(), s.health.Close()) }

// listen takes both addresses first: a port that is taken should be told before anything has begun.
func (c *configuration) listen(ctx context.Context) (sockets, error) {
	var l net.ListenConfig
	clients, err := l.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return sockets{}, fmt.Errorf("--listen: %w", err)
	}
	health, err := l.Listen(ctx, "tcp", c.HealthListen)
	if err != nil {
		return sockets{}, errors.Join(fmt.Errorf("--health-listen: %w", err), clients.Close())
	}
	return sockets{clients, health}, nil
}

// node puts the edge together.
func (c *configuration) node(ctx context.Context, tie *uplink.Uplink) (*edge.Node, *prometheus.Registry, error) {
	private, err := tie.Identity().Private()
	if err != nil {
		return nil, nil, fmt.Errorf("read the data key: %w", err)
	}
	if c.RedisAddr == "" {
		c.log.WarnContext(ctx, "there is no session store (--redis-addr): sealed cookies carry every session")
	}
	registry := prometheus.NewRegistry()
	node := edge.NewNode(edge.NodeConfig{
		HeadKeys: tie.Identity().HeadKeys(), Private: private, Report: tie.Report, Certificates: c.certificates,
		Countries:  c.countries,
		Redis:      edge.Redis{Address: c.RedisAddr, User: c.RedisUsername, Password: c.redisPassword},
		PublicPort: c.publicPort, Region: c.Region, BootID: tie.BootID(), Drain: c.DrainTimeout, Registerer: registry, Now: time.Now, Log: c.log,
		Limits: listener.Limits{Connections: c.MaxConnections, PerSource: c.MaxConnectionsPerSource, NewPerSource: c.MaxNewConnectionsPerSource},
	})
	limits := node.Limits()
	c.log.InfoContext(ctx, "connections are limited", "connections", limits.Connections, "per_source", limits.PerSource, "new_per_source", limits.NewPerSource, "per_network", limits.PerNetwork())
	if err := node.Sessions.CheckStore(ctx); err != nil {
		return nil, nil, fmt.Errorf("--redis-addr: %w", err)
	}
	return node, registry, nil
}

func (c *configuration) serve(ctx context.Context, s sockets, tie *uplink.Uplink, node *edge.Node, registry *prometheus.Registry) error {
	// What goes on beside requests ends after the last request.
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, beside := errgroup.WithContext(beside)
	health := newHealth(node, tie, registry)
	g.Go(func() error { return health.run(beside, s.health, c.log) })
	g.Go(func() error { return tie.Run(beside, node.Store) })
	g.Go(func() error { return c.certificates.Run(beside) })
	g.Go(func() error { return c.countries.Run(beside) })
	records, lastRecord := context.WithCancel(beside)
	defer lastRecord()
	ran := make(chan struct{})
	g.Go(func() error {
		defer close(ran)
		return node.Run(records)
	})

	serving, stopServing := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopServing(nil)
	g.Go(func() error {
		select {
		case <-ctx.Done():
			c.log.InfoContext(ctx, "stopping", "cause", context.Cause(ctx))
			health.leaving.Store(true)
			sleep(beside, c.DrainDelay)
		case <-beside.Done(): // something that serving depends on failed
		}
		stopServing(nil)
		return nil
	})
	err := node.Serve(serving, s.clients)
	lastRecord()
	<-ran
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), departure)
	defer cancel()
	if err := tie.Depart(leave); err != nil {
		c.log.WarnContext(ctx, "the control plane could not be told that this edge leaves", "error", err)
	}
	stop()
	return errors.Join(err, g.Wait())
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func random() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
