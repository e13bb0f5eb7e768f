package uplink_test

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
	"github.com/sallyport-iap/sallyport/edge/uplink"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1/edgev1connect"
)

// plane is a control plane of which every answer can be bent.
type plane struct {
	t       *testing.T
	url     string
	ca      *x509.Certificate
	caKey   *ecdsa.PrivateKey
	sign    ed25519.PublicKey
	life    time.Duration // of an edge's certificate
	mu      sync.Mutex
	renewed int
	enrol   func(*edgev1.EnrolRequest) error
	sync    func(context.Context, *connect.BidiStream[edgev1.SyncRequest, edgev1.SyncResponse]) error
	server  *http.Server
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	p := &plane{t: t, life: time.Hour}
	var err error
	p.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &p.caKey.PublicKey, p.caKey)
	must(t, err)
	p.ca, err = x509.ParseCertificate(der)
	must(t, err)
	p.sign, _, err = ed25519.GenerateKey(rand.Reader)
	must(t, err)
	p.serve("controlplane.sallyport.internal", "127.0.0.1:0")
	return p
}

// serve listens with a certificate of a name.
func (p *plane) serve(name, address string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(p.t, err)
	leaf := p.issue(&key.PublicKey, &x509.Certificate{DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	_, handler := edgev1connect.NewEdgeServiceHandler(p, connect.WithReadMaxBytes(1<<20))
	p.server = &http.Server{Handler: handler, TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert,
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf, p.ca.Raw}, PrivateKey: key}},
	}}
	p.server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	var l net.Listener
	for l, err = net.Listen("tcp", address); err != nil; l, err = net.Listen("tcp", address) {
		p.t.Fatal(err)
	}
	p.url = "https://" + l.Addr().String()
	server := p.server
	go func() { _ = server.ServeTLS(l, "", "") }()
	p.t.Cleanup(func() { _ = server.Close() })
}

func (p *plane) issue(public *ecdsa.PublicKey, template *x509.Certificate) []byte {
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Second), time.Now().Add(p.life)
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, public, p.caKey)
	must(p.t, err)
	return der
}

func (p *plane) token() string {
	pin := sha256.Sum256(p.ca.RawSubjectPublicKeyInfo)
	return "spj_abcdefghij_" + strings.Repeat("A", 43) + "_AAAAAA_" + base64.RawURLEncoding.EncodeToString(pin[:])
}

func (p *plane) edgeCertificate(csr []byte) ([]byte, error) {
	r, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, err
	}
	uri, _ := url.Parse("sallyport://edges/e1")
	return p.issue(r.PublicKey.(*ecdsa.PublicKey), &x509.Certificate{URIs: []*url.URL{uri}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}), r.CheckSignature()
}

func (p *plane) headKeys() []*edgev1.HeadKey {
	return []*edgev1.HeadKey{{Id: "k1", PublicKey: p.sign}}
}

func (p *plane) Enrol(_ context.Context, r *edgev1.EnrolRequest) (*edgev1.EnrolResponse, error) {
	if p.enrol != nil {
		if err := p.enrol(r); err != nil {
			return nil, err
		}
	}
	leaf, err := p.edgeCertificate(r.GetCsr())
	if err != nil {
		return nil, err
	}
	return &edgev1.EnrolResponse{EdgeUid: "e1", Edge: "edgePools/dev/edges/eu-1", CertificateChain: [][]byte{leaf, p.ca.Raw}, Ca: [][]byte{p.ca.Raw}, HeadKeys: p.headKeys()}, nil
}

func (p *plane) Renew(_ context.Context, r *edgev1.RenewRequest) (*edgev1.RenewResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.renewed++
	p.life = time.Hour
	leaf, err := p.edgeCertificate(r.GetCsr())
	return &edgev1.RenewResponse{CertificateChain: [][]byte{leaf, p.ca.Raw}, Ca: [][]byte{p.ca.Raw}, HeadKeys: p.headKeys()}, err
}

func (p *plane) Sync(ctx context.Context, s *connect.BidiStream[edgev1.SyncRequest, edgev1.SyncResponse]) error {
	return p.sync(ctx, s)
}

func (p *plane) Report(context.Context, *edgev1.ReportRequest) (*edgev1.ReportResponse, error) {
	return &edgev1.ReportResponse{}, nil
}

// said is a log that tells when something was said.
type said struct {
	slog.Handler
	text string
	at   chan struct{}
}

func listen(text string) said { return said{slog.DiscardHandler, text, make(chan struct{}, 1)} }

func (s said) Enabled(context.Context, slog.Level) bool { return true }

func (s said) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, s.text) {
		select {
		case s.at <- struct{}{}:
		default:
		}
	}
	return nil
}

func (p *plane) config(dir string) uplink.Config {
	return uplink.Config{Dir: dir, URL: p.url, JoinToken: p.token(), Version: "test", BootID: "b_1", Log: slog.New(slog.DiscardHandler)}
}

