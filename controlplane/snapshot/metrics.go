package snapshot

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-iap/sallyport/controlplane"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Metrics counts what a publisher does. A nil one counts nothing.
type Metrics struct {
	open    prometheus.Gauge
	builds  prometheus.Histogram
	failed  prometheus.Counter
	updates *prometheus.CounterVec
	bytes   *prometheus.CounterVec
	refusal *prometheus.CounterVec
}

// NewMetrics registers a publisher's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sallyport_sync_streams", Help: "Edges connected to this process.",
		}),
		builds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sallyport_snapshot_build_seconds", Help: "Time from noticing a tenant's change to its views being published.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sallyport_snapshot_build_failures_total", Help: "Readings of a tenant that failed; each is tried again within a second.",
		}),
		updates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_sync_updates_total", Help: "Updates sent to edges.",
		}, []string{"lane", "replace"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_sync_update_bytes_total", Help: "Packed size of the updates sent to edges.",
		}, []string{"lane"}),
		refusal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sallyport_sync_refusals_total", Help: "Updates that edges did not take.",
		}, []string{"reason"}),
	}
	r.MustRegister(m.open, m.builds, m.failed, m.updates, m.bytes, m.refusal)
	return m
}

func (m *Metrics) streams(change float64) {
	if m != nil {
		m.open.Add(change)
	}
}

func (m *Metrics) built(took time.Duration) {
	if m != nil {
		m.builds.Observe(took.Seconds())
	}
}

func (m *Metrics) buildFailed() {
	if m != nil {
		m.failed.Inc()
	}
}

func (m *Metrics) sent(l controlplane.Lane, p *payload) {
	if m != nil {
		m.updates.WithLabelValues(string(l), strconv.FormatBool(p.replace)).Inc()
		m.bytes.WithLabelValues(string(l)).Add(float64(len(p.resources)))
	}
}

func (m *Metrics) refused(reason edgev1.RefusedReason) {
	if m != nil {
		// An edge could send any number: unknown ones share a label.
		name, ok := edgev1.RefusedReason_name[int32(reason)]
		if !ok {
			name = "unknown"
		}
		m.refusal.WithLabelValues(name).Inc()
	}
}
