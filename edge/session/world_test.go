package session_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/session/sessiontest"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

var (
	start  = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	client = netip.MustParseAddr("192.0.2.7")
)

const (
	acme, globex                = sessiontest.Acme, sessiontest.Globex
	authHost, wikiHost, apiHost = sessiontest.AuthHost, sessiontest.WikiHost, sessiontest.APIHost
)

// clock is a clock that a test moves.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(start.UnixNano())
	return c
}

func (c *clock) now() time.Time      { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) add(d time.Duration) { c.at.Add(int64(d)) }
func bob() session.Person            { return person("bob", "engineering") }
func alice() session.Person          { return person("alice", "engineering", "admins") }
func person(name string, groups ...string) session.Person {
	return session.Person{
		Issuer: "https://idp.test", Subject: name, IDPUID: sessiontest.IDP, Email: name + "@acme.test", EmailVerified: true, Name: name,
		Groups: groups, GroupsComplete: true, AuthTime: start,
	}
}

// edge is the sessions of one edge, and what it reported.
type edge struct {
	*session.Sessions
	t     *testing.T
	world *sessiontest.World
	clock *clock

	mu     sync.Mutex
	events []*edgev1.SessionEvent
	ended  []string
	// enforced is what the control plane answers; an error means that it cannot be reached.
	enforced atomic.Bool
	offline  atomic.Bool
}

// budget is long, so that a busy machine is no store that is down.
const budget = 10 * time.Second

func newEdge(t *testing.T, w *sessiontest.World, c *clock, client redis.UniversalClient) *edge {
	t.Helper()
	return newHurriedEdge(t, w, c, client, budget)
}

func newHurriedEdge(t *testing.T, w *sessiontest.World, c *clock, client redis.UniversalClient, budget time.Duration) *edge {
	t.Helper()
	e := &edge{t: t, world: w, clock: c}
	e.Sessions = session.New(session.Config{
		Redis: client, Budget: budget, Now: c.now, Region: "eu", Log: slog.New(slog.DiscardHandler),
		Report: func(tenant string, ev *edgev1.SessionEvent) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.events = append(e.events, ev)
		},
		ReportNow: func(context.Context, string) (int64, bool, error) {
			if e.offline.Load() {
				return 0, false, io.ErrUnexpectedEOF
			}
			return 7, e.enforced.Load(), nil
		},
		OnEnd: func(tenant, sid string) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.ended = append(e.ended, sid)
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return e
}

func (e *edge) site() *snapshot.Site { return e.world.Site(acme) }

func (e *edge) app(id string) *snapshot.App {
	if id == "" {
		return nil
	}
	return e.site().App(id)
}

// signIn begins a session on the auth host and carries it to the wiki.
func (e *edge) signIn(p session.Person) (auth, wiki string) {
	e.t.Helper()
	begun, err := e.Begin(context.Background(), e.site(), authHost, p, client, e.clock.now())
	if err != nil {
		e.t.Fatal(err)
	}
	return begun.Cookie.Value, e.attach(begun.Known, "wiki", wikiHost)
}

func (e *edge) attach(k session.Known, app, host string) string {
	e.t.Helper()
	b, err := e.Attach(context.Background(), e.site(), e.app(app), host, k, e.clock.now())
	if err != nil {
		e.t.Fatal(err)
	}
	return b.Cookie.Value
}

// wiki asks for a page of the wiki.
func (e *edge) wiki(cookie string) session.Result {
	return e.Authenticate(context.Background(), e.site(), e.app("wiki"), wikiHost, cookie, client, e.clock.now())
}

func (e *edge) auth(cookie string) session.Result {
	return e.Authenticate(context.Background(), e.site(), nil, authHost, cookie, client, e.clock.now())
}

func (e *edge) wants(r session.Result, state session.State, reason string) {
	e.t.Helper()
	if r.State != state || string(r.Reason) != reason {
		e.t.Fatalf("state %v, reason %q, err %v; want %v, %q", r.State, r.Reason, r.Err, state, reason)
	}
	if (r.Caller != nil) != (state == session.Live) {
		e.t.Fatalf("caller %v", r.Caller)
	}
}

func (e *edge) reported(kind edgev1.SessionEventKind) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.events {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(2*time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("waited too long: %s", what)
		case <-tick.C:
		}
	}
}

func redisAddr(t *testing.T) string {
	t.Helper()
	addr := os.Getenv("SALLYPORT_TEST_REDIS_ADDR")
	if addr == "" {
		t.Fatal("SALLYPORT_TEST_REDIS_ADDR is not set: run `make test`, or `go run ./cmd/internal/testservices -- go test ./...`")
	}
	return addr
}

func dial(t *testing.T, addr string) redis.UniversalClient {
	t.Helper()
	c := session.Dial(addr, "", "")
	t.Cleanup(func() { c.Close() })
	return c
}

// wire is a Redis behind a wire that can be cut, or that holds everything back.
type wire struct {
	addr, target string
	mu           sync.Mutex
	conns        map[net.Conn]bool
	cut          bool
	held         chan struct{} // closed when nothing is held back
	bytes        atomic.Int64  // from clients
}

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &wire{addr: l.Addr().String(), target: target, conns: map[net.Conn]bool{}, held: make(chan struct{})}
	close(p.held)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); p.release(); p.setCut(true); done.Wait() })
	return p
}

func (p *wire) serve(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer up.Close()
	p.mu.Lock()
	if p.cut {
		p.mu.Unlock()
		return
	}
	p.conns[c], p.conns[up] = true, true
	p.mu.Unlock()
	go func() { io.Copy(c, up); c.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		p.bytes.Add(int64(n))
		p.mu.Lock()
		held := p.held
		p.mu.Unlock()
		<-held
		if _, err := up.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// setCut closes every connection, and every new one at once.
func (p *wire) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.conns {
			c.Close()
		}
		clear(p.conns)
	}
}

// hold lets nothing through until release.
func (p *wire) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = make(chan struct{})
}

func (p *wire) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.held:
	default:
		close(p.held)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// storedUse is what the store knows of the last use of a cookie.
func (e *edge) storedUse(t *testing.T, c redis.UniversalClient, cookie string) time.Time {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(cookie[:43])
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(raw)
	var r edgev1.HostRecord
	e.read(c, "sp:h:"+acme+":"+base64.RawURLEncoding.EncodeToString(hash[:]), &r)
	return time.UnixMilli(r.SeenAtMs)
}

// storedSession is what it knows of the last use of a Session.
func (e *edge) storedSession(t *testing.T, c redis.UniversalClient, sid string) time.Time {
	t.Helper()
	var r edgev1.SessionRecord
	e.read(c, "sp:s:"+acme+":"+sid, &r)
	return time.UnixMilli(r.SeenAtMs)
}

func (e *edge) read(c redis.UniversalClient, key string, m proto.Message) {
	raw, err := c.Get(context.Background(), key).Bytes()
	if errors.Is(err, redis.Nil) {
		return
	}
	if err == nil {
		err = session.Open(e.site().Keys.Redis, raw, m, session.AssociatedData("redis", key))
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// lastEnd is the newest end that was reported.
func (e *edge) lastEnd() *edgev1.SessionEvent {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range slices.Backward(e.events) {
		if ev.Kind == edgev1.SessionEventKind_SESSION_EVENT_KIND_ENDED {
			return ev
		}
	}
	return nil
}
