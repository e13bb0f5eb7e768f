package edge

import (
	"context"
	"crypto/hpke"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport-iap/sallyport/edge/assertion"
	"github.com/sallyport-iap/sallyport/edge/audit"
	"github.com/sallyport-iap/sallyport/edge/egress"
	"github.com/sallyport-iap/sallyport/edge/facts"
	"github.com/sallyport-iap/sallyport/edge/identity"
	"github.com/sallyport-iap/sallyport/edge/listener"
	"github.com/sallyport-iap/sallyport/edge/login"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/session"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	"github.com/sallyport-iap/sallyport/edge/stream"
	"github.com/sallyport-iap/sallyport/edge/upstream"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// NodeConfig is what a Node is made of.
type NodeConfig struct {
	HeadKeys []*edgev1.HeadKey // whose signatures are believed
	Private  hpke.PrivateKey   // what data keys are wrapped to
	// Report delivers audit records and session events to the control plane.
	Report       func(context.Context, *edgev1.ReportRequest) (*edgev1.ReportResponse, error)
	Certificates *listener.Certificates
	Countries    *facts.Countries // nil: every country is unknown
	Redis        Redis            // of the region
	PublicPort   int              // that clients use
	Region       string
	BootID       string
	Drain        time.Duration // 0 is 30 s
	Limits       listener.Limits
	Registerer   prometheus.Registerer
	Now          func() time.Time
	Log          *slog.Logger
}

// Redis is where the region's session store is. Without an address there is none: tickets carry every session.
type Redis struct{ Address, User, Password string }

// Node is an edge whole: the pipeline, and everything that it stands on.
type Node struct {
	Store    *snapshot.Store
	Sessions *session.Sessions
	Audit    *audit.Log
	Streams  *stream.Registry
	Handler  *Handler

	config  NodeConfig
	login   *login.Login
	forward *upstream.Forwarder
	server  *listener.Server
	closing func() error
}

// idpTimeout is how long an identity provider may take.
const idpTimeout = 5 * time.Second

// NewNode puts an edge together. It knows nothing until its Store took updates.
func NewNode(c NodeConfig) *Node {
	n := &Node{config: c, Streams: &stream.Registry{Now: c.Now}, forward: &upstream.Forwarder{Log: c.Log}}
	n.Store = snapshot.New(snapshot.Config{HeadKeys: c.HeadKeys, Private: c.Private, Log: c.Log, Swapped: n.swapped})
	n.Audit = audit.New(audit.Config{BootID: c.BootID, Send: c.Report, Serves: n.serves, Now: c.Now, Log: c.Log})
	sessions := session.Config{
		Now: c.Now, Region: c.Region, Log: c.Log,
		Report: n.Audit.Session, ReportNow: n.Audit.ReportNow, OnEnd: n.Streams.ReviewSession,
	}
	if c.Redis.Address != "" {
		client := session.Dial(c.Redis.Address, c.Redis.User, c.Redis.Password)
		sessions.Redis, n.closing = client, client.Close
	}
	n.Sessions = session.New(sessions)
	n.login = login.New(login.Config{
		Sessions: n.Sessions, Now: c.Now, Log: c.Log,
		Client: func(allowed []netip.Prefix) *http.Client { return egress.Client(allowed, idpTimeout) },
	})
	n.Handler = New(Config{
		Table: n.Store.Table, Identity: &identity.Authenticator{Sessions: n.Sessions}, Login: n.login, Minter: assertion.New(c.PublicPort),
		Forward: n.forward, Streams: n.Streams, Audit: n.Audit, Metrics: NewMetrics(c.Registerer),
		Countries:       c.Countries,
		SameCertificate: func(a, b string) bool { return c.Certificates.For(a) == c.Certificates.For(b) },
		PublicPort:      c.PublicPort, BootID: c.BootID, Now: c.Now, Log: c.Log,
	})
	n.server = listener.New(listener.Config{
		Certificates: c.Certificates, Table: n.Store.Table, Await: n.Store.Await, Handler: n.Handler, Now: c.Now, Log: c.Log, Drain: c.Drain,
		CutLasting: func() { n.Streams.CutLasting(policy.CutDrain) }, Limits: c.Limits, Trusted: n.trusts,
	})
	n.register(c.Registerer)
	return n
}

// swapped runs after a change and before it is acknowledged: what it forbids is cut.
func (n *Node) swapped(tenantUID string) {
	if tenantUID != snapshot.PlatformUID {
		n.Streams.Review(tenantUID)
		return
	}
	n.forward.Retain(n.serves)
	for s := range n.Store.Table().Sites {
		n.Streams.Review(s.TenantUID)
	}
}

func (n *Node) serves(tenantUID string) bool { return n.Store.Table().Site(tenantUID) != nil }

// trusts tells whether an address is one of the pool's trusted proxies.
func (n *Node) trusts(a netip.Addr) bool {
	pool := n.Store.Table().Pool
	return pool != nil && pool.TrustedProxies.Has(a)
}

// Limits are those of connections that hold.
func (n *Node) Limits() listener.Limits { return n.server.Limits() }

// Serve answers on a socket until ctx is cancelled, and drains. Run must be running.
func (n *Node) Serve(ctx context.Context, socket net.Listener) error {
	return n.server.Run(ctx, socket)
}

// Run does what goes on beside requests, until ctx is cancelled; then it delivers the last records.
func (n *Node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for name, run := range map[string]func(context.Context) error{
		"audit": n.Audit.Run, "streams": n.Streams.Run, "sessions": n.Sessions.Run, "login": n.login.Run,
	} {
		g.Go(func() error {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	err := g.Wait()
	n.forward.Close()
	if n.closing != nil {
		err = errors.Join(err, n.closing())
	}
	return err
}

// register adds what is looked at when somebody scrapes.
func (n *Node) register(r prometheus.Registerer) {
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"policy_age_seconds", "Age of the policy of the tenant whose policy is oldest.", func() float64 { config, _ := n.oldest(); return config.Seconds() }},
		{"revocations_age_seconds", "Age of the revocations of the tenant whose revocations are oldest.", func() float64 { _, urgent := n.oldest(); return urgent.Seconds() }},
		{"tenants", "Tenants that are served.", func() float64 { served, _ := n.Store.Table().Served(); return float64(served) }},
		{"open_requests", "Requests on their way, WebSockets and streams included.", func() float64 { return float64(n.Streams.Len()) }},
		{"connections", "Connections of clients that are open.", func() float64 { return float64(n.server.Connections()) }},
		{"audit_pending", "Audit records that are not acknowledged yet.", func() float64 { return float64(n.Audit.Pending()) }},
		{"session_store_up", "1 while the session store answers; 0 also where there is none.", n.storeUp},
		{"session_cache_entries", "Sessions of people on a host that are remembered here.", func() float64 { return float64(n.Sessions.Stats().Remembered) }},
		{"session_tombstones_waiting", "Ends of sessions that the session store has not taken yet.", func() float64 { return float64(n.Sessions.Stats().Waiting) }},
	} {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "sallyport", Subsystem: "edge", Name: g.name, Help: g.help}, g.value))
	}
	for _, c := range []struct {
		name, help string
		value      func() int64
	}{
		{"audit_lost_total", "Audit records that did not fit. Each is in a gap record.", n.Audit.Lost},
		{"session_cache_hits_total", "Requests whose session was judged by memory alone.", func() int64 { return n.Sessions.Stats().Hits }},
		{"session_cache_misses_total", "Requests that asked the session store, or would have had it been there.", func() int64 { return n.Sessions.Stats().Misses }},
		{"session_store_errors_total", "Calls to the session store that failed, probes among them.", func() int64 { return n.Sessions.Stats().Errors }},
		{"session_cookies_unreadable_total", "Cookies of our name that we did not make, or cannot open any more.", func() int64 { return n.Sessions.Stats().Unreadable }},
		{"session_store_carried_total", "Requests that a ticket carried because the session store did not answer.", func() int64 { return n.Sessions.Stats().Carried }},
		{"session_store_unavailable_total", "Requests that could not be carried.", func() int64 { return n.Sessions.Stats().Unavailable }},
		{"session_store_foreign_total", "Values in the session store that did not open.", func() int64 { return n.Sessions.Stats().Foreign }},
	} {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "sallyport", Subsystem: "edge", Name: c.name, Help: c.help}, func() float64 { return float64(c.value()) }))
	}
	for _, over := range listener.Excesses() {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "sallyport", Subsystem: "edge", Name: "connections_refused_total", Help: "Connections that were closed before their handshake, by the limit that they were over.",
			ConstLabels: prometheus.Labels{"over": over.String()},
		}, func() float64 { return float64(n.server.Refused(over)) }))
	}
}

func (n *Node) storeUp() float64 {
	if n.Sessions.Ready() != nil {
		return 0
	}
	return 1
}

func (n *Node) oldest() (config, urgent time.Duration) {
	for s := range n.Store.Table().Sites {
		c, u := s.Ages(n.config.Now())
		config, urgent = max(config, c), max(urgent, u)
	}
	return config, urgent
}
