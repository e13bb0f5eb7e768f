package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport-iap/sallyport/edge"
	"github.com/sallyport-iap/sallyport/edge/uplink"
)

// patience is how long an edge that starts waits for the last of its tenants: one whose snapshot is refused must not keep
// the others from being served.
const patience = 10 * time.Second

// health says how the edge is, on a loopback address.
type health struct {
	node     *edge.Node
	tie      *uplink.Uplink
	registry *prometheus.Registry
	leaving  atomic.Bool

	mu    sync.Mutex
	first time.Time // when the first snapshot was seen
}

func newHealth(node *edge.Node, tie *uplink.Uplink, registry *prometheus.Registry) *health {
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_edge_connected", Help: "1 while the control plane is followed."}, func() float64 {
			if tie.Connected() {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_edge_certificate_expiry_seconds", Help: "When the edge's certificate ends, as Unix time."}, func() float64 {
			return float64(tie.Identity().Expiry().Unix())
		}))
	return &health{node: node, tie: tie, registry: registry}
}

// check is one named finding.
type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
	// Informs: it is worth knowing and does not make the edge unready, which serves without it.
	Informs bool `json:"informs,omitempty"`
}

func (h *health) checks() []check {
	served, missing := h.node.Store.Table().Served()
	snapshot := check{Name: "snapshot", OK: h.holds(served, missing)}
	if !snapshot.OK {
		snapshot.Detail = fmt.Sprintf("%d tenants are there, %d are not", served, missing)
	}
	list := []check{
		{Name: "serving", OK: !h.leaving.Load()},
		snapshot,
		{Name: "control_plane", OK: h.tie.Connected(), Informs: true},
	}
	store := check{Name: "session_store", OK: true, Informs: true}
	if err := h.node.Sessions.Ready(); err != nil {
		store.OK, store.Detail = false, err.Error()
	}
	return append(list, store)
}

// holds reports whether the edge holds a snapshot of everybody whom it serves, or has waited long enough for the last.
func (h *health) holds(served, missing int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if served+missing == 0 && h.node.Store.Table().Pool == nil {
		h.first = time.Time{}
		return false
	}
	if h.first.IsZero() {
		h.first = time.Now()
	}
	return missing == 0 || time.Since(h.first) > patience
}

func (h *health) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		list, status := h.checks(), http.StatusOK
		for _, c := range list {
			if !c.OK && !c.Informs {
				status = http.StatusServiceUnavailable
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"ready": status == http.StatusOK, "checks": list})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return ownName(mux)
}

// ownName refuses names that a page in somebody's browser could have made to resolve to this address (DNS rebinding).
func ownName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
			http.Error(w, "ask by address, or as localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *health) run(ctx context.Context, socket net.Listener, log *slog.Logger) error {
	server := &http.Server{Handler: h.handler(), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(socket) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve health: %w", err)
	case <-ctx.Done():
	}
	err := server.Close()
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
