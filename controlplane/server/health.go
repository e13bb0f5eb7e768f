package server

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// checkWithin bounds all readiness checks together.
const checkWithin = 2 * time.Second

// health is what the private port tells. It serves from the first moment, when nothing is ready yet.
type health struct {
	registry *prometheus.Registry

	mu     sync.Mutex
	checks []check
}

// check is one named reason not to be ready.
type check struct {
	name string
	ok   func(context.Context) error
}

var errStarting = errors.New("starting")

func newHealth(version string) *health {
	h := &health{registry: prometheus.NewRegistry()}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sallyport_build_info", Help: "Always 1; the version is in the label."}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	h.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build)
	h.set(check{"start", func(context.Context) error { return errStarting }})
	return h
}

// set replaces the checks.
func (h *health) set(checks ...check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = checks
}

// handler serves the private port. On a loopback listener only loopback names are answered: a page in a browser of the
// same machine must not get here by a name of its own.
func (h *health) handler(at net.Addr) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	if tcp, ok := at.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			http.Error(w, "only for this machine", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// ready answers 200 if every check passes, and names each in any case.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkWithin)
	defer cancel()
	h.mu.Lock()
	checks := h.checks
	h.mu.Unlock()
	status, results := http.StatusOK, make(map[string]string, len(checks))
	for _, c := range checks {
		results[c.name] = "ok"
		if err := c.ok(ctx); err != nil {
			status, results[c.name] = http.StatusServiceUnavailable, err.Error()
		}
	}
	writeJSON(w, status, map[string]any{"ready": status == http.StatusOK, "checks": results})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked has gone
}
