package edge_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// writers lets ci write, or not.
func writers(may bool) *edgev1.Policy {
	p := edgetest.APIPolicy()
	if may {
		p.Rules[2].Principals = append(p.Rules[2].Principals, "serviceAccount:ci")
	}
	return p
}

// The first request after an update was acknowledged is decided on it, on a connection that was open before.
func TestChangeIsSeenByTheNextRequest(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	for _, http2 := range []bool{false, true} {
		client := e.Client(t, http2)
		for i := range 20 {
			may := i%2 == 0
			e.Put(t, edgetest.Acme, writers(may))
			want := http.StatusForbidden
			if may {
				want = http.StatusOK
			}
			if res := edgetest.Send(t, client, "POST", api+"/v1/x", edgetest.CI.Bearer(), "body"); res.StatusCode != want {
				t.Fatalf("round %d: got %d, want %d", i, res.StatusCode, want)
			}
		}
	}
	e.Oracles(t, up)
}

// A request is decided and answered wholly on one snapshot, whatever happens meanwhile.
func TestChangesUnderLoad(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	var done atomic.Bool
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			client := e.Client(t, false)
			for !done.Load() {
				res := edgetest.Send(t, client, "GET", api+"/v1/x", edgetest.CI.Bearer(), "")
				if res.StatusCode != 200 {
					t.Errorf("got %d %s", res.StatusCode, res.Text)
					return
				}
			}
		})
	}
	for i := range 50 {
		e.Put(t, edgetest.Acme, writers(i%2 == 0))
		e.Revoke(t, edgetest.Acme, "session:s_nobody")
	}
	done.Store(true)
	group.Wait()
	e.Oracles(t, up)
}

func TestAppThatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	unknown := func(m proto.Message) {
		b := m.ProtoReflect()
		b.SetUnknown(append(b.GetUnknown(), 0xf8, 0x07, 0x01)) // field 127 = 1
	}
	status := func() int { return e.Get(t, api+"/v1/x", edgetest.CI.Bearer()).StatusCode }
	for _, c := range []struct {
		name   string
		put    func() proto.Message
		closed string
	}{
		{"a field of a rule's conditions", func() proto.Message {
			p := edgetest.APIPolicy()
			p.Rules[2].Conditions = &edgev1.Conditions{Idps: []string{"demo"}}
			unknown(p.Rules[2].Conditions)
			return p
		}, "api"},
		{"an effect", func() proto.Message {
			p := edgetest.APIPolicy()
			p.Rules[0].Effect = 99
			return p
		}, "api"},
		{"a field of a policy, which may reach further than its apps", func() proto.Message {
			p := edgetest.APIPolicy()
			unknown(p)
			return p
		}, "api wiki"},
		{"a field of a role that nobody uses", func() proto.Message {
			r := &edgev1.Role{Id: "spare", Uid: "r"}
			unknown(r)
			return r
		}, ""},
		{"a group that a rule names", func() proto.Message {
			g := &edgev1.Group{Id: "admins", Uid: "group-admins"}
			unknown(g)
			return g
		}, "api wiki"},
		{"a field of the app", func() proto.Message {
			a := edgetest.API(up.URL())
			unknown(a)
			return a
		}, "api"},
	} {
		applied := e.Put(t, edgetest.Acme, c.put())
		if got := strings.Join(applied.GetClosedApps(), " "); got != c.closed {
			t.Errorf("%s: closed %q, want %q", c.name, got, c.closed)
		}
		want := 200
		if strings.Contains(c.closed, "api") {
			want = 403
		}
		if got := status(); got != want {
			t.Errorf("%s: got %d, want %d", c.name, got, want)
		}
		// Everything as it was.
		e.Put(t, edgetest.Acme, edgetest.AcmeConfig(up.URL(), up.URL())...)
		if got := status(); got != 200 {
			t.Fatalf("after %s: got %d", c.name, got)
		}
	}
	p := problemOf(t, func() edgetest.Response {
		e.Apply(t, edgetest.Acme, edgev1.Lane_LANE_CONFIG, edgetest.Change{Raw: []*edgev1.Resource{{Kind: "GuardRail", Id: "g", Uid: "g"}}})
		return e.Get(t, api+"/v1/status", nil)
	}())
	if p["reason"] != "deny.app_closed" {
		t.Errorf("an unknown kind: %v", p)
	}
	if e.Get(t, "https://wiki.globex.localhost/", edgetest.Robot.Bearer()).StatusCode != 200 {
		t.Error("another tenant was closed as well")
	}
	e.Oracles(t, up)
}

