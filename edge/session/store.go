package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

const (
	// defaultBudget is what one round trip to Redis may take of a request.
	defaultBudget = 100 * time.Millisecond
	// probeDown and probeUp are how often the store's health is looked at, without any request doing so.
	probeDown = 250 * time.Millisecond
	probeUp   = time.Second
)

// errStoreDown is what everybody gets while the breaker is open: at once, without a network call.
var errStoreDown = errors.New("the session store is down")

// Dial opens a Redis for New. Single-key commands only are sent, so a Cluster or Sentinel client does as well.
func Dial(addr, username, password string) redis.UniversalClient {
	silence()
	return redis.NewClient(&redis.Options{
		Addr: addr, Username: username, Password: password,
		// The budget of each operation is in its context; these are for what has none.
		ContextTimeoutEnabled: true, DialTimeout: time.Second, ReadTimeout: 3 * time.Second, WriteTimeout: 3 * time.Second,
		// A retry would spend another's budget; the breaker's probe finds out when Redis is back.
		MaxRetries: -1, DialerRetries: 1,
		// Neither is of use here, and servers that do not know them answer with errors.
		DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// silence stops the library from writing to stderr, past our log. What it would say is in the errors that it returns.
var silence = sync.OnceFunc(func() { redis.SetLogger(mute{}) })

type mute struct{}

func (mute) Printf(context.Context, string, ...any) {}

// store is the region's Redis. Values are sealed with their key as associated data, so that a copy of Redis opens
// nothing and a value moved to another key is refused. It can say "ended"; it cannot say "no session".
type store struct {
	redis  redis.UniversalClient
	budget time.Duration
	now    func() time.Time
	log    *slog.Logger

	down     atomic.Bool
	lastGood atomic.Int64 // unix ms; 0: never

	// pending are tombstones that could not be written; the prober writes them once the store is back.
	pending chan tombstone
	foreign atomic.Int64 // values that did not open
	failed  atomic.Int64 // calls that failed
}

type tombstone struct {
	key    string
	expire time.Time
}

const maxPending = 10_000

func newStore(c Config) *store {
	s := &store{redis: c.Redis, budget: c.Budget, now: c.Now, log: c.Log, pending: make(chan tombstone, maxPending)}
	if s.budget == 0 {
		s.budget = defaultBudget
	}
	return s
}

func hostKey(tenant string, i idHash) string { return "sp:h:" + tenant + ":" + i.text() }
func sessionKey(tenant, sid string) string   { return "sp:s:" + tenant + ":" + sid }
func endedKey(tenant, name string) string    { return "sp:x:" + tenant + ":" + name }
func usedKey(tenant, token string) string    { return "sp:used:" + tenant + ":" + token }

// idHash is what the store and everybody else knows of a cookie's id.
type idHash [32]byte

func (h idHash) text() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// found is what the store knows of a cookie. Missing records are nil, and prove nothing.
type found struct {
	sessionEnded, hostEnded bool
	host                    *edgev1.HostRecord
	session                 *edgev1.SessionRecord
}

// load reads all that is known, in one round trip. An error is about the store, never about the session.
func (s *store) load(ctx context.Context, key tink.AEAD, tenant, sid string, h idHash) (found, error) {
	if key == nil {
		return found{}, errNoKey
	}
	var dead, gone, host, session *redis.StringCmd
	err := s.do(ctx, func(ctx context.Context) error {
		_, err := s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			dead = p.Get(ctx, endedKey(tenant, sid))
			gone = p.Get(ctx, endedKey(tenant, h.text()))
			host = p.Get(ctx, hostKey(tenant, h))
			session = p.Get(ctx, sessionKey(tenant, sid))
			return nil
		})
		if errors.Is(err, redis.Nil) {
			err = nil
			for _, c := range []*redis.StringCmd{dead, gone, host, session} {
				if e := c.Err(); e != nil && !errors.Is(e, redis.Nil) {
					err = e
				}
			}
		}
		return err
	})
	if err != nil {
		return found{}, err
	}
	// A tombstone counts whatever it holds: whoever can write here can at worst sign people out.
	f := found{sessionEnded: dead.Err() == nil, hostEnded: gone.Err() == nil}
	if r := (&edgev1.HostRecord{}); s.open(ctx, key, hostKey(tenant, h), host, r) {
		f.host = r
	}
	if r := (&edgev1.SessionRecord{}); s.open(ctx, key, sessionKey(tenant, sid), session, r) && sidText(r.GetSession().GetSid()) == sid {
		f.session = r
	}
	return f, nil
}

func (s *store) open(ctx context.Context, key tink.AEAD, name string, c *redis.StringCmd, m proto.Message) bool {
	if c.Err() != nil {
		return false
	}
	raw, _ := c.Bytes()
	if err := Open(key, raw, m, AssociatedData("redis", name)); err != nil {
		s.foreign.Add(1)
		s.log.WarnContext(ctx, "a value of the session store does not open", "key", name, "err", err)
		return false
	}
	return true
}

func (s *store) putHost(ctx context.Context, key tink.AEAD, tenant string, h idHash, r *edgev1.HostRecord, ttl time.Duration) error {
	return s.put(ctx, key, hostKey(tenant, h), r, ttl, false)
}

// putSession with onlyNew leaves a record that is there alone: it may know more groups than the ticket that wants to
// replace it.
func (s *store) putSession(ctx context.Context, key tink.AEAD, tenant string, r *edgev1.SessionRecord, ttl time.Duration, onlyNew bool) error {
	return s.put(ctx, key, sessionKey(tenant, sidText(r.GetSession().GetSid())), r, ttl, onlyNew)
}

func (s *store) put(ctx context.Context, key tink.AEAD, name string, m proto.Message, ttl time.Duration, onlyNew bool) error {
	sealed, err := Seal(key, m, AssociatedData("redis", name))
	if err != nil {
		return err
	}
	return s.do(ctx, func(ctx context.Context) error {
		if onlyNew {
			return s.redis.SetNX(ctx, name, sealed, atLeast(ttl)).Err()
		}
		return s.redis.Set(ctx, name, sealed, atLeast(ttl)).Err()
	})
}

// end writes a tombstone, now or when the store is back.
func (s *store) end(ctx context.Context, tenant, name string, expire time.Time) {
	t := tombstone{endedKey(tenant, name), expire}
	if err := s.write(ctx, t); err != nil {
		select {
		case s.pending <- t:
		default:
			s.log.ErrorContext(ctx, "a tombstone is lost: too many wait for the session store", "waiting", maxPending)
		}
	}
}

func (s *store) write(ctx context.Context, t tombstone) error {
	return s.do(ctx, func(ctx context.Context) error {
		return s.redis.Set(ctx, t.key, "1", atLeast(t.expire.Sub(s.now()))).Err()
	})
}

// firstUse says whether a one-time token was not used before. While the store is down the caller has to remember itself.
func (s *store) firstUse(ctx context.Context, tenant, token string, ttl time.Duration) (first bool, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		var err error
		first, err = s.redis.SetNX(ctx, usedKey(tenant, token), 1, ttl).Result()
		return err
	})
	return first, err
}

