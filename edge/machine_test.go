package edge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
)

const api = "https://api.acme.localhost"

func start(t *testing.T) (*edgetest.Edge, *edgetest.Upstream) {
	t.Helper()
	up := edgetest.NewUpstream(t)
	return edgetest.Start(t, edgetest.Demo(up.URL(), up.URL())), up
}

func TestMachinePath(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	res := e.Get(t, api+"/v1/invoices?q=1", edgetest.CI.Bearer())
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Text, "GET /v1/invoices?q=1 HTTP/1.1\n") {
		t.Fatalf("got %d %s", res.StatusCode, res.Text)
	}
	e.Oracles(t, up)
}