// clock is one that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time           { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) Advance(by time.Duration) { c.ahead.Add(int64(by)) }

func TestStalePolicyClosesTheApp(t *testing.T) {
	t.Parallel()
	up := edgetest.NewUpstream(t)
	c := &clock{}
	world := edgetest.Demo(up.URL(), up.URL())
	world.Now = c.Now
	for _, m := range world.Tenants[0].Config {
		if a, ok := m.(*edgev1.App); ok && a.Id == "api" {
			a.MaxStaleness = durationpb.New(time.Minute)
		}
	}
	e := edgetest.Start(t, world)
	status := func(url string, header http.Header) int { return e.Get(t, url, header).StatusCode }
	c.Advance(59 * time.Second)
	if got := status(api+"/v1/status", nil); got != 200 {
		t.Errorf("a second before: %d", got)
	}
	c.Advance(2 * time.Second)
	res := e.Get(t, api+"/v1/status", nil)
	if res.StatusCode != 503 || problemOf(t, res)["reason"] != "unavailable.policy_too_old" || res.Header.Get("Retry-After") == "" {
		t.Errorf("a second after: %d %s", res.StatusCode, res.Text)
	}
	if got := status("https://wiki.globex.localhost/", edgetest.Robot.Bearer()); got != 200 {
		t.Errorf("an app that accepts a day: %d", got)
	}
	e.Freshen(t, edgetest.Acme, c.Now())
	if got := status(api+"/v1/status", nil); got != 200 {
		t.Errorf("after a head that proves that nothing changed: %d", got)
	}
	// An older head makes nothing younger, and nothing older.
	e.Freshen(t, edgetest.Acme, c.Now().Add(-time.Hour))
	if got := status(api+"/v1/status", nil); got != 200 {
		t.Errorf("after an old head: %d", got)
	}
	e.Oracles(t, up)
}

func TestDisabledTenant(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	for _, m := range edgetest.AcmeConfig(up.URL(), up.URL()) {
		if n, ok := m.(*edgev1.Tenant); ok {
			n.Disabled = true
			e.Put(t, edgetest.Acme, n)
		}
	}
	for _, url := range []string{api + "/v1/status", "https://auth.acme.localhost/", api + "/.sallyport/jwks.json"} {
		if res := e.Get(t, url, edgetest.CI.Bearer()); res.StatusCode != 403 {
			t.Errorf("%s: got %d", url, res.StatusCode)
		}
	}
	if got := e.Get(t, "https://wiki.globex.localhost/", edgetest.Robot.Bearer()).StatusCode; got != 200 {
		t.Errorf("another tenant: %d", got)
	}
}

