package edgetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge"
	"github.com/sallyport-iap/sallyport/edge/facts"
	"github.com/sallyport-iap/sallyport/edge/listener"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// Config is a literal world.
type Config struct {
	Pool    *edgev1.Pool
	Tenants []Tenant
	// RedisAddr is the region's store; "" is none. RedisAddr(t) is the tests' own.
	RedisAddr string
	// PublicPort is the one in URLs; 0 is 443, so that hosts are without port everywhere.
	PublicPort int
	// Empty starts the edge before its first snapshot.
	Empty bool
	// Countries tells where addresses are; nil knows nothing.
	Countries *facts.Countries
	// Now is the edge's clock; nil is the machine's.
	Now   func() time.Time
	Drain time.Duration
}

// Tenant is one tenant's snapshot. Keys (ticket, redis, login, assertion) are made for it.
type Tenant struct {
	UID    string
	Config []proto.Message
}

// Edge is an edge that serves.
type Edge struct {
	Addr         string // of its socket
	Node         *edge.Node
	ControlPlane *ControlPlane
	Log          *Log
	Roots        *x509.CertPool

	config Config
	stop   context.CancelFunc
	ended  chan error
	once   sync.Once
}

// Start starts an edge and stops it with the test.
func Start(t testing.TB, c Config) *Edge {
	t.Helper()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.PublicPort == 0 {
		c.PublicPort = 443
	}
	if c.Drain == 0 {
		c.Drain = 2 * time.Second
	}
	e := &Edge{config: c, ControlPlane: newControlPlane(t, c.Now), Log: &Log{}, Roots: x509.NewCertPool(), ended: make(chan error, 1)}
	certificates := e.certificates(t)
	e.Node = edge.NewNode(edge.NodeConfig{
		HeadKeys: e.ControlPlane.headKeys(), Private: e.ControlPlane.private, Report: e.ControlPlane.report, Certificates: certificates,
		Countries: c.Countries,
		Redis:     edge.Redis{Address: c.RedisAddr}, PublicPort: c.PublicPort, Region: "test", BootID: "b_test", Drain: c.Drain,
		Registerer: prometheus.NewRegistry(), Now: c.Now, Log: slog.New(slog.NewJSONHandler(e.Log, &slog.HandlerOptions{Level: slog.LevelInfo})),
	})
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	e.Addr = socket.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	beside, endBeside := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- e.Node.Run(beside) }()
	go func() {
		err := e.Node.Serve(ctx, socket)
		endBeside()
		if other := <-ran; err == nil {
			err = other
		}
		e.ended <- err
	}()
	t.Cleanup(func() { e.Stop(t) })
	if !c.Empty {
		e.Publish(t)
	}
	return e
}

// Stop drains the edge and waits for its end.
func (e *Edge) Stop(t testing.TB) {
	e.once.Do(func() {
		e.stop()
		if err := <-e.ended; err != nil {
			t.Errorf("the edge ended with %v", err)
		}
		if strings.Contains(e.Log.String(), "panic") {
			t.Errorf("something panicked (O6):\n%s", e.Log)
		}
	})
}

// RedisAddr is the Redis that tests share.
func RedisAddr(t testing.TB) string {
	t.Helper()
	addr := os.Getenv("SALLYPORT_TEST_REDIS_ADDR")
	if addr == "" {
		t.Fatal("SALLYPORT_TEST_REDIS_ADDR is not set: run `make test`, or `go run ./cmd/internal/testservices -- go test ./...`")
	}
	return addr
}

// Publish sends the first snapshot.
func (e *Edge) Publish(t testing.TB) {
	t.Helper()
	pool := proto.CloneOf(e.config.Pool)
	if pool == nil {
		pool = &edgev1.Pool{Id: "dev", Login: true, AllowedUpstreamCidrs: []string{"127.0.0.0/8", "::1/128"}}
	}
	pool.Uid = e.ControlPlane.PoolUID
	if len(pool.Tenants) == 0 {
		for _, n := range e.config.Tenants {
			for _, m := range n.Config {
				if m, ok := m.(*edgev1.Tenant); ok {
					pool.Tenants = append(pool.Tenants, &edgev1.PoolTenant{Uid: m.Uid, Id: m.Id})
				}
			}
		}
	}
	e.Apply(t, snapshot.PlatformUID, edgev1.Lane_LANE_CONFIG, Change{Put: []proto.Message{pool}})
	for _, n := range e.config.Tenants {
		urgent := []proto.Message{e.ControlPlane.AssertionKey(t, n.UID, "dev-1", e.config.Now().Add(-time.Hour))}
		for _, purpose := range []string{"ticket", "redis", "login"} {
			urgent = append(urgent, e.ControlPlane.Keyset(t, n.UID, purpose))
		}
		e.Apply(t, n.UID, edgev1.Lane_LANE_URGENT, Change{Put: urgent})
		e.Apply(t, n.UID, edgev1.Lane_LANE_CONFIG, Change{Put: n.Config})
	}
}

// Apply sends a change, and wants it applied.
func (e *Edge) Apply(t testing.TB, tenantUID string, lane edgev1.Lane, change Change) *edgev1.Applied {
	t.Helper()
	applied, refused := e.Node.Store.Apply(e.ControlPlane.Update(t, tenantUID, lane, change))
	if refused != nil {
		t.Fatalf("edgetest: the edge refused an update: %v", refused)
	}
	return applied
}

