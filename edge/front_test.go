package edge_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/edge/edgetest"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// raw sends bytes on a connection of its own and returns the answer's head, and whether the connection was closed after it.
func raw(t *testing.T, e *edgetest.Edge, sni, request string) (status int, closed bool) {
	t.Helper()
	conn := e.Dial(t, sni, "http/1.1")
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	b := bufio.NewReader(conn)
	res, err := http.ReadResponse(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	if !res.Close {
		return res.StatusCode, false
	}
	if _, err = b.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the answer says that the connection closes, and then %v", err)
	}
	return res.StatusCode, true
}

func TestServerName(t *testing.T) {
	t.Parallel()
	e, _ := start(t)
	for _, name := range []string{"", "unknown.acme.localhost", "evil.example", "127.0.0.1"} {
		conn, err := tls.Dial("tcp", e.Addr, &tls.Config{InsecureSkipVerify: true, ServerName: name})
		if err == nil {
			_ = conn.Close()
		}
		// crypto/tls keeps a received alert's type to itself.
		if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("SNI %q: %v, want the alert unrecognized_name", name, err)
		}
	}
	if _, err := tls.Dial("tcp", e.Addr, &tls.Config{RootCAs: e.Roots, ServerName: "api.acme.localhost", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	conn := e.Dial(t, "WIKI.acme.localhost.", "http/1.1")
	if err := conn.Handshake(); err != nil {
		t.Errorf("another spelling of a name: %v", err)
	}
}

// A session ticket of one tenant's connection must not open one to another, or to nobody.
func TestTicketsAreOfOneTenant(t *testing.T) {
	t.Parallel()
	e, _ := start(t)
	cache := tls.NewLRUClientSessionCache(8)
	connect := func(name string) (tls.ConnectionState, error) {
		config := e.TLS("api.acme.localhost", "http/1.1")
		config.ClientSessionCache = onlyCache{cache}
		config.ServerName = name
		config.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", e.Addr, config)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name)
		_, _ = io.Copy(io.Discard, conn)
		return conn.ConnectionState(), nil
	}
	if _, err := connect("api.acme.localhost"); err != nil {
		t.Fatal(err)
	}
	if state, err := connect("api.acme.localhost"); err != nil || !state.DidResume {
		t.Errorf("the same name again: resumed %v, %v", state.DidResume, err)
	}
	if state, err := connect("wiki.globex.localhost"); err != nil || state.DidResume {
		t.Errorf("another tenant's name: resumed %v, %v", state.DidResume, err)
	}
	if _, err := connect("nobody.acme.localhost"); err == nil {
		t.Error("a name that nobody has was let in")
	}
}

// onlyCache offers every server the same session, whatever its name.
type onlyCache struct{ tls.ClientSessionCache }

func (c onlyCache) Get(string) (*tls.ClientSessionState, bool) {
	return c.ClientSessionCache.Get("one")
}

func (c onlyCache) Put(_ string, state *tls.ClientSessionState) {
	c.ClientSessionCache.Put("one", state)
}

func TestMisdirected(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	answer := func(host string) string {
		conn := e.Dial(t, "api.acme.localhost", "http/1.1")
		_, _ = fmt.Fprintf(conn, "GET /v1/status HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		all, _ := io.ReadAll(conn)
		text := string(all)
		if i := strings.Index(text, `"decision_id":"`); i > 0 {
			text = text[:i] + text[i+len(`"decision_id":"d_01M84973Y6TVM3T6WVDXCM7DDX"`):]
		}
		for line := range strings.SplitSeq(text, "\r\n") {
			if strings.HasPrefix(line, "Date:") {
				text = strings.Replace(text, line, "", 1)
			}
		}
		return text
	}
	foreign, unknown := answer("wiki.globex.localhost"), answer("unknown.acme.localhost")
	if !strings.HasPrefix(foreign, "HTTP/1.1 421 ") || foreign != unknown {
		t.Errorf("foreign and unknown differ, or are no 421:\n%s\n%s", foreign, unknown)
	}
	edgetest.NoCanary(t, foreign, "globex")
	if other := answer("wiki.acme.localhost"); !strings.HasPrefix(other, "HTTP/1.1 401 ") {
		t.Errorf("another host of the tenant: %s", other)
	}
	e.Oracles(t, up)
}

func TestPlainHTTPOnTheTLSPort(t *testing.T) {
	t.Parallel()
	e, _ := start(t)
	conn, err := net.Dial("tcp", e.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: api.acme.localhost\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	all, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(all), "HTTP/1.0 400 ") || strings.Contains(string(all), "acme") {
		t.Errorf("got %q", all)
	}
}

func TestRequestLine(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	const host = "Host: api.acme.localhost\r\n"
	auth := "Authorization: Bearer " + edgetest.CI.Text + "\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
		closed  bool
	}{
		"fine":            {"GET /v1/status HTTP/1.1\r\n" + host + "\r\n", 200, false},
		"HTTP/1.0":        {"GET /v1/status HTTP/1.0\r\n" + host + "\r\n", 505, true},
		"HTTP/1.2":        {"GET /v1/status HTTP/1.2\r\n" + host + "\r\n", 505, true},
		"CONNECT":         {"CONNECT api.acme.localhost:443 HTTP/1.1\r\n" + host + auth + "\r\nGET /smuggled HTTP/1.1\r\n" + host + "\r\n", 405, true},
		"PRI":             {"PRI /v1/status HTTP/1.1\r\n" + host + "\r\n", 405, true},
		"TRACE":           {"TRACE /v1/status HTTP/1.1\r\n" + host + "\r\n", 405, true},
		"lower case":      {"get /v1/status HTTP/1.1\r\n" + host + "\r\n", 405, true},
		"asterisk":        {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 400, true},
		"absolute-form":   {"GET https://api.acme.localhost/v1/status HTTP/1.1\r\n" + host + "\r\n", 400, true},
		"dot segments":    {"GET /v1/status/../x HTTP/1.1\r\n" + host + "\r\n", 400, true},
		"fragment":        {"GET /v1/status#x HTTP/1.1\r\n" + host + "\r\n", 400, true},
		"empty host":      {"GET /v1/status HTTP/1.1\r\nHost:\r\n\r\n", 400, true},
		"port of nobody":  {"GET /v1/status HTTP/1.1\r\nHost: api.acme.localhost:8443\r\n\r\n", 400, true},
		"h2c":             {"GET /v1/status HTTP/1.1\r\n" + host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n", 400, true},
		"Connection":      {"GET /v1/status HTTP/1.1\r\n" + host + "Connection: X-Sallyport-User\r\n\r\n", 400, true},
		"long target":     {"GET /v1/status?" + strings.Repeat("x", 9000) + " HTTP/1.1\r\n" + host + "\r\n", 414, true},
		"many headers":    {"GET /v1/status HTTP/1.1\r\n" + host + strings.Repeat("X-A: b\r\n", 101) + "\r\n", 431, true},
		"large header":    {"GET /v1/status HTTP/1.1\r\n" + host + "X-A: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", 431, true},
		"chunked":         {"POST /v1/x HTTP/1.1\r\n" + host + auth + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 403, true},
		"large body":      {"POST /v1/x HTTP/1.1\r\n" + host + auth + "Content-Length: 1000000\r\n\r\n", 403, true},
		"strange Expect":  {"GET /v1/status HTTP/1.1\r\n" + host + "Expect: 200-ok\r\n\r\n", 417, true},
		"expect, refused": {"POST /v1/x HTTP/1.1\r\n" + host + auth + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 403, true},
	} {
		status, closed := raw(t, e, "api.acme.localhost", c.request)
		if status != c.status || closed != c.closed {
			t.Errorf("%s: got %d, closed %v; want %d, %v", name, status, closed, c.status, c.closed)
		}
	}
	e.Honest(t, api+"/v1/status", nil, 20)
	e.Oracles(t, up)
}

// Names that only we may say, in every spelling, on every kind of route and as trailers.
func TestSpoofedNames(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	var lines strings.Builder
	for _, name := range []string{
		"X-Sallyport-User", "X-Sallyport-Email", "X-Sallyport-Groups", "X-Sallyport-Assertion", "X-Sallyport-Anything",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-User", "Forwarded", "X-Real-Ip", "X-Original-Url", "X-Rewrite-Url", "Remote-User",
	} {
		for _, spelled := range []string{name, strings.ToLower(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", ".")} {
			fmt.Fprintf(&lines, "%s: evil\r\n", spelled)
		}
	}
	auth := "Authorization: Bearer " + edgetest.CI.Text + "\r\n"
	trailer := "Trailer: X-Sallyport-User\r\nTransfer-Encoding: chunked\r\n"
	e.Put(t, edgetest.Acme, writers(true))
	for name, request := range map[string]string{
		"public":    "GET /v1/status HTTP/1.1\r\nHost: api.acme.localhost\r\n" + lines.String() + "\r\n",
		"allowed":   "GET /v1/x HTTP/1.1\r\nHost: api.acme.localhost\r\n" + auth + lines.String() + "\r\n",
		"websocket": "GET /v1/live HTTP/1.1\r\nHost: api.acme.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + auth + lines.String() + "\r\n",
		"trailers":  "POST /v1/x HTTP/1.1\r\nHost: api.acme.localhost\r\n" + auth + trailer + "\r\n1\r\nx\r\n0\r\nX-Sallyport-User: evil\r\nX_Sallyport_User: evil\r\n\r\n",
	} {
		before := len(up.Received())
		conn := e.Dial(t, "api.acme.localhost", "http/1.1")
		_, _ = io.WriteString(conn, request)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != 200 && res.StatusCode != 101 {
			t.Errorf("%s: %v %v", name, res, err)
			continue
		}
		_ = conn.Close()
		for _, r := range up.Wait(t, before+1)[before:] {
			for _, h := range append(r.Header, r.Trailer...) {
				if strings.Contains(h[1], "evil") || strings.EqualFold(h[0], "Trailer") {
					t.Errorf("%s: the upstream got %s: %s", name, h[0], h[1])
				}
			}
		}
	}
	e.Oracles(t, up)
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	e, up := start(t)
	app := edgetest.API(up.URL())
	app.CorsPreflight = true
	app.Operations = append(app.Operations, &edgev1.Operation{Id: "options", Methods: []string{"OPTIONS"}, Paths: []string{"/v1/**"}, Access: edgev1.Access_ACCESS_WRITE})
	preflight := http.Header{"Origin": {"https://front.example"}, "Access-Control-Request-Method": {"POST"}}
	if got := e.Do(t, "OPTIONS", api+"/v1/x", preflight, "").StatusCode; got != 401 {
		t.Errorf("without the option: %d", got)
	}
	e.Put(t, edgetest.Acme, app)
	for name, c := range map[string]struct {
		change func(http.Header)
		body   string
		status int
	}{
		"real":           {func(http.Header) {}, "", 200},
		"without origin": {func(h http.Header) { h.Del("Origin") }, "", 401},
		"without method": {func(h http.Header) { h.Del("Access-Control-Request-Method") }, "", 401},
		"with a body":    {func(http.Header) {}, "x", 401},
		"with a cookie":  {func(h http.Header) { h.Set("Cookie", "a=b") }, "", 401},
		"with a token":   {func(h http.Header) { h.Set("Authorization", "Bearer "+edgetest.CI.Text) }, "", 403},
	} {
		h := preflight.Clone()
		c.change(h)
		if got := e.Do(t, "OPTIONS", api+"/v1/x", h, c.body).StatusCode; got != c.status {
			t.Errorf("%s: got %d, want %d", name, got, c.status)
		}
	}
	e.Oracles(t, up)
}

func TestDrain(t *testing.T) {
	t.Parallel()
	up := edgetest.NewUpstream(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	up.Answer = func(conn net.Conn, r *edgetest.Received) bool {
		if r.Target == "/v1/slow" {
			close(begun)
			<-finish
		}
		return edgetest.Echo(conn, r)
	}
	e := edgetest.Start(t, edgetest.Demo(up.URL(), up.URL()))
	socket, _ := e.Socket(t, "api.acme.localhost", "/v1/live", edgetest.CI.Bearer())
	client := e.Client(t, false)
	slow := make(chan int, 1)
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", api+"/v1/slow", nil)
		r.Header = edgetest.CI.Bearer()
		res, err := client.Do(r)
		if err != nil {
			slow <- 0
			return
		}
		_ = res.Body.Close()
		slow <- res.StatusCode
	}()
	<-begun
	stopped := make(chan struct{})
	go func() { e.Stop(t); close(stopped) }()
	if op, payload, err := socket.Receive(); err != nil || op != 8 || string(payload[2:]) != "cut.drain" {
		t.Errorf("the socket: %d %q %v", op, payload, err)
	}
	close(finish)
	if status := <-slow; status != 200 {
		t.Errorf("a request that was on its way got %d", status)
	}
	<-stopped
}

// Whatever panics, the caller gets an answer and the audit a record.
func TestPanicIsRecorded(t *testing.T) {
	t.Parallel()
	up := edgetest.NewUpstream(t)
	world := edgetest.Demo(up.URL(), up.URL())
	e := edgetest.Start(t, world)
	e.Node.Handler.Minter = nil // the next request that is told to an upstream panics
	res := e.Get(t, api+"/v1/x", edgetest.CI.Bearer())
	p := problemOf(t, res)
	if res.StatusCode != 500 || p["reason"] != "unavailable.internal" || !res.Close {
		t.Errorf("got %d %s", res.StatusCode, res.Text)
	}
	record := e.Record(t, edgetest.Acme, p["decision_id"].(string))
	if record.GetDecision().GetOutcome() != "UNAVAILABLE" || record.GetResponse().GetStatus() != 500 {
		t.Errorf("the record says %v", record)
	}
	if len(up.Bytes()) != 0 {
		t.Error("the upstream got something")
	}
	if !strings.Contains(e.Log.String(), "made the edge panic") {
		t.Error("the log says nothing")
	}
	e.Log.Forget()
}
