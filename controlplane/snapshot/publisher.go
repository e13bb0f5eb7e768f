package snapshot

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

const (
	// headEvery is how often an unchanged head is signed anew while edges are connected.
	headEvery = 10 * time.Second
	// concurrentLoads bounds what a restart with many tenants asks of the database at once: half of its connections, so
	// that heads are still read and acknowledgements still written.
	concurrentLoads = 4
)

// Config is what a publisher needs. All fields are required but Metrics.
type Config struct {
	Store  *store.System
	Signer Signer
	// Acked records what an edge enforces or refused. It must not block.
	Acked   func(store.Ack)
	Now     func() time.Time
	Log     *slog.Logger
	Metrics *Metrics
}

// Publisher keeps the views of every tenant that a connected edge serves, and hands each stream what its edge lacks.
// Each tenant has a loop of its own, so that none waits for another's.
type Publisher struct {
	cfg      Config
	compress *zstd.Encoder
	loads    chan struct{}
	wake     chan struct{}
	platform *tenant

	mu      sync.Mutex
	tenants map[controlplane.UID]*tenant
	waiting []*tenant // whose loops are to be started
	streams map[*Stream]struct{}
	fleet   fleet
}

// New makes a publisher; it does nothing until [Publisher.Run].
func New(cfg Config) (*Publisher, error) {
	compress, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("make zstd encoder: %w", err)
	}
	p := &Publisher{
		cfg: cfg, compress: compress,
		loads:   make(chan struct{}, concurrentLoads),
		wake:    make(chan struct{}, 1),
		tenants: make(map[controlplane.UID]*tenant),
		streams: make(map[*Stream]struct{}),
	}
	p.platform = newTenant(p, controlplane.PlatformUID)
	p.tenants[controlplane.PlatformUID] = p.platform
	return p, nil
}

// Run drives the tenants' loops until ctx ends.
func (p *Publisher) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	defer loops.Wait()
	loops.Go(func() { p.platform.run(ctx) })
	p.platform.poke()
	for {
		select {
		case <-p.wake:
			p.mu.Lock()
			waiting := p.waiting
			p.waiting = nil
			p.mu.Unlock()
			for _, t := range waiting {
				loops.Go(func() { t.run(ctx) })
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Wake says that a tenant has probably changed.
func (p *Publisher) Wake(uid controlplane.UID) {
	p.mu.Lock()
	t := p.tenants[uid]
	p.mu.Unlock()
	if t != nil {
		t.poke()
	}
}

// Compare holds all heads, read from the database at an instant, against what is published. A tenant that differs is
// read; one that does not is known to have been current at that instant, which is what its next head will say.
func (p *Publisher) Compare(heads []store.Head, at time.Time) {
	for _, head := range heads {
		p.mu.Lock()
		t := p.tenants[head.TenantUID]
		p.mu.Unlock()
		if t != nil {
			t.compare(head, at)
		}
	}
}

// Reacknowledge records anew how far every connected edge is.
func (p *Publisher) Reacknowledge() {
	p.mu.Lock()
	streams := make([]*Stream, 0, len(p.streams))
	for s := range p.streams {
		streams = append(streams, s)
	}
	p.mu.Unlock()
	for _, s := range streams {
		s.reacknowledge()
	}
}

// Ready reports whether the platform has been read: before that no stream can be served.
func (p *Publisher) Ready() error {
	if p.platform.current() {
		return nil
	}
	return fmt.Errorf("the platform's snapshot has not been read yet")
}

// tenant returns the tenant's loop, starting it if this is the first to ask.
func (p *Publisher) tenant(uid controlplane.UID) *tenant {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.tenants[uid]; ok {
		return t
	}
	t := newTenant(p, uid)
	p.tenants[uid] = t
	p.waiting = append(p.waiting, t)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return t
}

func (p *Publisher) forget(t *tenant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tenants[t.uid] == t {
		delete(p.tenants, t.uid)
	}
}
