package listener

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

const patience = 5 * time.Second

// front is a server on the loopback addresses, each of which is a source of its own.
type front struct {
	*Server
	address string
	trust   *tls.Config
	log     *journal
	clock   *clock
}

// journal keeps what was logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Split(strings.TrimSuffix(j.text.String(), "\n"), "\n")
}

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func serve(t *testing.T, limits Limits, trusted func(netip.Addr) bool) *front {
	t.Helper()
	pair := write(t, t.TempDir(), "cert", 1, "app.test")
	cert, err := tls.LoadX509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := CertificatesOf(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(pair.Certificate)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate", err)
	}
	socket, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{address: socket.Addr().String(), trust: &tls.Config{RootCAs: roots, ServerName: "app.test"}, log: &journal{}, clock: &clock{now: time.Now()}}
	store := snapshot.New(snapshot.Config{})
	store.Withdraw() // it serves nothing, and nobody waits for it to
	f.Server = New(Config{
		Certificates: certificates, Table: store.Table, Await: store.Await, Now: f.clock.Now,
		Log:     slog.New(slog.NewTextHandler(f.log, nil)),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
		Limits:  limits, Trusted: trusted, CutLasting: func() {}, Drain: time.Second,
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx, socket) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return f
}

// open opens a connection from an address, and says nothing on it.
func (f *front) open(from string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	conn, err := dialer.Dial("tcp4", f.address)
	if err == nil {
		_ = conn.SetDeadline(time.Now().Add(patience))
	}
	return conn, err
}

func (f *front) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	conn, err := f.open(from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// client is a connection on which requests can be sent.
type client struct {
	net.Conn
	in *bufio.Reader
}

func (f *front) client(t *testing.T, from, protocol string) *client {
	t.Helper()
	config := f.trust.Clone()
	config.NextProtos = []string{protocol}
	conn := tls.Client(f.dial(t, from), config)
	return &client{conn, bufio.NewReader(conn)}
}

func (c *client) ask() error {
	if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || string(text) != "hello" {
		return errors.Join(err, fmt.Errorf("answered %q", text))
	}
	return nil
}

func (c *client) works(t *testing.T) {
	t.Helper()
	if err := c.ask(); err != nil {
		t.Errorf("a connection that was let in: %v", err)
	}
}

// turnedAway wants the next connection from an address to be closed before its handshake.
func (f *front) turnedAway(t *testing.T, from string) {
	t.Helper()
	conn, err := f.open(from)
	if err == nil {
		defer conn.Close()
		var n int
		if n, err = conn.Read(make([]byte, 1)); n != 0 {
			t.Fatalf("a connection over the limit is answered")
		}
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Fatalf("a connection over the limit: %v", err)
	}
}

// await waits until so many connections are open, or are new at a source.
func (f *front) await(t *testing.T, what string, want int, count func(*budget) int) {
	t.Helper()
	deadline := time.After(patience)
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		f.budget.mu.Lock()
		got := count(f.budget)
		f.budget.mu.Unlock()
		if got == want {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%d connections are %s, want %d", got, what, want)
		case <-ticker.C:
		}
	}
}

func all(b *budget) int { return b.open }

func unproven(b *budget) int {
	n := 0
	for _, s := range b.sources {
		n += s.fresh
	}
	return n
}

func TestOneAddressLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	f := serve(t, Limits{Connections: 100, PerSource: 3}, nil)
	var greedy []*client
	for range 3 {
		c := f.client(t, "127.0.0.1", "http/1.1")
		c.works(t)
		greedy = append(greedy, c)
	}
	for range 20 {
		f.turnedAway(t, "127.0.0.1")
	}
	for _, other := range []string{"127.0.0.2", "127.0.0.3"} {
		f.client(t, other, "http/1.1").works(t)
	}
	for _, c := range greedy {
		c.works(t)
	}
	if n := f.Refused(OverPerSource); n != 20 || f.Connections() != 5 {
		t.Errorf("%d were refused, %d are open", n, f.Connections())
	}
	greedy[0].Close()
	f.await(t, "open", 4, all)
	f.client(t, "127.0.0.1", "http/1.1").works(t)
}

