package edge_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func empty(t *testing.T) *edgetest.Edge {
	t.Helper()
	up := edgetest.NewUpstream(t)
	world := edgetest.Demo(up.URL(), up.URL())
	world.Empty = true
	return edgetest.Start(t, world)
}

// poolOnly is the moment between the platform's snapshot and those of tenants.
func poolOnly(t *testing.T, e *edgetest.Edge) {
	t.Helper()
	e.Apply(t, snapshot.PlatformUID, edgev1.Lane_LANE_CONFIG, edgetest.Change{Put: []proto.Message{&edgev1.Pool{
		Id: "dev", Uid: e.ControlPlane.PoolUID, Login: true, AllowedUpstreamCidrs: []string{"127.0.0.0/8"},
		Tenants: []*edgev1.PoolTenant{{Uid: edgetest.Acme, Id: "acme"}, {Uid: edgetest.Globex, Id: "globex"}},
	}}})
}

// Whoever comes while an edge starts waits for the tenant, and is not told that there is none.
func TestHandshakesWaitForTheFirstSnapshot(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*testing.T, *edgetest.Edge){
		"nothing is known":  func(*testing.T, *edgetest.Edge) {},
		"the pool is known": poolOnly,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := empty(t)
			before(t, e)
			status := make(chan int, 1)
			client := e.Client(t, true)
			go func() {
				res, err := client.Get(api + "/v1/status")
				if err != nil {
					t.Error(err)
					status <- 0
					return
				}
				_ = res.Body.Close()
				status <- res.StatusCode
			}()
			unknown := make(chan error, 1)
			go func() {
				conn, err := tls.Dial("tcp", e.Addr, e.TLS("unknown.acme.localhost", "h2"))
				if err == nil {
					_ = conn.Close()
				}
				unknown <- err
			}()
			<-time.After(200 * time.Millisecond) // long enough for either to be answered, if it were
			if len(status)+len(unknown) > 0 {
				t.Error("before the snapshot somebody was answered")
			}
			e.Publish(t)
			if got := <-status; got != 200 {
				t.Errorf("after the snapshot: %d", got)
			}
			if err := <-unknown; err == nil || !strings.Contains(err.Error(), "unrecognized name") {
				t.Errorf("after the snapshot, an unknown name: %v", err)
			}
		})
	}
}

// What is open already is told to come back, as long as it cannot be said whose it is; never that it came to the wrong place.
func TestOpenConnectionsAreToldToComeBack(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		e := empty(t)
		e.Node.Store.Withdraw() // nothing is on its way, so handshakes do not wait
		client := e.Client(t, http2)
		ask := func() edgetest.Response {
			t.Helper()
			return edgetest.Send(t, client, "GET", api+"/v1/status", nil, "")
		}
		refused := func(when string) {
			t.Helper()
			if res := ask(); res.StatusCode != 503 || problemOf(t, res)["reason"] != "unavailable.no_policy" || res.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %d %s", when, res.StatusCode, res.Text)
			}
		}
		refused("nothing is known")
		poolOnly(t, e)
		refused("the pool is known")
		e.Publish(t)
		if got := ask().StatusCode; got != 200 {
			t.Errorf("after the snapshot: %d", got)
		}
		e.Node.Store.Withdraw()
		if got := ask().StatusCode; got != 503 {
			t.Errorf("after the edge was disabled: %d", got)
		}
	}
}

// An edge that serves nothing says so at once: nobody waits in a handshake for what will not come.
func TestNobodyWaitsForADisabledEdge(t *testing.T) {
	t.Parallel()
	e := empty(t)
	e.Publish(t)
	e.Node.Store.Withdraw()
	began := time.Now()
	if got := e.Get(t, api+"/v1/status", nil).StatusCode; got != 503 {
		t.Errorf("got %d", got)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
}
