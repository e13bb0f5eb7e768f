package listener

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// Config is what a Server is made of.
type Config struct {
	Certificates *Certificates
	Table        func() *snapshot.Table
	// Await returns a newer table than Table, for as long as a tenant that is missing may be on its way.
	Await   func(context.Context, func(*snapshot.Table) bool) *snapshot.Table
	Handler http.Handler
	Now     func() time.Time
	Log     *slog.Logger
	// CutLasting ends what would outlast a drain: WebSockets, event streams, long answers.
	CutLasting func()
	// Drain is how long a stop waits for requests to finish; 0 is 30 s.
	Drain  time.Duration
	Limits Limits
	// Trusted tells whether an address is a proxy of ours, whose connections are many people's. Nil is nobody.
	Trusted func(netip.Addr) bool
}

// Limits of a connection.
const (
	maxHeaderBytes    = 32 << 10
	readHeaderTimeout = 10 * time.Second // TLS handshakes too
	idleTimeout       = 120 * time.Second
	maxStreams        = 100 // of one HTTP/2 connection
	defaultDrain      = 30 * time.Second
)

// Server accepts connections and hands requests to the pipeline.
type Server struct {
	config Config
	server *http.Server
	budget *budget
}

// New returns a server.
func New(c Config) *Server {
	if c.Drain == 0 {
		c.Drain = defaultDrain
	}
	p := &profiles{certificates: c.Certificates, table: c.Table, await: c.Await, now: c.Now}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	b := newBudget(c)
	return &Server{config: c, budget: b, server: &http.Server{
		Handler:           c.Handler,
		TLSConfig:         p.base(),
		Protocols:         protocols,
		ConnState:         changed,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			SendPingTimeout:      30 * time.Second,
			PingTimeout:          15 * time.Second,
			WriteByteTimeout:     Stall,
		},
		// net/http would answer "OPTIONS *" by itself, unseen.
		DisableGeneralOptionsHandler: true,
		// What net/http has to say is about clients that misbehave.
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}}
}

// Limits are those that hold, defaults filled in.
func (s *Server) Limits() Limits { return s.budget.limits }

// Connections is how many are open.
func (s *Server) Connections() int {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.budget.open
}

// Refused is how many connections were closed before their handshake, because they were over a limit.
func (s *Server) Refused(over Excess) int64 { return s.budget.refused[over].Load() }

// Run serves a socket until ctx is cancelled, and then drains: no connection is accepted any more, requests finish, what
// lasts is cut half-way, and what is left at the end is closed.
func (s *Server) Run(ctx context.Context, socket net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- s.server.ServeTLS(door{socket, s.budget}, "", "") }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Drain)
	defer cancel()
	cut := time.AfterFunc(s.config.Drain/6, s.config.CutLasting)
	err := s.server.Shutdown(drain)
	if cut.Stop() {
		// Shutdown does not wait for WebSockets: they are no requests of its any more.
		s.config.CutLasting()
	}
	if err != nil {
		s.config.Log.WarnContext(ctx, "some requests did not finish in time and were cut off")
		err = s.server.Close()
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
