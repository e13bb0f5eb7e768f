package uplink

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1/edgev1connect"
)

// Config is what an Uplink is made of.
type Config struct {
	Dir       string // where the identity is kept
	URL       string // of the control plane's sync port
	JoinToken string // for an edge that has no identity yet
	Version   string // of this program
	BootID    string
	Log       *slog.Logger
	// Dial reaches the control plane; nil is a plain TCP dial. The name that is verified is always the same.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// serverName is in the control plane's certificate, whatever address is dialled.
const serverName = "controlplane.sallyport.internal"

const (
	callTimeout     = 10 * time.Second
	maxMessage      = 300 << 20 // a whole tenant, unpacked, and what surrounds it
	compressFrom    = 8 << 10
	heartbeat       = 5 * time.Second
	silence         = 15 * time.Second
	maxWait         = 30 * time.Second
	firstWait       = 250 * time.Millisecond
	concurrentBuild = 2 // config updates that are compiled at once
	// A disabled edge is usually wanted back by somebody who watches; a deleted one is not.
	firstDisabledWait = time.Second
	disabledWait      = 5 * time.Second
	removedWait       = time.Minute
)

// Uplink is the tie to the control plane.
type Uplink struct {
	config   Config
	identity atomic.Pointer[Identity]
	client   edgev1connect.EdgeServiceClient
	up       atomic.Bool
	depart   chan struct{} // closed to say goodbye
	departed chan struct{} // closed when it was said, or cannot be
}

func newUplink(c Config, id *Identity) *Uplink {
	u := &Uplink{config: c, depart: make(chan struct{}), departed: make(chan struct{})}
	u.identity.Store(id)
	u.client = c.client(&tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: serverName,
		// The authorities change with a renewal, the client does not: trusted replaces the usual verification.
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies
		VerifyConnection:   func(s tls.ConnectionState) error { return trusted(s, u.identity.Load().authorities) },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &u.identity.Load().certificate, nil
		},
	})
	return u
}

// Identity is who this edge is.
func (u *Uplink) Identity() *Identity { return u.identity.Load() }

// BootID names this start of the process, as reports and the stream do.
func (u *Uplink) BootID() string { return u.config.BootID }

// Connected reports whether a stream is up.
func (u *Uplink) Connected() bool { return u.up.Load() }

// client speaks HTTP/2 only, to one server, without a proxy.
func (c Config) client(t *tls.Config) edgev1connect.EdgeServiceClient {
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: callTimeout, KeepAlive: heartbeat}).DialContext
	}
	t.NextProtos = []string{"h2"}
	transport := &http.Transport{
		DialContext:         dial,
		TLSClientConfig:     t,
		TLSHandshakeTimeout: callTimeout,
		Protocols:           new(http.Protocols),
		HTTP2:               &http.HTTP2Config{SendPingTimeout: heartbeat, PingTimeout: silence},
	}
	transport.Protocols.SetHTTP2(true)
	return edgev1connect.NewEdgeServiceClient(&http.Client{Transport: transport}, c.URL,
		connect.WithCompressMinBytes(compressFrom), connect.WithReadMaxBytes(maxMessage))
}

// Run follows the stream and renews the certificate until ctx is cancelled or Depart was called.
func (u *Uplink) Run(ctx context.Context, store *snapshot.Store) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return u.renew(ctx, store) })
	g.Go(func() error {
		defer cancel()
		return u.follow(ctx, store)
	})
	return g.Wait()
}

// Report delivers audit records and session events.
func (u *Uplink) Report(ctx context.Context, r *edgev1.ReportRequest) (*edgev1.ReportResponse, error) {
	return u.client.Report(ctx, r)
}

// Depart says goodbye: the edge serves nothing any more, and nobody waits for it. It returns when that was said, or cannot be.
func (u *Uplink) Depart(ctx context.Context) error {
	close(u.depart)
	select {
	case <-u.departed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// renew trades the certificate for a fresh one at half of its life. While that fails, the old one is used: it renews even
// after it expired.
func (u *Uplink) renew(ctx context.Context, store *snapshot.Store) error {
	wait := time.Until(u.Identity().half())
	for {
		if err := sleep(ctx, wait); err != nil {
			return nil //nolint:nilerr // the process ends
		}
		if err := u.renewNow(ctx, store); err != nil {
			u.config.Log.ErrorContext(ctx, "the certificate cannot be renewed; trying again", slog.Time("expires", u.Identity().Expiry()), slog.Any("error", err))
			wait = time.Minute + rand.N(time.Minute) //nolint:gosec // to spread load
			continue
		}
		wait = time.Until(u.Identity().half())
	}
}

func (u *Uplink) renewNow(ctx context.Context, store *snapshot.Store) error {
	id := u.Identity()
	csr, err := id.request()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := u.client.Renew(ctx, &edgev1.RenewRequest{Csr: csr})
	if err != nil {
		return err
	}
	fresh, err := id.certified(r.GetCertificateChain(), r.GetCa(), r.GetHeadKeys())
	if err != nil {
		return err
	}
	if err := fresh.save(u.config.Dir); err != nil {
		return fmt.Errorf("keep the identity: %w", err)
	}
	u.identity.Store(fresh)
	store.TrustHeadKeys(r.GetHeadKeys())
	u.config.Log.InfoContext(ctx, "the certificate was renewed", slog.Time("expires", fresh.Expiry()))
	return nil
}

// jitter is full jitter: edges that lost the control plane together must not come back together.
func jitter(attempt int) time.Duration {
	return rand.N(min(maxWait, firstWait<<min(attempt, 10))) //nolint:gosec // to spread load
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
