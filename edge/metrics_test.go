package edge_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport-iap/sallyport/edge"
	"github.com/sallyport-iap/sallyport/edge/edgetest"
)

// What an operator asks about sessions has a number, under a name that dashboards rely on.
func TestSessionMetrics(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		redis string
		up    float64
	}{"with a store": {edgetest.RedisAddr(t), 1}, "with none": {"", 0}} {
		registry := prometheus.NewRegistry()
		edge.NewNode(edge.NodeConfig{Redis: edge.Redis{Address: c.redis}, Registerer: registry, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				got[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		want := map[string]float64{
			"sallyport_edge_session_store_up": c.up, "sallyport_edge_session_cache_entries": 0, "sallyport_edge_session_cache_hits_total": 0,
			"sallyport_edge_session_cache_misses_total": 0, "sallyport_edge_session_store_errors_total": 0,
			"sallyport_edge_session_store_carried_total": 0, "sallyport_edge_session_store_unavailable_total": 0,
			"sallyport_edge_session_store_foreign_total": 0, "sallyport_edge_session_cookies_unreadable_total": 0,
			"sallyport_edge_session_tombstones_waiting": 0,
		}
		for family := range got {
			if _, ok := want[family]; !ok {
				delete(got, family)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