func open(t *testing.T, p *plane) *uplink.Uplink { return openSaying(t, p, slog.DiscardHandler) }

func openSaying(t *testing.T, p *plane, log slog.Handler) *uplink.Uplink {
	t.Helper()
	c := p.config(filepath.Join(t.TempDir(), "edge"))
	c.Log = slog.New(log)
	u, err := uplink.Open(t.Context(), c)
	must(t, err)
	return u
}

func store(t *testing.T, u *uplink.Uplink) *snapshot.Store {
	t.Helper()
	private, err := u.Identity().Private()
	must(t, err)
	return snapshot.New(snapshot.Config{HeadKeys: u.Identity().HeadKeys(), Private: private, Log: slog.New(slog.DiscardHandler)})
}

// run runs an uplink and stops it with the test.
func run(t *testing.T, u *uplink.Uplink, s *snapshot.Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx, s) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("after 20 s: no %s", what)
		panic("unreachable")
	}
}

func TestJoinOnceThenFromDisk(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	dir := filepath.Join(t.TempDir(), "edge")
	p.enrol = func(r *edgev1.EnrolRequest) error {
		if r.GetJoinToken() != p.token() || len(r.GetHpkePublicKey()) != 32 {
			t.Errorf("got %v", r)
		}
		key, err := ecdh.X25519().NewPublicKey(r.GetHpkePublicKey())
		must(t, err)
		_, err = hpke.NewDHKEMPublicKey(key)
		return err
	}
	u, err := uplink.Open(t.Context(), p.config(dir))
	must(t, err)
	if u.Identity().EdgeUID != "e1" || u.Identity().Edge != "edgePools/dev/edges/eu-1" {
		t.Errorf("%+v", u.Identity())
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "identity.json"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	p.enrol = func(*edgev1.EnrolRequest) error { t.Error("joined again"); return errors.New("again") }
	c := p.config(dir)
	c.JoinToken = ""
	again, err := uplink.Open(t.Context(), c)
	must(t, err)
	if again.Identity().EdgeUID != "e1" {
		t.Error("another identity")
	}
	must(t, os.Chmod(filepath.Join(dir, "identity.json"), 0o644))
	if _, err := uplink.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("an identity that others can read: %v", err)
	}
}

func TestJoinIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.enrol = func(*edgev1.EnrolRequest) error {
		return connect.NewError(connect.CodeUnauthenticated, errors.New("the join token is not valid"))
	}
	other := newPlane(t)
	impostor := newPlane(t)
	for name, c := range map[string]uplink.Config{
		"used token":       p.config(t.TempDir()),
		"another's":        {URL: p.url, JoinToken: other.token()},
		"malformed":        {URL: p.url, JoinToken: "spj_x"},
		"none":             {URL: p.url},
		"a wrong name":     func() uplink.Config { impostor.serve("evil.example", "127.0.0.1:0"); return impostor.config("") }(),
		"service token":    {URL: p.url, JoinToken: strings.Replace(p.token(), "spj_", "sp_", 1)},
		"admin's with pin": {URL: p.url, JoinToken: strings.Replace(p.token(), "spj_", "spa_", 1)},
	} {
		c.Dir, c.Log = filepath.Join(t.TempDir(), "edge"), slog.New(slog.DiscardHandler)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := uplink.Open(ctx, c); err == nil || ctx.Err() != nil || strings.Contains(err.Error(), strings.Repeat("A", 43)) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		if uplink.Joined(c.Dir) {
			t.Errorf("%s: an identity was kept", name)
		}
	}
}

// While the control plane is not there, a new edge waits for it.
func TestJoinWaits(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	calls := 0
	p.enrol = func(*edgev1.EnrolRequest) error {
		if calls++; calls < 3 {
			return connect.NewError(connect.CodeUnavailable, errors.New("starting"))
		}
		return nil
	}
	open(t, p)
	if calls != 3 {
		t.Errorf("%d calls", calls)
	}
}

