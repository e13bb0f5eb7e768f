package session

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Config is what Sessions needs.
type Config struct {
	// Redis is the region's store; Dial makes one. Nil means that there is none, and tickets carry everybody.
	Redis redis.UniversalClient
	// Budget is what one round trip to Redis may take of a request; 0 means 100 ms. One that takes longer opens the
	// breaker, and tickets carry everybody until Redis is well again.
	Budget time.Duration
	// Now is the clock of requests.
	Now func() time.Time
	// Region is where this edge is; sessions remember where they were made.
	Region string
	Log    *slog.Logger
	// Report takes a session event for the control plane. It must not block.
	Report func(tenantUID string, e *edgev1.SessionEvent)
	// ReportNow sends what Report took, and says whether every edge enforces it already.
	ReportNow func(ctx context.Context, tenantUID string) (urgent int64, enforced bool, err error)
	// OnEnd hears of sessions that end on this edge, so that their open streams are judged again. Nil is fine.
	OnEnd func(tenantUID, sid string)
	// MaxCached bounds the cookies that are remembered; 0 means 100,000.
	MaxCached int
}

// Sessions seals, reads and ends the sessions of all tenants at this edge.
type Sessions struct {
	cfg   Config
	store *store

	// opened is keyed by the SHA-256 of the whole cookie value: nothing less proves that its ticket was opened.
	opened *otter.Cache[[sha256.Size]byte, *opened]
	// hosts is what was seen of each host session; it outlives a cookie's value, which changes with every new ticket.
	hosts *otter.Cache[idHash, *live]
	// ended holds what ended on this edge, or was learned to have ended, by name.
	ended   *otter.Cache[named, struct{}]
	endings atomic.Int64
	// once holds the one-time tokens that were used on this edge.
	once *otter.Cache[named, struct{}]

	// jobs are writes and reads of the store that no request waits for.
	jobs chan func(context.Context)

	hits, misses                     atomic.Int64
	unreadable, carried, unavailable atomic.Int64
}

type named struct{ tenant, name string }

const (
	// fresh is how long the store's word counts without asking again; stale is how long it is served while asking.
	fresh = 30 * time.Second
	stale = 120 * time.Second

	defaultCached = 100_000
	maxEnded      = 200_000
	// remembered is longer than any idle limit that makes sense to judge by memory.
	remembered = 24 * time.Hour
	workers    = 4
	maxJobs    = 4096
)

// New makes Sessions. Run has to run for them to work well; without it nothing is refreshed in the background.
func New(c Config) *Sessions {
	if c.MaxCached == 0 {
		c.MaxCached = defaultCached
	}
	return &Sessions{
		cfg:    c,
		store:  newStore(c),
		opened: otter.Must(&otter.Options[[sha256.Size]byte, *opened]{MaximumSize: c.MaxCached, ExpiryCalculator: otter.ExpiryAccessing[[sha256.Size]byte, *opened](10 * time.Minute)}),
		hosts:  otter.Must(&otter.Options[idHash, *live]{MaximumSize: c.MaxCached, ExpiryCalculator: otter.ExpiryAccessing[idHash, *live](remembered)}),
		ended:  otter.Must(&otter.Options[named, struct{}]{MaximumSize: maxEnded, ExpiryCalculator: otter.ExpiryWriting[named, struct{}](remembered)}),
		once:   otter.Must(&otter.Options[named, struct{}]{MaximumSize: maxOnce, ExpiryCalculator: otter.ExpiryWriting[named, struct{}](15 * time.Minute)}),
		jobs:   make(chan func(context.Context), maxJobs),
	}
}

// Run keeps the store's health and does the background work, until ctx ends.
func (s *Sessions) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.store.run(ctx) })
	for range workers {
		g.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case job := <-s.jobs:
					job(ctx)
				}
			}
		})
	}
	return g.Wait()
}

// later does a job when a worker is free, or never: whatever is put off here is asked for again.
func (s *Sessions) later(job func(context.Context)) bool {
	select {
	case s.jobs <- job:
		return true
	default:
		return false
	}
}

// Ready says whether the store answers. An edge is ready without it.
func (s *Sessions) Ready() error {
	if !s.store.healthy() {
		return errStoreDown
	}
	return nil
}

// Stats are counts since the start.
type Stats struct {
	Hits        int64 // requests whose session was judged by memory alone
	Misses      int64 // requests that asked the store, or would have had it been there
	Unreadable  int64 // cookies of our name that we did not make, or cannot open any more
	Carried     int64 // requests that a ticket carried because the store did not answer
	Unavailable int64 // requests that could not be carried
	Errors      int64 // calls to the store that failed, probes among them
	Foreign     int64 // values in the store that did not open
	Remembered  int   // host sessions in memory, now
	Waiting     int   // tombstones that wait for the store, now
}

// Stats reads the counts.
func (s *Sessions) Stats() Stats {
	return Stats{
		Hits: s.hits.Load(), Misses: s.misses.Load(), Unreadable: s.unreadable.Load(), Carried: s.carried.Load(), Unavailable: s.unavailable.Load(),
		Errors: s.store.failed.Load(), Foreign: s.store.foreign.Load(), Remembered: s.hosts.EstimatedSize(), Waiting: len(s.store.pending),
	}
}
