package upstream

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/edge/egress"
	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/listener"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// Call is an allowed request, ready to be sent.
type Call struct {
	TenantUID string
	Pool      *snapshot.Pool
	Route     *snapshot.Route
	Path      route.Path
	Host      string      // as the upstream sees it
	Header    http.Header // final
	Body      *listener.Body
	GRPC      bool
	WebSocket bool
	// Private: the answer is for one caller, and must not be kept by a shared cache.
	Private bool
	// SetCookie renews the session's cookie on an answer that no shared cache keeps. Nil is none.
	SetCookie *http.Cookie
	// Upgraded is called when a WebSocket is open.
	Upgraded func()
}

// Answer is what became of a call.
type Answer struct {
	Target    string // scheme and host of the server that was asked
	FirstByte time.Time
	// Denial is set if nothing was sent to the client yet.
	Denial *exchange.Denial
	// Err is why the exchange ended early, if it did.
	Err error
}

// Cut is the cause of a context that ends an open exchange.
type Cut struct{ Reason policy.Reason }

func (c *Cut) Error() string { return string(c.Reason) }

// Forwarder keeps connections to upstreams, per tenant: no two share one.
type Forwarder struct {
	Log *slog.Logger

	tenants sync.Map   // uid to *transports
	mu      sync.Mutex // held to change tenants
	buffers bufferPool
}

// transports are one tenant's, for one list of allowed networks: a connection is only reused as long as dialling it anew
// would be allowed.
type transports struct {
	allowed []netip.Prefix
	http    *http.Transport // HTTP/1.1, and HTTP/2 where TLS agrees on it
	h2c     *http.Transport // HTTP/2 without TLS, for targets that say so
}

const (
	maxResponseHeader = 64 << 10
	idlePerTarget     = 64
	idleTimeout       = 90 * time.Second
	handshakeTimeout  = 5 * time.Second
	bufferSize        = 32 << 10
)

func newTransports(allowed []netip.Prefix) *transports {
	made := func() *http.Transport {
		return &http.Transport{
			DialContext:            egress.Dialer(allowed).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			TLSHandshakeTimeout:    handshakeTimeout,
			MaxResponseHeaderBytes: maxResponseHeader,
			MaxIdleConnsPerHost:    idlePerTarget,
			IdleConnTimeout:        idleTimeout,
		}
	}
	t := &transports{allowed: allowed, http: made(), h2c: made()}
	t.h2c.Protocols = new(http.Protocols)
	t.h2c.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// transports returns the tenant's, made anew if the pool's networks changed.
func (f *Forwarder) transports(tenantUID string, allowed []netip.Prefix) *transports {
	if t, ok := f.current(tenantUID, allowed); ok {
		return t
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t, ok := f.current(tenantUID, allowed)
	if ok {
		return t
	}
	if t != nil {
		t.close()
	}
	t = newTransports(allowed)
	f.tenants.Store(tenantUID, t)
	return t
}

func (f *Forwarder) current(tenantUID string, allowed []netip.Prefix) (*transports, bool) {
	v, _ := f.tenants.Load(tenantUID)
	t, ok := v.(*transports)
	return t, ok && slices.Equal(t.allowed, allowed)
}

func (t *transports) close() {
	t.http.CloseIdleConnections()
	t.h2c.CloseIdleConnections()
}

// Retain closes the connections of tenants that are not served any more.
func (f *Forwarder) Retain(served func(tenantUID string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tenants.Range(func(uid, t any) bool {
		if !served(uid.(string)) {
			t.(*transports).close()
			f.tenants.Delete(uid)
		}
		return true
	})
}

// Close closes idle connections.
func (f *Forwarder) Close() { f.Retain(func(string) bool { return false }) }

// Forward sends the call and copies the answer. It panics with http.ErrAbortHandler, as net/http wants it, if the answer
// breaks off after it began; *a tells what happened all the same.
func (f *Forwarder) Forward(w *listener.Response, r *http.Request, c Call, a *Answer) {
	ctx, wait := withTimeout(r.Context(), c.Route.Timeout)
	defer wait.end()
	if c.Body != nil {
		c.Body.Progress = wait.progress
	}
	transport := f.turns(c, a)
	if c.WebSocket {
		f.tunnel(ctx, w, transport, wait, c, a)
		return
	}
	proxy := &httputil.ReverseProxy{
		Transport:  transport,
		BufferPool: &f.buffers,
		Rewrite:    func(p *httputil.ProxyRequest) { rewrite(p.Out, c) },
		ModifyResponse: func(res *http.Response) error {
			a.FirstByte = time.Now()
			wait.arrived()
			return guard(res, c)
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { a.fail(ctx, c, err) },
		ErrorLog:     slog.NewLogLogger(f.Log.Handler(), slog.LevelDebug),
	}
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

// rewrite makes the outgoing request say exactly what was decided on. Opaque goes onto the wire as it is.
func rewrite(out *http.Request, c Call) {
	out.URL = target(&url.URL{}, c.Path)
	out.Host = c.Host
	out.Header = c.Header
	out.Trailer = nil
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = []string{""} // net/http's own name is nobody's business
	}
}

func target(base *url.URL, p route.Path) *url.URL {
	scheme := base.Scheme
	if scheme == "h2c" {
		scheme = "http"
	}
	return &url.URL{Scheme: scheme, Host: base.Host, Opaque: p.Forward, RawQuery: p.Query, ForceQuery: p.HasQuery && p.Query == ""}
}

// guard takes out of an answer what only we may say, and keeps it out of shared caches.
func guard(res *http.Response, c Call) error {
	if res.StatusCode < 200 || res.StatusCode > 599 {
		return errBadStatus
	}
	header.StripResponse(res.Header)
	header.StripTrailer(res.Trailer)
	res.Body = &trailerGuard{res.Body, res}
	if !c.Private {
		return nil
	}
	header.Private(res.Header)
	if c.SetCookie != nil {
		res.Header.Add("Set-Cookie", c.SetCookie.String())
	}
	return nil
}

// bufferPool keeps buffers for copying.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return b[:]
	}
	return make([]byte, bufferSize)
}

func (p *bufferPool) Put(b []byte) { p.pool.Put((*[bufferSize]byte)(b)) }
