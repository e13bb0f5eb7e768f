package edge

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// Metrics count what the pipeline does. Labels come from closed lists only: a name that a client or tenant chose would let
// either fill the memory of whoever scrapes.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	cuts     *prometheus.CounterVec
	made     sync.Map // made children, so that a request takes no lock of the vectors
}

// NewMetrics registers the pipeline's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_edge_requests_total", Help: "Requests by what was decided, and why.",
		}, []string{"outcome", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sallyport_edge_request_seconds", Help: "Time from a request's header to the end of its answer, by who answered.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		}, []string{"by"}),
		cuts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_edge_cut_total", Help: "Open requests that were ended, by why.",
		}, []string{"reason"}),
	}
	r.MustRegister(m.requests, m.seconds, m.cuts)
	return m
}

type requestLabels struct{ outcome, reason string }

func (m *Metrics) observe(e *sallyportv1.AccessEvent, took time.Duration) {
	d := e.GetDecision()
	labels := requestLabels{d.GetOutcome(), d.GetReason()}
	counter, ok := m.made.Load(labels)
	if !ok {
		counter, _ = m.made.LoadOrStore(labels, m.requests.WithLabelValues(labels.outcome, labels.reason))
	}
	counter.(prometheus.Counter).Inc()
	by := e.GetResponse().GetBy()
	seconds, ok := m.made.Load(by)
	if !ok {
		seconds, _ = m.made.LoadOrStore(by, m.seconds.WithLabelValues(by))
	}
	seconds.(prometheus.Observer).Observe(took.Seconds())
	if cut := e.GetStream().GetCut(); cut != "" {
		m.cuts.WithLabelValues(cut).Inc()
	}
}