func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.life = 600 * time.Millisecond // and a second ago it began
	seen := make(chan struct{}, 100)
	p.sync = func(ctx context.Context, _ *connect.BidiStream[edgev1.SyncRequest, edgev1.SyncResponse]) error {
		seen <- struct{}{}
		<-ctx.Done()
		return nil
	}
	renewed := listen("was renewed")
	u := openSaying(t, p, renewed)
	first := u.Identity().Expiry()
	run(t, u, store(t, u))
	within(t, "stream", seen)
	within(t, "renewal", renewed.at)
	if !u.Identity().Expiry().After(first.Add(time.Minute)) {
		t.Error("the new certificate is not used")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.renewed != 1 {
		t.Errorf("renewed %d times", p.renewed)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	type session struct {
		hello    *edgev1.Hello
		messages chan *edgev1.SyncRequest
		send     chan *edgev1.SyncResponse
		end      chan error
	}
	sessions := make(chan session, 10)
	p.sync = func(ctx context.Context, s *connect.BidiStream[edgev1.SyncRequest, edgev1.SyncResponse]) error {
		first, err := s.Receive()
		if err != nil {
			return err
		}
		now := session{first.GetHello(), make(chan *edgev1.SyncRequest, 100), make(chan *edgev1.SyncResponse, 100), make(chan error, 1)}
		if err := s.Send(&edgev1.SyncResponse{Msg: &edgev1.SyncResponse_Welcome{Welcome: &edgev1.Welcome{Edge: "e"}}}); err != nil {
			return err
		}
		sessions <- now
		go func() {
			for {
				m, err := s.Receive()
				if err != nil {
					return
				}
				now.messages <- m
			}
		}()
		for {
			select {
			case m := <-now.send:
				if err := s.Send(m); err != nil {
					return err
				}
			case err := <-now.end:
				return err
			case <-ctx.Done():
				return nil
			}
		}
	}
	u := open(t, p)
	run(t, u, store(t, u))

	s := within(t, "stream", sessions)
	if s.hello.GetBootId() != "b_1" || s.hello.GetVersion() != "test" || len(s.hello.GetHave()) != 0 {
		t.Errorf("hello: %v", s.hello)
	}
	if h := within(t, "heartbeat", s.messages).GetHeartbeat(); h.GetTime() == nil {
		t.Error("the first message is no heartbeat")
	}
	// What is not signed is refused, and the stream goes on.
	s.send <- &edgev1.SyncResponse{Msg: &edgev1.SyncResponse_Update{Update: &edgev1.Update{TenantUid: snapshot.PlatformUID, Lane: edgev1.Lane_LANE_CONFIG}}}
	for {
		m := within(t, "refusal", s.messages)
		if r := m.GetRefused(); r != nil {
			if r.GetReason() != edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE {
				t.Errorf("refused %v", r)
			}
			break
		}
	}
	// A stream that breaks comes back; one that is told to wait waits.
	s.end <- errors.New("broken")
	s = within(t, "second stream", sessions)
	began := time.Now()
	s.send <- &edgev1.SyncResponse{Msg: &edgev1.SyncResponse_Goodbye{Goodbye: &edgev1.Goodbye{Reason: "drain", RetryAfterMs: 500}}}
	s = within(t, "third stream", sessions)
	if waited := time.Since(began); waited < 500*time.Millisecond {
		t.Errorf("came back after %s", waited)
	}
	// Goodbye is said, and nothing comes back.
	departed := make(chan error, 1)
	go func() { departed <- u.Depart(t.Context()) }()
	for {
		if m := within(t, "goodbye", s.messages); m.GetGoodbye() != nil {
			break
		}
	}
	s.end <- nil
	must(t, within(t, "departure", departed))
	if u.Connected() {
		t.Error("connected after the goodbye")
	}
	select {
	case <-sessions:
		t.Error("came back after the goodbye")
	case <-time.After(300 * time.Millisecond):
	}
}

// An edge that was disabled forgets what it knew, and keeps asking.
func TestDisabled(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	asked := make(chan struct{}, 10)
	p.sync = func(context.Context, *connect.BidiStream[edgev1.SyncRequest, edgev1.SyncResponse]) error {
		asked <- struct{}{}
		return connect.NewError(connect.CodePermissionDenied, errors.New("disabled"))
	}
	withdrawn := listen("serves nothing")
	u := openSaying(t, p, withdrawn)
	s := store(t, u)
	before := s.Table()
	run(t, u, s)
	within(t, "first try", asked)
	within(t, "withdrawal", withdrawn.at)
	if s.Table() == before {
		t.Error("nothing was withdrawn")
	}
	if len(asked) > 0 {
		t.Error("asked again at once")
	}
	for range 2 {
		within(t, "another try, soon", asked)
	}
}

// An edge that was deleted is told so on its stream.
func TestRemoved(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	p.sync = func(_ context.Context, s *connect.BidiStream[edgev1.SyncRequest, edgev1.SyncResponse]) error {
		if _, err := s.Receive(); err != nil {
			return err
		}
		return errors.Join(s.Send(&edgev1.SyncResponse{Msg: &edgev1.SyncResponse_Welcome{Welcome: &edgev1.Welcome{Edge: "e"}}}),
			s.Send(&edgev1.SyncResponse{Msg: &edgev1.SyncResponse_Goodbye{Goodbye: &edgev1.Goodbye{Reason: "removed"}}}))
	}
	withdrawn := listen("serves nothing")
	u := openSaying(t, p, withdrawn)
	s := store(t, u)
	before := s.Table()
	run(t, u, s)
	within(t, "withdrawal", withdrawn.at)
	if s.Table() == before {
		t.Error("nothing was withdrawn")
	}
}
