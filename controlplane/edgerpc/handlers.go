package edgerpc

import (
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/time/rate"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/report"
	"github.com/sallyport-iap/sallyport/controlplane/snapshot"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1/edgev1connect"
)

// Limits of the sync port.
const (
	maxMessage   = 4 << 20 // what an edge may send at once: a Report is the largest
	enrolPerSec  = 10      // for everybody together: nobody has to be known to call it
	enrolBurst   = 50      //
	streamsPerS  = 500     // new streams; the rest is told when to come back
	streamsBurst = 1_000   //
	unaryTimeout = 20 * time.Second
)

// Config is what the handlers need; every field is required.
type Config struct {
	Authority *edgefleet.Authority
	Fleet     *edgefleet.Fleet
	Presence  *edgefleet.Presence
	Publisher *snapshot.Publisher
	Reports   *report.Service
	Signer    snapshot.Signer
	Version   string // of this program, for Welcome
	Now       func() time.Time
	Log       *slog.Logger
}

// Handlers serves EdgeService on the sync port.
type Handlers struct {
	cfg      Config
	mux      *http.ServeMux
	enrol    *rate.Limiter
	streams  *rate.Limiter
	draining chan struct{}
}

// New makes the handlers.
func New(cfg Config) *Handlers {
	h := &Handlers{
		cfg:      cfg,
		mux:      http.NewServeMux(),
		enrol:    rate.NewLimiter(enrolPerSec, enrolBurst),
		streams:  rate.NewLimiter(streamsPerS, streamsBurst),
		draining: make(chan struct{}),
	}
	h.mux.Handle(edgev1connect.NewEdgeServiceHandler(h,
		connect.WithReadMaxBytes(maxMessage),
		connect.WithCompressMinBytes(math.MaxInt), // large updates are packed already, once for all streams
		connect.WithInterceptors(translate{cfg.Log}),
	))
	return h
}

// Drain asks every stream to end and refuses new ones. Call it once.
func (h *Handlers) Drain() { close(h.draining) }

// request is what a handler may know of the transport.
type request struct {
	identity edgefleet.Identity
	known    bool // there was a client certificate
	ip       string
	rc       *http.ResponseController
}

type requestKey struct{}

// ServeHTTP finds out who calls, then calls the handler.
func (h *Handlers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from := &request{rc: http.NewResponseController(w)}
	from.ip, _, _ = net.SplitHostPort(r.RemoteAddr)
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		identity, err := h.cfg.Authority.Identify(r.TLS.PeerCertificates)
		if err != nil {
			// It was good at the handshake: the connection is older than the certificate's grace.
			http.Error(w, "client certificate expired", http.StatusUnauthorized)
			return
		}
		from.identity, from.known = identity, true
	}
	h.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, from)))
}

func requestOf(ctx context.Context) *request {
	from, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return &request{}
	}
	return from
}

// edge returns the calling edge, if its certificate is good now, is over the key that it enrolled with, and nobody has
// disabled or deleted it.
func (h *Handlers) edge(ctx context.Context, expiredToo bool) (*store.Edge, *request, error) {
	from := requestOf(ctx)
	if !from.known || from.identity.Expired && !expiredToo {
		return nil, nil, &controlplane.Error{
			Kind: controlplane.Unauthenticated, Reason: controlplane.ReasonTokenMissing,
			Message: "a current edge certificate is required",
		}
	}
	edge, err := h.cfg.Fleet.Admit(ctx, from.identity)
	return edge, from, err
}

// Enrol trades a join token for a certificate.
func (h *Handlers) Enrol(ctx context.Context, m *edgev1.EnrolRequest) (*edgev1.EnrolResponse, error) {
	if !h.enrol.Allow() {
		return nil, &controlplane.Error{Kind: controlplane.Exhausted, Reason: controlplane.ReasonRate, Message: "too many enrolments", RetryAfter: time.Second}
	}
	enrolled, err := h.cfg.Fleet.Enrol(ctx, edgefleet.Enrolment{
		JoinToken: m.JoinToken, CSR: m.Csr, HPKEPublicKey: m.HpkePublicKey, Version: m.Version, IP: requestOf(ctx).ip,
	})
	if err != nil {
		return nil, err
	}
	return &edgev1.EnrolResponse{
		EdgeUid: string(enrolled.EdgeUID), Edge: enrolled.Name, CertificateChain: enrolled.Certificate.Chain,
		Ca: h.cfg.Authority.Roots(), HeadKeys: h.headKeys(),
	}, nil
}

// Renew certifies the edge's key for another day.
func (h *Handlers) Renew(ctx context.Context, m *edgev1.RenewRequest) (*edgev1.RenewResponse, error) {
	_, from, err := h.edge(ctx, true)
	if err != nil {
		return nil, err
	}
	cert, err := h.cfg.Fleet.Renew(ctx, from.identity, m.Csr)
	if err != nil {
		return nil, err
	}
	return &edgev1.RenewResponse{CertificateChain: cert.Chain, Ca: h.cfg.Authority.Roots(), HeadKeys: h.headKeys()}, nil
}

func (h *Handlers) headKeys() []*edgev1.HeadKey {
	return []*edgev1.HeadKey{{Id: h.cfg.Signer.KeyID, PublicKey: h.cfg.Signer.Public()}}
}