func TestNewConnectionsOfOneAddress(t *testing.T) {
	t.Parallel()
	f := serve(t, Limits{Connections: 100, PerSource: 50, NewPerSource: 3}, nil)
	// Whoever has sent a request is not new any more.
	for range 5 {
		f.client(t, "127.0.0.1", "http/1.1").works(t)
	}
	f.await(t, "new", 0, unproven)
	h2 := f.client(t, "127.0.0.1", "h2")
	if _, err := io.WriteString(h2, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	f.await(t, "open", 6, all)
	f.await(t, "new", 0, unproven)

	silent := f.dial(t, "127.0.0.1")
	half := f.dial(t, "127.0.0.1")
	if _, err := io.WriteString(half, "\x16\x03\x01\x02\x00\x01"); err != nil {
		t.Fatal(err)
	}
	slow := f.client(t, "127.0.0.1", "http/1.1")
	if _, err := io.WriteString(slow, "GET / HTTP/1.1\r\nHost: app"); err != nil {
		t.Fatal(err)
	}
	f.await(t, "new", 3, unproven)
	f.turnedAway(t, "127.0.0.1")
	if n := f.Refused(OverNewPerSource); n != 1 {
		t.Errorf("%d were refused", n)
	}
	f.client(t, "127.0.0.2", "http/1.1").works(t)
	silent.Close()
	f.await(t, "open", 9, all)
	f.await(t, "new", 2, unproven)
	f.client(t, "127.0.0.1", "http/1.1").works(t)
}

func TestAllConnections(t *testing.T) {
	t.Parallel()
	f := serve(t, Limits{Connections: 4, PerSource: 100, NewPerSource: 100}, nil)
	var in []*client
	for i := range 4 {
		c := f.client(t, fmt.Sprintf("127.0.0.%d", i+1), "http/1.1")
		c.works(t)
		in = append(in, c)
	}
	for i := range 8 {
		f.turnedAway(t, fmt.Sprintf("127.0.0.%d", i+1))
	}
	for _, c := range in {
		c.works(t)
	}
	if n := f.Refused(OverConnections); n != 8 {
		t.Errorf("%d were refused", n)
	}
}

// A proxy's connections are many people's. They count among all, and not for their source.
func TestTrustedProxy(t *testing.T) {
	t.Parallel()
	proxy := netip.MustParseAddr("127.0.0.9")
	f := serve(t, Limits{Connections: 10, PerSource: 1, NewPerSource: 1}, func(a netip.Addr) bool { return a == proxy })
	for range 9 {
		f.client(t, "127.0.0.9", "http/1.1").works(t)
	}
	f.client(t, "127.0.0.1", "http/1.1").works(t)
	f.turnedAway(t, "127.0.0.9")
	if f.Refused(OverConnections) != 1 || f.Refused(OverPerSource) != 0 || f.Refused(OverNewPerSource) != 0 {
		t.Error("the proxy was refused for another reason than that there is no room for anybody")
	}
}

// far is a connection from an address that this machine does not have.
type far struct {
	net.Conn
	from net.Addr
}

func (f far) RemoteAddr() net.Addr { return f.from }

// A customer of a provider may have a /48, which is 65,536 sources.
func TestManySourcesOfOneNetwork(t *testing.T) {
	t.Parallel()
	b := newBudget(Config{Limits: Limits{Connections: 100, PerSource: 3}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	open := func(address string) (*counted, Excess, bool) {
		c, _ := net.Pipe()
		return b.admit(far{c, &net.TCPAddr{IP: net.ParseIP(address), Port: 443}})
	}
	var in []*counted
	for i := range 6 {
		c, over, ok := open(fmt.Sprintf("2001:db8:1:%x::1", i))
		if !ok {
			t.Fatalf("source %d is over %s", i, over)
		}
		in = append(in, c)
	}
	if _, over, ok := open("2001:db8:1:ffff::1"); ok || over != OverPerNetwork {
		t.Errorf("the seventh of a /48: %t, %s", ok, over)
	}
	for _, other := range []string{"2001:db8:2::1", "192.0.2.1", "192.0.2.2", "::ffff:192.0.2.3"} {
		if _, over, ok := open(other); !ok {
			t.Errorf("%s is over %s", other, over)
		}
	}
	for i := range 20 { // addresses of IPv4 are no network together
		if _, over, ok := open(fmt.Sprintf("198.51.100.%d", i)); !ok {
			t.Errorf("%d: over %s", i, over)
		}
	}
	_ = in[0].Close()
	if _, over, ok := open("2001:db8:1:ffff::1"); !ok {
		t.Errorf("after one of them ended: over %s", over)
	}
	for _, c := range in[1:] {
		_ = c.Close()
	}
	if got := Excesses(); len(got) != 4 || OverPerNetwork.String() != "connections_per_network" {
		t.Errorf("limits are %v", got)
	}
	if d := (Limits{}).withDefaults(1 << 20); d.PerNetwork() != 8000 {
		t.Errorf("by default a /48 has %d", d.PerNetwork())
	}
	if d := (Limits{}).withDefaults(2048); d.PerNetwork() != d.Connections/2 {
		t.Errorf("of %d, a /48 has %d", d.Connections, d.PerNetwork())
	}
}

func TestRefusalsAreLoggedOnceASecond(t *testing.T) {
	t.Parallel()
	f := serve(t, Limits{Connections: 100, PerSource: 1}, nil)
	f.client(t, "127.0.0.1", "http/1.1").works(t)
	for range 50 {
		f.turnedAway(t, "127.0.0.1")
	}
	f.clock.move(time.Second)
	f.turnedAway(t, "127.0.0.1")
	f.await(t, "logged", 2, func(*budget) int { return len(f.log.lines()) })
	lines := f.log.lines()
	for i, want := range []string{"refused=1 ", "refused=50 "} {
		if !strings.Contains(lines[i], want) || !strings.Contains(lines[i], "over=connections_per_source") || !strings.Contains(lines[i], "last_source=127.0.0.1") {
			t.Errorf("line %d is %s, want %s", i, lines[i], want)
		}
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1:1": "192.0.2.1", "[::ffff:192.0.2.1]:1": "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::", "[2001:db8:1:2:ffff::]:9": "2001:db8:1:2::", "[fe80::1%eth0]:1": "fe80::",
	} {
		if got := sourceOf(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))); got.String() != want {
			t.Errorf("%s is of %s, want %s", address, got, want)
		}
	}
	if got := sourceOf(&net.UnixAddr{}); got.IsValid() {
		t.Errorf("a unix socket is of %s", got)
	}
}

func TestLimitDefaults(t *testing.T) {
	t.Parallel()
	for files, want := range map[uint64]Limits{
		1 << 20: {20_000, 4_000, 2_048},
		20_000:  {9_744, 4_000, 2_048},
		4_096:   {1_792, 896, 896},
		1_024:   {256, 128, 128},
		100:     {16, 8, 8},
	} {
		if got := (Limits{}).withDefaults(files); got != want {
			t.Errorf("%d files: %+v, want %+v", files, got, want)
		}
	}
	if got := (Limits{Connections: 50_000, PerSource: 7}).withDefaults(1024); got != (Limits{50_000, 7, 2_048}) {
		t.Errorf("what is said does not hold: %+v", got)
	}
}

func TestClosedTwiceIsOneLess(t *testing.T) {
	t.Parallel()
	b := newBudget(Config{})
	for range 2 {
		conn, _ := net.Pipe()
		c, _, ok := b.admit(conn)
		if !ok {
			t.Fatal("refused")
		}
		defer c.Close()
		if b.open == 2 {
			_, _ = c.Close(), c.Close()
			b.established(c)
		}
	}
	if s := b.sources[netip.Addr{}]; b.open != 1 || *s != (source{1, 1}) {
		t.Errorf("%d are open, of the source %+v", b.open, *s)
	}
}

// TestCountsReturnToNothing opens and closes connections of all kinds at once, and wants nothing to be left of them.
func TestCountsReturnToNothing(t *testing.T) {
	t.Parallel()
	f := serve(t, Limits{Connections: 40, PerSource: 15, NewPerSource: 10}, nil)
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			conn, err := f.open(fmt.Sprintf("127.0.0.%d", 1+i%4))
			if err != nil {
				return // refused while it was dialed
			}
			defer conn.Close()
			switch i % 3 {
			case 0:
				secured := tls.Client(conn, f.trust)
				_ = (&client{secured, bufio.NewReader(secured)}).ask()
			case 1:
				_, _ = io.WriteString(conn, "no handshake")
				_, _ = io.Copy(io.Discard, conn)
			}
		})
	}
	group.Wait()
	f.await(t, "open", 0, all)
	f.await(t, "left as sources", 0, func(b *budget) int { return len(b.sources) })
}
