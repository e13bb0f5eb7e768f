package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/controlplane"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.put(controlplane.PlatformUID, pool("dev", false))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	e.connect(r)
	e.until("its pool", func() bool { return e.pool != "" })
	get := func(path, host string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.healthURL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	if status, body := get("/livez", ""); status != http.StatusOK {
		t.Errorf("livez: %d %s", status, body)
	}
	var ready struct {
		Ready  bool
		Checks map[string]string
	}
	status, body := get("/readyz", "localhost")
	if err := json.Unmarshal([]byte(body), &ready); err != nil || status != http.StatusOK || !ready.Ready || ready.Checks["database"] != "ok" || ready.Checks["snapshot"] != "ok" {
		t.Errorf("readyz: %d %s", status, body)
	}
	_, body = get("/metrics", "")
	for _, name := range []string{
		`sallyport_build_info{version="test"} 1`, "sallyport_sync_streams 1", `sallyport_sync_updates_total{lane="config",replace="true"}`,
		"sallyport_snapshot_build_seconds_count", "go_goroutines",
	} {
		if !strings.Contains(body, name) {
			t.Errorf("metrics have no %s", name)
		}
	}
	if status, _ := get("/debug/pprof/cmdline", ""); status != http.StatusOK {
		t.Errorf("pprof: %d", status)
	}
	// A page in a browser on this machine, whose own name leads to 127.0.0.1.
	for _, path := range []string{"/metrics", "/debug/pprof/heap", "/readyz"} {
		if status, _ := get(path, "rebind.evil.test"); status != http.StatusForbidden {
			t.Errorf("%s for a foreign name: %d", path, status)
		}
	}
	if response, err := http.Get(r.apiURL + "/debug/pprof/"); err != nil || response.StatusCode == http.StatusOK {
		t.Errorf("pprof on the API's port: %v %v", response, err)
	}
}