// forget removes records that a tombstone has made useless. What stays, expires.
func (s *store) forget(ctx context.Context, names ...string) {
	_ = s.do(ctx, func(ctx context.Context) error {
		_, err := s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, n := range names {
				p.Del(ctx, n)
			}
			return nil
		})
		return err
	})
}

// do runs one round trip within the budget and keeps the breaker. The caller's cancellation is no fault of the store.
func (s *store) do(ctx context.Context, op func(context.Context) error) error {
	if s.redis == nil || s.down.Load() {
		return errStoreDown
	}
	return s.try(ctx, op)
}

func (s *store) try(ctx context.Context, op func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, s.budget)
	defer cancel()
	err := op(limited)
	switch {
	case err == nil || errors.Is(err, redis.Nil):
		s.good(ctx)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	s.failed.Add(1)
	if isFull(err) {
		// Reads still work, and a ticket needs no record: the breaker would turn a full store into none.
		s.log.ErrorContext(ctx, "the session store is full", "err", err)
		return err
	}
	if !s.down.Swap(true) {
		s.log.ErrorContext(ctx, "the session store is down: tickets carry the signed-in", "err", err)
	}
	return fmt.Errorf("%w: %w", errStoreDown, err)
}

func (s *store) good(ctx context.Context) {
	s.lastGood.Store(s.now().UnixMilli())
	if s.down.Swap(false) {
		s.log.InfoContext(ctx, "the session store is back")
	}
}

func isFull(err error) bool {
	var e redis.Error
	return errors.As(err, &e) && redis.HasErrorPrefix(e, "OOM")
}

// healthy is whether the next operation will be tried.
func (s *store) healthy() bool { return s.redis != nil && !s.down.Load() }

// lastHealthy is when the store last answered this process; zero if it never did.
func (s *store) lastHealthy() time.Time {
	ms := s.lastGood.Load()
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// run looks after the store: it is the only one that calls it while the breaker is open.
func (s *store) run(ctx context.Context) error {
	if s.redis == nil {
		<-ctx.Done()
		return nil
	}
	for {
		wasDown := s.down.Load()
		err := s.try(ctx, func(ctx context.Context) error { return s.redis.Ping(ctx).Err() })
		if err == nil {
			s.drain(ctx)
			if wasDown {
				if err := s.checkEviction(ctx); err != nil {
					s.log.ErrorContext(ctx, "the session store is set up wrongly", "err", err)
				}
			}
		}
		wait := probeUp
		if s.down.Load() {
			wait = probeDown
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (s *store) drain(ctx context.Context) {
	for {
		select {
		case t := <-s.pending:
			if t.expire.Before(s.now()) {
				continue
			}
			if s.write(ctx, t) != nil {
				select {
				case s.pending <- t:
				default:
				}
				return
			}
		default:
			return
		}
	}
}

func atLeast(d time.Duration) time.Duration { return max(d, time.Second) }
