package listener

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Limits bound connections. What is 0 is the default.
type Limits struct {
	// Connections at the same time. The default is 20,000, or fewer where the process may open fewer files: each connection
	// may need a second one to an upstream, and spareFiles are for everything else.
	Connections int
	// PerSource bounds those of one IPv4 address, or of one /64 of IPv6, which is what one customer of a provider has. The
	// default is 4,000, and never more than half of Connections.
	PerSource int
	// NewPerSource bounds those of a source that have not sent a request yet: TLS handshakes, and first headers. The default
	// is 2,048, and never more than half of Connections.
	NewPerSource int
}

// PerNetwork bounds those of one /48 of IPv6, which is what a customer of a provider may ask for: 65,536 sources. It is what
// two sources may have, 8,000 by default, and never more than half of Connections.
func (l Limits) PerNetwork() int { return min(2*l.PerSource, max(1, l.Connections/2)) }

const (
	defaultConnections  = 20_000
	defaultPerSource    = 4_000
	defaultNewPerSource = 2_048
	spareFiles          = 512
	fewestConnections   = 16
)

// withDefaults fills in what is 0, for a process that may open so many files.
func (l Limits) withDefaults(files uint64) Limits {
	if l.Connections == 0 {
		l.Connections = defaultConnections
		if files < 2*defaultConnections+spareFiles {
			l.Connections = max(fewestConnections, (int(files)-spareFiles)/2)
		}
	}
	if l.PerSource == 0 {
		l.PerSource = min(defaultPerSource, l.Connections/2)
	}
	if l.NewPerSource == 0 {
		l.NewPerSource = min(defaultNewPerSource, l.Connections/2)
	}
	return l
}

// openFiles is how many files this process may have open.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what POSIX systems begin with
	}
	return limit.Cur
}

// Excess is why a connection was closed before its handshake.
type Excess int

// The limits that a connection may be over.
const (
	OverConnections Excess = iota
	OverPerSource
	OverNewPerSource
	OverPerNetwork
	excesses
)

// Excesses are all of them.
func Excesses() []Excess {
	return []Excess{OverConnections, OverPerSource, OverNewPerSource, OverPerNetwork}
}

func (e Excess) String() string {
	return [excesses]string{"connections", "connections_per_source", "new_connections_per_source", "connections_per_network"}[e]
}

// budget counts connections. What is over a limit is closed at once and not kept waiting: it would wait for those that
// hold what it needs, and everybody else behind it.
type budget struct {
	limits  Limits
	trusted func(netip.Addr) bool
	now     func() time.Time
	log     *slog.Logger
	refused [excesses]atomic.Int64

	mu       sync.Mutex // taken when a connection begins, sends its first request, and ends
	open     int
	sources  map[netip.Addr]*source
	networks map[netip.Addr]int  // connections of each /48 of IPv6
	told     [excesses]time.Time // when it was last logged
	untold   [excesses]int64     // how many were refused since
}

func newBudget(c Config) *budget {
	return &budget{
		limits: c.Limits.withDefaults(openFiles()), trusted: c.Trusted, now: c.Now, log: c.Log,
		sources: map[netip.Addr]*source{}, networks: map[netip.Addr]int{},
	}
}

// source is where connections come from.
type source struct{ open, fresh int }

// sourceOf is what counts as one source; the zero Addr stands for whatever has no address.
func sourceOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	address := tcp.AddrPort().Addr().Unmap().WithZone("")
	if !address.Is6() {
		return address
	}
	return netip.PrefixFrom(address, 64).Masked().Addr()
}

// networkOf is the /48 that a source is in; not valid for IPv4, of which a network says nothing about who has it.
func networkOf(source netip.Addr) netip.Addr {
	if !source.Is6() {
		return netip.Addr{}
	}
	return netip.PrefixFrom(source, 48).Masked().Addr()
}

// admit counts a connection, or says which limit it is over.
func (b *budget) admit(conn net.Conn) (c *counted, over Excess, ok bool) {
	c = &counted{Conn: conn, budget: b, source: sourceOf(conn.RemoteAddr())}
	// A proxy brings everybody's requests, so it is no source.
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok && b.trusted != nil {
		c.exempt = b.trusted(tcp.AddrPort().Addr().Unmap())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open >= b.limits.Connections {
		return nil, OverConnections, false
	}
	if !c.exempt {
		s := b.sources[c.source]
		if s == nil {
			s = &source{}
		}
		switch {
		case s.open >= b.limits.PerSource:
			return nil, OverPerSource, false
		case s.fresh >= b.limits.NewPerSource:
			return nil, OverNewPerSource, false
		}
		if network := networkOf(c.source); network.IsValid() {
			if b.networks[network] >= b.limits.PerNetwork() {
				return nil, OverPerNetwork, false
			}
			b.networks[network]++
		}
		s.open++
		s.fresh++
		b.sources[c.source] = s
	}
	b.open++
	return c, 0, true
}

// refuse closes a connection, counts that, and logs it, at most once a second for each limit: whoever makes the edge refuse
// must not make it write.
func (b *budget) refuse(conn net.Conn, over Excess) {
	b.refused[over].Add(1)
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // nothing is kept of it, not even by the kernel
	}
	_ = conn.Close()
	b.mu.Lock()
	b.untold[over]++
	refused, now := b.untold[over], b.now()
	tell := now.Sub(b.told[over]) >= time.Second
	if tell {
		b.told[over], b.untold[over] = now, 0
	}
	b.mu.Unlock()
	if tell {
		b.log.Warn("connections are refused", slog.String("over", over.String()), slog.Int64("refused", refused), slog.String("last_source", sourceOf(conn.RemoteAddr()).String()))
	}
}

// established notes that a connection sent a request.
func (b *budget) established(c *counted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !c.ended && !c.established.Swap(true) && !c.exempt {
		b.sources[c.source].fresh--
	}
}

// ended notes that a connection is over.
func (b *budget) ended(c *counted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	b.open--
	if c.exempt {
		return
	}
	s := b.sources[c.source]
	if s.open--; s.open == 0 {
		delete(b.sources, c.source)
	}
	if !c.established.Load() {
		s.fresh--
	}
	if network := networkOf(c.source); network.IsValid() {
		if b.networks[network]--; b.networks[network] == 0 {
			delete(b.networks, network)
		}
	}
}

// counted is a connection that is counted until it is closed.
type counted struct {
	net.Conn
	budget      *budget
	source      netip.Addr
	exempt      bool
	established atomic.Bool // read without the lock, for each request
	ended       bool
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.budget.ended(c)
	return err
}

// door lets in what the budget admits.
type door struct {
	net.Listener
	budget *budget
}

func (d door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, over, ok := d.budget.admit(conn)
		if ok {
			return c, nil
		}
		d.budget.refuse(conn, over)
	}
}

// changed is told by net/http what becomes of a connection: of HTTP/1.1 it is new until its first header was read, of
// HTTP/2 until its preface was.
func changed(conn net.Conn, state http.ConnState) {
	if state == http.StateNew {
		return
	}
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	if c, ok := conn.(*counted); ok && !c.established.Load() {
		c.budget.established(c)
	}
}
