package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// routed points the API's one route at servers.
func routed(t *testing.T, e *edgetest.Edge, urls ...string) {
	t.Helper()
	app := edgetest.API(urls[0])
	app.Routes[0].UpstreamUrls = urls
	e.Put(t, edgetest.Acme, app)
}

// hurried is a route to a server that has little time.
func hurried(t *testing.T, e *edgetest.Edge, url string) {
	t.Helper()
	app := edgetest.API(url)
	app.Routes[0].Timeout = durationpb.New(300 * time.Millisecond)
	e.Put(t, edgetest.Acme, app)
}

// answering answers every request with fixed bytes.
func answering(t *testing.T, response string) *edgetest.Upstream {
	t.Helper()
	up := edgetest.NewUpstream(t)
	up.Answer = func(conn net.Conn, _ *edgetest.Received) bool {
		_, err := io.WriteString(conn, response)
		return err == nil && response != ""
	}
	return up
}

// unused is an address where nobody listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestUpstreamFails(t *testing.T) {
	t.Parallel()
	e, _ := start(t)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(secure.Close)
	silent := edgetest.NewUpstream(t)
	release := make(chan struct{})
	silent.Answer = func(net.Conn, *edgetest.Received) bool { <-release; return false }
	t.Cleanup(func() { close(release) })
	for _, c := range []struct {
		name, url, reason string
		status            int
	}{
		{"nobody there", unused(t), "upstream.unreachable", 502},
		{"silent", silent.URL(), "upstream.timeout", 504},
		{"closes", answering(t, "").URL(), "upstream.unreachable", 502},
		{"garbage", answering(t, "hello\r\n\r\n").URL(), "upstream.bad_response", 502},
		{"huge header", answering(t, "HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("x", 100<<10)+"\r\n\r\n").URL(), "upstream.bad_response", 502},
		{"tunnel that nobody asked for", answering(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n").URL(), "upstream.bad_response", 502},
		{"unknown authority", secure.URL, "upstream.tls", 502},
		{"no such host", "http://nobody.invalid", "upstream.unreachable", 502},
		{"metadata", "http://169.254.169.254", "upstream.forbidden_address", 502},
		{"private", "http://10.0.0.1:8080", "upstream.forbidden_address", 502},
	} {
		routed(t, e, c.url)
		if c.url == silent.URL() {
			hurried(t, e, c.url)
		}
		res := e.Get(t, api+"/v1/x", edgetest.CI.Bearer())
		p := problemOf(t, res)
		if res.StatusCode != c.status || p["reason"] != c.reason {
			t.Errorf("%s: got %d %v", c.name, res.StatusCode, p["reason"])
			continue
		}
		record := e.Record(t, edgetest.Acme, p["decision_id"].(string))
		if d := record.GetDecision(); d.GetOutcome() != "ALLOW" || d.GetReason() != c.reason || d.GetRule() != "readers" || record.GetUpstream() != c.url {
			t.Errorf("%s: the record says %v, upstream %q", c.name, d, record.GetUpstream())
		}
		if strings.Contains(res.Text, "127.0.0.1") || strings.Contains(res.Text, "refused") {
			t.Errorf("%s: the answer tells where the upstream is: %s", c.name, res.Text)
		}
	}
}

// A pool whose operator allowed nothing reaches public addresses only.
func TestDefaultPoolRefusesLoopback(t *testing.T) {
	t.Parallel()
	up := edgetest.NewUpstream(t)
	world := edgetest.Demo(up.URL(), up.URL())
	world.Pool = &edgev1.Pool{Id: "default"}
	e := edgetest.Start(t, world)
	res := e.Get(t, api+"/v1/status", nil)
	if res.StatusCode != 502 || problemOf(t, res)["reason"] != "upstream.forbidden_address" || len(up.Bytes()) != 0 {
		t.Errorf("got %d %s", res.StatusCode, res.Text)
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	e, first := start(t)
	second := edgetest.NewUpstream(t)
	routed(t, e, first.URL(), unused(t), second.URL())
	for range 12 {
		if res := e.Do(t, "GET", api+"/v1/x", edgetest.CI.Bearer(), ""); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, res.Text)
		}
	}
	if a, b := len(first.Received()), len(second.Received()); a != 4 || b != 8 {
		t.Errorf("the first got %d, the one after the dead one %d", a, b)
	}
	e.Oracles(t, first, second)
}

// What may have been received is not sent again.
func TestNoRetryOfWhatMayHaveArrived(t *testing.T) {
	t.Parallel()
	e, other := start(t)
	dies := answering(t, "")
	routed(t, e, dies.URL(), other.URL())
	e.Put(t, edgetest.Acme, writers(true))
	statuses := map[int]int{}
	for range 2 {
		statuses[e.Do(t, "POST", api+"/v1/x", edgetest.CI.Bearer(), "body").StatusCode]++
	}
	if statuses[502] != 1 || statuses[200] != 1 || len(dies.Received()) != 1 {
		t.Errorf("got %v, and the one that dies has %d requests", statuses, len(dies.Received()))
	}
}

func TestResponseIsGuarded(t *testing.T) {
	t.Parallel()
	e, _ := start(t)
	up := answering(t, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nX-Sallyport-User: evil\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nX-Sallyport-User: evil\r\nx_sallyport_email: evil\r\nAlt-Svc: h3=\":443\"\r\nSet-Cookie: __Host-sp=evil\r\nSet-Cookie: __host-SP=evil\r\nSet-Cookie: mine=1\r\n"+
		"Cache-Control: public, max-age=60, s-maxage=60\r\nConnection: X-Secret\r\nX-Secret: hop\r\nTrailer: X-Sallyport-User\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"2\r\nok\r\n0\r\nX-Sallyport-User: evil\r\nX-Sum: 7\r\nSet-Cookie: __Host-sp=evil\r\n\r\n")
	routed(t, e, up.URL())
	for _, http2 := range []bool{false, true} {
		res := edgetest.Send(t, e.Client(t, http2), "GET", api+"/v1/x", edgetest.CI.Bearer(), "")
		if res.StatusCode != 200 || res.Text != "ok" {
			t.Fatalf("got %d %q", res.StatusCode, res.Text)
		}
		for name, values := range res.Header {
			if strings.Contains(strings.Join(values, " "), "evil") || name == "Alt-Svc" || name == "X-Secret" || name == "Link" {
				t.Errorf("the client got %s: %s", name, values)
			}
		}
		for name, values := range res.Trailer {
			if len(values) > 0 && name != "X-Sum" {
				t.Errorf("the client got the trailer %s: %s", name, values)
			}
		}
		if got := res.Header.Get("Set-Cookie"); got != "mine=1" {
			t.Errorf("Set-Cookie is %q", got)
		}
		if got := res.Header.Get("Cache-Control"); strings.Contains(got, "public") || strings.Contains(got, "s-maxage") || !strings.Contains(got, "private") {
			t.Errorf("Cache-Control is %q", got)
		}
	}
	public := e.Get(t, api+"/v1/status", nil)
	if got := public.Header.Get("Cache-Control"); !strings.Contains(got, "public") {
		t.Errorf("a page for anyone has Cache-Control %q", got)
	}
}

// gRPC over HTTP/2 without TLS to the upstream, with its trailers.
func TestGRPCTrailers(t *testing.T) {
	t.Parallel()
	e, _ := start(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" {
			t.Errorf("the upstream got %s, TE %q", r.Proto, r.Header.Get("Te"))
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status, X-Sallyport-User")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set("X-Sallyport-User", "evil")
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	routed(t, e, strings.Replace(server.URL, "http://", "h2c://", 1))
	e.Put(t, edgetest.Acme, writers(true))
	header := edgetest.CI.Bearer()
	header.Set("Content-Type", "application/grpc")
	header.Set("Te", "trailers")
	res := edgetest.Send(t, e.Client(t, true), "POST", api+"/v1/x", header, "\x00\x00\x00\x00\x01x")
	if res.StatusCode != 200 || res.Trailer.Get("Grpc-Status") != "0" || res.Trailer.Get("X-Sallyport-User") != "" || len(res.Text) != 6 {
		t.Errorf("got %d %q %v", res.StatusCode, res.Text, res.Trailer)
	}
}

// A body whose framing turns out bad while it is sent ends in 400, and its upstream connection serves nobody else.
func TestBodyThatIsCutShort(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	e.Put(t, edgetest.Acme, writers(true))
	for name, body := range map[string]string{
		"bad chunk size": "Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
		"spill":          "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
	} {
		status, _ := raw(t, e, "api.acme.localhost", fmt.Sprintf("POST /v1/x HTTP/1.1\r\nHost: api.acme.localhost\r\nAuthorization: Bearer %s\r\n%s", edgetest.CI.Text, body))
		if status != 400 {
			t.Errorf("%s: got %d", name, status)
		}
	}
	e.Honest(t, api+"/v1/status", nil, 50)
	conn := e.Dial(t, "api.acme.localhost", "http/1.1")
	_, _ = fmt.Fprintf(conn, "POST /v1/x HTTP/1.1\r\nHost: api.acme.localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\nabc", edgetest.CI.Text)
	_ = conn.CloseWrite()
	if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil && res.StatusCode == 200 {
		text, _ := io.ReadAll(res.Body)
		t.Errorf("a body shorter than it said was taken for whole: %s\n%q", text, up.Bytes())
	}
	e.Honest(t, api+"/v1/status", nil, 20)
	for _, r := range up.Received() {
		if r.Bad == nil && r.Method == "POST" {
			t.Errorf("the upstream took a cut request for whole: %q", r.Body)
		}
	}
}

func TestLargeBodiesStream(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	e.Put(t, edgetest.Acme, writers(true))
	body := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for _, http2 := range []bool{false, true} {
		res := edgetest.Send(t, e.Client(t, http2), "PUT", api+"/v1/x", edgetest.CI.Bearer(), body)
		if res.StatusCode != 200 || !strings.HasSuffix(res.Text, body) {
			t.Errorf("got %d and %d bytes", res.StatusCode, len(res.Text))
		}
	}
	for _, r := range e.Records(t, edgetest.Acme, 2) {
		if r.GetRequest().GetBytes() != 1<<20 || r.GetResponse().GetBytes() < 1<<20 {
			t.Errorf("the record says %d and %d bytes", r.GetRequest().GetBytes(), r.GetResponse().GetBytes())
		}
	}
	e.Oracles(t, up)
}