// streaming answers with a stream that goes on until its client leaves.
func streaming(conn net.Conn, r *edgetest.Received) bool {
	if r.Get("Upgrade") != "" || r.Target != "/v1/stream" {
		return edgetest.Echo(conn, r)
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\n")
	_, _ = conn.Read(make([]byte, 1)) // until the edge leaves
	return false
}

func TestStreamsAreCut(t *testing.T) {
	t.Parallel()
	up := edgetest.NewUpstream(t)
	up.Answer = streaming
	c := &clock{}
	world := edgetest.Demo(up.URL(), up.URL())
	world.Now = c.Now
	e := edgetest.Start(t, world)
	without := edgetest.APIPolicy()
	without.Rules[1].Principals = []string{"group:engineering"}
	for _, change := range []struct {
		name, cut string
		make      func()
		undo      func()
	}{
		{"policy", "cut.policy", func() { e.Put(t, edgetest.Acme, without) }, func() { e.Put(t, edgetest.Acme, edgetest.APIPolicy()) }},
		{
			"revocation", "cut.revoked", func() { e.Revoke(t, edgetest.Acme, "serviceAccount:sa-ci") },
			func() {
				e.Apply(t, edgetest.Acme, edgev1.Lane_LANE_URGENT, edgetest.Change{Remove: []string{"Revocation/rev-serviceAccount:sa-ci"}})
			},
		},
		{"expiry", "cut.expired", func() { c.Advance(25 * time.Hour) }, func() { c.Advance(-25 * time.Hour) }},
	} {
		for _, kind := range []string{"websocket", "http/1.1", "h2"} {
			if change.name == "expiry" && kind != "websocket" {
				continue // the same code; and the demo's staleness is a day as well
			}
			end := open(t, e, kind)
			began := time.Now()
			change.make()
			took := end(change.cut)
			t.Logf("%s, %s: cut %s after the change", change.name, kind, took.Sub(began))
			change.undo()
			e.Freshen(t, edgetest.Acme, c.Now())
		}
	}
	e.Oracles(t, up)
	cuts := map[string]int{}
	for _, r := range e.Records(t, edgetest.Acme, 14) {
		if r.GetStream().GetPhase() == "end" {
			cuts[r.GetStream().GetCut()]++
		}
	}
	if cuts["cut.policy"] < 3 || cuts["cut.revoked"] < 3 {
		t.Errorf("the records say %v", cuts)
	}
}

// open opens a stream that has begun to flow, and returns what waits for it to be cut.
func open(t *testing.T, e *edgetest.Edge, kind string) func(reason string) time.Time {
	t.Helper()
	if kind == "websocket" {
		s, res := e.Socket(t, "api.acme.localhost", "/v1/live", edgetest.CI.Bearer())
		if s == nil {
			t.Fatalf("the handshake got %d", res.StatusCode)
		}
		s.Send(t, 1, "hello")
		if op, text, err := s.Receive(); err != nil || op != 1 || string(text) != "hello" {
			t.Fatalf("echo: %d %q %v", op, text, err)
		}
		return func(reason string) time.Time {
			t.Helper()
			op, payload, err := s.Receive()
			at := time.Now()
			if err != nil || op != 8 || len(payload) < 2 || int(payload[0])<<8|int(payload[1]) != 1008 || reason == "cut.policy" && string(payload[2:]) != reason {
				t.Errorf("the socket ended with %d %q %v", op, payload, err)
			}
			if _, err := s.Read.ReadByte(); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				t.Errorf("after the close frame: %v", err)
			}
			return at
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", api+"/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = edgetest.CI.Bearer()
	res, err := e.Client(t, kind == "h2").Do(r)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(err, res)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewReader(res.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return func(string) time.Time {
		t.Helper()
		if _, err := io.Copy(io.Discard, lines); err == nil || ctx.Err() != nil {
			t.Errorf("the stream ended with %v, as if it were complete", err)
		}
		return time.Now()
	}
}

func TestWebSocketRules(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	with := func(h http.Header, name, value string) http.Header {
		h = h.Clone()
		h.Set(name, value)
		return h
	}
	for _, c := range []struct {
		name, path string
		header     http.Header
		status     int
	}{
		{"own origin", "/v1/live", with(edgetest.CI.Bearer(), "Origin", api), 101},
		{"a program without origin", "/v1/live", edgetest.CI.Bearer(), 101},
		{"foreign origin", "/v1/live", with(edgetest.CI.Bearer(), "Origin", "https://evil.example"), 403},
		{"an origin that begins like ours", "/v1/live", with(edgetest.CI.Bearer(), "Origin", api+".evil.example"), 403},
		{"null", "/v1/live", with(edgetest.CI.Bearer(), "Origin", "null"), 403},
		{"stranger", "/v1/live", nil, 401},
		{"an operation that names no socket", "/v1/x", edgetest.CI.Bearer(), 403},
		{"public for GET only", "/v1/status", nil, 401},
	} {
		s, res := e.Socket(t, "api.acme.localhost", c.path, c.header)
		if res.StatusCode != c.status {
			t.Errorf("%s: got %d, want %d", c.name, res.StatusCode, c.status)
		}
		if s != nil {
			_ = s.Conn.Close()
		}
	}
	app := edgetest.API(up.URL())
	app.Routes[0].Websocket = false
	e.Put(t, edgetest.Acme, app)
	if _, res := e.Socket(t, "api.acme.localhost", "/v1/live", edgetest.CI.Bearer()); res.StatusCode != 400 {
		t.Errorf("a route without sockets: %d", res.StatusCode)
	}
	e.Oracles(t, up)
}

// An upstream that agrees to what is no WebSocket must not get a tunnel.
func TestWebSocketAnswerIsChecked(t *testing.T) {
	t.Parallel()
	up := edgetest.NewUpstream(t)
	up.Answer = func(conn net.Conn, r *edgetest.Received) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n")
		return false
	}
	e := edgetest.Start(t, edgetest.Demo(up.URL(), up.URL()))
	if _, res := e.Socket(t, "api.acme.localhost", "/v1/live", edgetest.CI.Bearer()); res.StatusCode != 502 {
		t.Errorf("got %d", res.StatusCode)
	}
}