// Put writes resources of a tenant's config.
func (e *Edge) Put(t testing.TB, tenantUID string, resources ...proto.Message) *edgev1.Applied {
	t.Helper()
	return e.Apply(t, tenantUID, edgev1.Lane_LANE_CONFIG, Change{Put: resources})
}

// Remove removes resources, such as "Policy/wiki", from a tenant's config.
func (e *Edge) Remove(t testing.TB, tenantUID string, names ...string) {
	t.Helper()
	e.Apply(t, tenantUID, edgev1.Lane_LANE_CONFIG, Change{Remove: names})
}

// Revoke kills what was made of a subject so far, such as "token:abc" or "tenant".
func (e *Edge) Revoke(t testing.TB, tenantUID, subject string) {
	t.Helper()
	next := e.ControlPlane.Urgent(t, tenantUID) + 1
	e.Apply(t, tenantUID, edgev1.Lane_LANE_URGENT, Change{Put: []proto.Message{&edgev1.Revocation{
		Uid: "rev-" + subject, Subject: subject, Urgent: next, ExpireTime: timestamppb.New(e.config.Now().Add(24 * time.Hour)),
	}}})
}

// Freshen proves to the edge that nothing changed until an instant.
func (e *Edge) Freshen(t testing.TB, tenantUID string, issued time.Time) {
	t.Helper()
	if refused := e.Node.Store.Head(e.ControlPlane.Head(t, tenantUID, issued)); refused != nil {
		t.Fatalf("edgetest: the edge refused a head: %v", refused)
	}
}

// Records returns a tenant's access records once there are at least n.
func (e *Edge) Records(t testing.TB, tenantUID string, n int) []*sallyportv1.AccessEvent {
	t.Helper()
	var list []*sallyportv1.AccessEvent
	e.ControlPlane.wait(t, "record", func() bool {
		list = list[:0]
		for _, r := range e.ControlPlane.Records(tenantUID) {
			if a := r.GetAccess(); a != nil {
				list = append(list, a)
			}
		}
		return len(list) >= n
	})
	return list
}

// Record returns the last record of a decision.
func (e *Edge) Record(t testing.TB, tenantUID, decisionID string) *sallyportv1.AccessEvent {
	t.Helper()
	var found *sallyportv1.AccessEvent
	e.ControlPlane.wait(t, "record of "+decisionID, func() bool {
		for _, r := range e.ControlPlane.Records(tenantUID) {
			if a := r.GetAccess(); a.GetId() == strings.TrimPrefix(decisionID, "d_") && a.GetId() != "" && a.GetStream().GetPhase() != "start" {
				found = a
			}
		}
		return found != nil
	})
	return found
}

// certificates makes an authority, and one certificate a tenant for its hosts.
func (e *Edge) certificates(t testing.TB) *listener.Certificates {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &caKey.PublicKey, caKey)
	must(t, err)
	ca, err := x509.ParseCertificate(der)
	must(t, err)
	e.Roots.AddCert(ca)
	var list []tls.Certificate
	for i, n := range e.config.Tenants {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 2)), NotBefore: template.NotBefore, NotAfter: template.NotAfter, DNSNames: hosts(n)}
		der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
		must(t, err)
		list = append(list, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	}
	certificates, err := listener.CertificatesOf(list...)
	must(t, err)
	return certificates
}

// hosts of a tenant; and a wildcard beside them, so that a host may be added.
func hosts(n Tenant) []string {
	var list []string
	for _, m := range n.Config {
		switch m := m.(type) {
		case *edgev1.Tenant:
			list = append(list, m.GetAuthHost(), "*."+m.GetId()+".localhost")
		case *edgev1.App:
			list = append(list, m.GetHosts()...)
		}
	}
	return list
}

// TLS is how to reach the edge as a host.
func (e *Edge) TLS(host string, protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: e.Roots, ServerName: host, NextProtos: protocols, MinVersion: tls.VersionTLS12}
}

// Dial opens a raw connection with a server name, for bytes that no client would send.
func (e *Edge) Dial(t testing.TB, host string, protocols ...string) *tls.Conn {
	t.Helper()
	dialed, err := (&tls.Dialer{Config: e.TLS(host, protocols...)}).DialContext(t.Context(), "tcp", e.Addr)
	must(t, err)
	conn := dialed.(*tls.Conn)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return conn
}

// Client reaches the edge whatever the host, follows no redirect, and has no cookies. Connections end with the test.
func (e *Edge) Client(t testing.TB, http2 bool) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, e.Addr)
		},
		TLSClientConfig:    &tls.Config{RootCAs: e.Roots, MinVersion: tls.VersionTLS12},
		DisableCompression: true,
		Protocols:          new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Response is an answer, read.
type Response struct {
	*http.Response
	Text string
}

// Do sends a request on a connection of its own.
func (e *Edge) Do(t testing.TB, method, url string, header http.Header, body string) Response {
	t.Helper()
	return Send(t, e.Client(t, false), method, url, header, body)
}

// Get is Do.
func (e *Edge) Get(t testing.TB, url string, header http.Header) Response {
	t.Helper()
	return e.Do(t, http.MethodGet, url, header, "")
}

// Send sends a request with a client.
func Send(t testing.TB, client *http.Client, method, url string, header http.Header, body string) Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	must(t, err)
	maps.Copy(r.Header, header)
	res, err := client.Do(r)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return Response{res, string(text)}
}

// Log keeps what the edge logged.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// Forget drops what was logged, for a test that made the edge panic.
func (l *Log) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
