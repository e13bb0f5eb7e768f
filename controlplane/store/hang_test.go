package store_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
)

// tunnel is a way to the database on which connections can be made to hang: nothing comes through any more, either way,
// and neither end is told. It is what a stopped server, or a network that swallows packets, looks like.
type tunnel struct {
	address string
	target  string

	mu   sync.Mutex
	hung chan struct{} // closed: what is connected by now hangs
}

// through replaces the way to the database in a URL.
func through(t *testing.T, raw string) (string, *tunnel) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	way := &tunnel{address: l.Addr().String(), target: u.Host, hung: make(chan struct{})}
	var open sync.WaitGroup
	done := make(chan struct{})
	open.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { way.carry(near, done) })
		}
	})
	t.Cleanup(func() {
		close(done)
		_ = l.Close()
		open.Wait()
	})
	u.Host = way.address
	return u.String(), way
}

func (w *tunnel) carry(near net.Conn, done <-chan struct{}) {
	w.mu.Lock()
	hung := w.hung
	w.mu.Unlock()
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		_ = near.Close()
		return
	}
	var ways sync.WaitGroup
	pipe := func(to, from net.Conn) {
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			select {
			case <-hung:
				<-done // its end is not told either
				_ = to.Close()
				return
			default:
			}
			if err != nil {
				_ = to.Close()
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil && !errors.Is(err, io.EOF) {
				_ = from.Close()
			}
		}
	}
	ways.Go(func() { pipe(far, near) })
	ways.Go(func() { pipe(near, far) })
	ends := make(chan struct{})
	go func() {
		ways.Wait()
		close(ends)
	}()
	select {
	case <-ends:
	case <-done:
		_, _ = near.Close(), far.Close()
		<-ends
	}
}

// hang makes everything that is connected hang. What connects afterwards does not.
func (w *tunnel) hang() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.hung)
	w.hung = make(chan struct{})
}

const (
	shortQuiet = 200 * time.Millisecond
	shortPing  = time.Second
)

func TestListenNoticesADatabaseThatHangs(t *testing.T) {
	t.Parallel()
	urls := storetest.Database(t)
	var way *tunnel
	urls.Feed, way = through(t, urls.Feed)
	db := storetest.Open(t, urls)
	db.SetPatience(shortQuiet, shortPing)
	acme := storetest.Tenant(t, db, "acme")
	type notification struct{ channel, payload string }
	came := make(chan notification, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- db.System().Listen(ctx, func(channel, payload string) { came <- notification{channel, payload} })
	}()
	receive(t, came, "the first connection")
	put(t, db, acme, app("wiki"))
	if got := receive(t, came, "a notification"); got.payload != string(acme) {
		t.Errorf("got %v", got)
	}
	way.hang()
	put(t, db, acme, app("wiki")) // nobody is told
	if got := receive(t, came, "another connection"); got != (notification{}) {
		t.Errorf("got %v, want to be told that anything may have been missed", got)
	}
	put(t, db, acme, app("wiki"))
	if got := receive(t, came, "a notification on it"); got.payload != string(acme) {
		t.Errorf("got %v", got)
	}
	cancel()
	if err := receive(t, done, "the end of Listen"); !errors.Is(err, context.Canceled) {
		t.Errorf("Listen returned %v, want context.Canceled", err)
	}
}

// The lock leaves whoever hangs, and comes to whoever waited for it on a connection that hangs.
func TestLeadingSurvivesConnectionsThatHang(t *testing.T) {
	t.Parallel()
	urls, keys := storetest.Database(t), ephemeral(t)
	type replica struct {
		system           *store.System
		way              *tunnel
		elected, deposed chan struct{}
		stop             context.CancelFunc
		done             chan error
	}
	start := func() *replica {
		own := urls
		r := &replica{elected: make(chan struct{}, 10), deposed: make(chan struct{}, 10), done: make(chan error, 1)}
		own.Feed, r.way = through(t, urls.Feed)
		db := storetest.OpenWith(t, own, keys)
		db.SetPatience(shortQuiet, shortPing)
		r.system = db.System()
		var ctx context.Context
		ctx, r.stop = context.WithCancel(t.Context())
		go func() {
			r.done <- r.system.Leader(ctx, "test", func(ctx context.Context) error {
				r.elected <- struct{}{}
				<-ctx.Done()
				r.deposed <- struct{}{}
				return ctx.Err()
			})
		}()
		return r
	}
	one := start()
	receive(t, one.elected, "the first leader")
	two := start()
	one.way.hang()
	receive(t, one.deposed, "the end of a leader that hangs")
	one.stop()
	receive(t, one.done, "the end of it")
	receive(t, two.elected, "the next leader")

	three := start()
	super := superuser(t, urls)
	waiting := func() bool {
		return len(texts(t, super, `SELECT pid::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)) > 0
	}
	for deadline := time.Now().Add(patience); !waiting(); {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
	three.way.hang()
	two.stop()
	receive(t, two.done, "the end of the second")
	receive(t, three.elected, "a leader that waited on a connection that hangs")
	three.stop()
	receive(t, three.done, "the end of the third")
}
