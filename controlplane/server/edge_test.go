package server_test

import (
	"bytes"
	"cmp"
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
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/klauspost/compress/zstd"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/token"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1/edgev1connect"
)

// patience bounds every wait of these tests; nothing is expected to take it.
const patience = 20 * time.Second

// edge is an edge as the protocol's description says one has to be, written without the product's code. It keeps raw
// everything that it was sent.
type edge struct {
	t        *testing.T
	uid      string
	name     string
	pool     string
	key      *ecdsa.PrivateKey
	hpke     hpke.PrivateKey
	chain    [][]byte
	roots    *x509.CertPool
	headKeys map[string]ed25519.PublicKey

	mu     sync.Mutex
	moved  chan struct{} // closed and made anew at every message
	sites  map[string]*site
	keys   map[string]tink.DeterministicAEAD
	raw    bytes.Buffer
	said   []string // reasons of goodbyes
	count  map[string]int
	refuse func(*edgev1.Update) edgev1.RefusedReason // nil: apply
	mute   bool                                      // answers nothing, and does not beat
}

// site is what the edge has of one tenant.
type site struct {
	version        *edgev1.Version
	config, urgent map[string]*edgev1.Resource
	configAt       time.Time // issue time of the newest head that says that config is current
	urgentAt       time.Time
}

func (s *site) lane(l edgev1.Lane) map[string]*edgev1.Resource {
	if l == edgev1.Lane_LANE_URGENT {
		return s.urgent
	}
	return s.config
}

// enrol joins through a replica. The connection is pinned by the token.
func enrol(t *testing.T, r *replica, joinToken string) (*edge, error) {
	t.Helper()
	e := &edge{t: t, sites: map[string]*site{}, keys: map[string]tink.DeterministicAEAD{}, moved: make(chan struct{}), count: map[string]int{}, headKeys: map[string]ed25519.PublicKey{}}
	var err error
	if e.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if e.hpke, err = hpke.NewDHKEMPrivateKey(private); err != nil {
		t.Fatal(err)
	}
	_, pin, _ := token.ParseJoin(joinToken)
	client := edgev1connect.NewEdgeServiceClient(h2Client(&tls.Config{
		MinVersion: tls.VersionTLS13, InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			root := state.PeerCertificates[len(state.PeerCertificates)-1]
			if sha256.Sum256(root.RawSubjectPublicKeyInfo) != pin && pin != [32]byte{} {
				return errors.New("not the pinned CA")
			}
			roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
			roots.AddCert(root)
			for _, c := range state.PeerCertificates[1:] {
				intermediates.AddCert(c)
			}
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, DNSName: edgefleet.ServerName})
			return err
		},
	}), r.syncURL)
	response, err := client.Enrol(t.Context(), &edgev1.EnrolRequest{JoinToken: joinToken, Csr: e.csr(e.key), HpkePublicKey: private.PublicKey().Bytes(), Version: "test"})
	if err != nil {
		return nil, err
	}
	e.uid, e.name, e.chain, e.roots = response.EdgeUid, response.Edge, response.CertificateChain, x509.NewCertPool()
	for _, der := range response.Ca {
		ca, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		e.roots.AddCert(ca)
	}
	for _, k := range response.HeadKeys {
		e.headKeys[k.Id] = k.PublicKey
	}
	return e, nil
}

func (e *edge) csr(key *ecdsa.PrivateKey) []byte {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		e.t.Fatal(err)
	}
	return der
}

func h2Client(config *tls.Config) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	config.NextProtos = []string{"h2"}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, Protocols: protocols, ForceAttemptHTTP2: true}}
}

// client calls with a client certificate, or with none if chain is nil.
func (e *edge) client(r *replica, chain [][]byte, key *ecdsa.PrivateKey) edgev1connect.EdgeServiceClient {
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: e.roots, ServerName: edgefleet.ServerName}
	if chain != nil {
		config.Certificates = []tls.Certificate{{Certificate: chain, PrivateKey: key}}
	}
	return edgev1connect.NewEdgeServiceClient(h2Client(config), r.syncURL, connect.WithReadMaxBytes(64<<20))
}

func (e *edge) api(r *replica) edgev1connect.EdgeServiceClient { return e.client(r, e.chain, e.key) }

// connection is one stream of an edge; close ends it as a crash would, leave as an orderly stop.
type connection struct {
	stream *connect.BidiStreamForClientSimple[edgev1.SyncRequest, edgev1.SyncResponse]
	cancel context.CancelFunc
	done   chan error
	mu     sync.Mutex
}

func (c *connection) send(m *edgev1.SyncRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stream.Send(m)
}

func (c *connection) close() error {
	c.cancel()
	return <-c.done
}

func (c *connection) leave(t *testing.T) {
	t.Helper()
	if err := c.send(&edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Goodbye{Goodbye: &edgev1.Goodbye{Reason: "drain"}}}); err != nil {
		t.Fatal(err)
	}
	<-c.done
	c.cancel()
}

// connect opens the stream and follows it until the test or the stream ends.
func (e *edge) connect(r *replica) *connection {
	e.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(e.t.Context()))
	stream, err := e.api(r).Sync(ctx)
	if err != nil {
		e.t.Fatal(err)
	}
	c := &connection{stream: stream, cancel: cancel, done: make(chan error, 1)}
	hello := &edgev1.Hello{Version: "test", BootId: "boot", Have: map[string]*edgev1.Version{}}
	e.mu.Lock()
	for uid, s := range e.sites {
		hello.Have[uid] = proto.CloneOf(s.version)
	}
	e.mu.Unlock()
	if err := c.send(&edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Hello{Hello: hello}}); err != nil {
		e.t.Logf("hello: %v", err) // the answer says why
	}
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(4 * time.Second):
			}
			e.mu.Lock()
			mute := e.mute
			e.mu.Unlock()
			if !mute {
				_ = c.send(&edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Heartbeat{Heartbeat: &edgev1.Heartbeat{Time: timestamppb.Now()}}})
			}
		}
	}()
	go func() {
		var err error
		for err == nil {
			var m *edgev1.SyncResponse
			if m, err = c.stream.Receive(); err == nil {
				e.take(c, m)
			}
		}
		cancel()
		<-beats
		c.done <- err
	}()
	e.t.Cleanup(cancel)
	return c
}

func (e *edge) take(c *connection, m *edgev1.SyncResponse) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var answer *edgev1.SyncRequest
	switch m := m.Msg.(type) {
	case *edgev1.SyncResponse_Welcome:
		e.count["welcome"]++
	case *edgev1.SyncResponse_Goodbye:
		e.said = append(e.said, m.Goodbye.Reason)
		_ = c.stream.CloseRequest()
	case *edgev1.SyncResponse_Heartbeat:
		e.count["heartbeat"]++
	case *edgev1.SyncResponse_Head:
		e.count["head"]++
		if head, reason := e.verify(m.Head); reason == 0 {
			e.fresh(head)
		} else {
			e.t.Errorf("head: %s", reason)
		}
	case *edgev1.SyncResponse_Update:
		answer = e.update(m.Update)
	}
	close(e.moved)
	e.moved = make(chan struct{})
	if answer != nil && !e.mute {
		_ = c.send(answer)
	}
}

func (e *edge) verify(s *edgev1.SignedHead) (*edgev1.Head, edgev1.RefusedReason) {
	if key := e.headKeys[s.KeyId]; key == nil || !ed25519.Verify(key, append([]byte("sp-head-v1"), s.Head...), s.Signature) {
		return nil, edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE
	}
	head := &edgev1.Head{}
	if proto.Unmarshal(s.Head, head) != nil || e.pool != "" && head.PoolUid != e.pool {
		return nil, edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE
	}
	return head, 0
}

// fresh notes for each lane that it was current when the head was issued.
func (e *edge) fresh(head *edgev1.Head) {
	s := e.sites[head.TenantUid]
	if s == nil || s.version.Lineage != head.Version.Lineage {
		return
	}
	if s.version.Config == head.Version.Config && bytes.Equal(root("config", s.config), head.ConfigRoot) {
		s.configAt = head.IssueTime.AsTime()
	}
	if s.version.Urgent == head.Version.Urgent && bytes.Equal(root("urgent", s.urgent), head.UrgentRoot) {
		s.urgentAt = head.IssueTime.AsTime()
	}
}

func (e *edge) update(u *edgev1.Update) *edgev1.SyncRequest {
	head := &edgev1.Head{}
	_ = proto.Unmarshal(u.Head.Head, head)
	refused := func(reason edgev1.RefusedReason) *edgev1.SyncRequest {
		e.count["refused"]++
		return &edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Refused{Refused: &edgev1.Refused{TenantUid: u.TenantUid, Lane: u.Lane, Offered: head.Version, Reason: reason, Detail: "because of the test"}}}
	}
	e.count[fmt.Sprintf("%s replace=%v", u.Lane, u.Replace)]++
	e.count["updates of "+u.TenantUid]++
	if _, reason := e.verify(u.Head); reason != 0 || head.TenantUid != u.TenantUid {
		e.t.Errorf("update of %s: bad head", u.TenantUid)
		return refused(edgev1.RefusedReason_REFUSED_REASON_BAD_SIGNATURE)
	}
	if e.refuse != nil {
		if reason := e.refuse(u); reason != 0 {
			return refused(reason)
		}
	}
	packed := u.Resources
	if u.Encoding == edgev1.Encoding_ENCODING_ZSTD {
		reader, _ := zstd.NewReader(nil)
		defer reader.Close()
		var err error
		if packed, err = reader.DecodeAll(packed, nil); err != nil {
			e.t.Errorf("unpack: %v", err)
		}
	}
	e.raw.Write(packed)
	set := &edgev1.ResourceSet{}
	if err := proto.Unmarshal(packed, set); err != nil {
		e.t.Errorf("resource set: %v", err)
	}
	s := e.sites[u.TenantUid]
	if s == nil {
		s = &site{version: &edgev1.Version{}, config: map[string]*edgev1.Resource{}, urgent: map[string]*edgev1.Resource{}}
	}
	next := maps.Clone(s.lane(u.Lane))
	at := s.version.Config
	if u.Lane == edgev1.Lane_LANE_URGENT {
		at = s.version.Urgent
	}
	if u.Replace {
		clear(next)
	} else if u.From != at || s.version.Lineage != head.Version.Lineage {
		e.t.Errorf("update of %s %s from %d, the edge is at %d", u.TenantUid, u.Lane, u.From, at)
		return refused(edgev1.RefusedReason_REFUSED_REASON_WRONG_BASE)
	}
	for _, k := range set.Removed {
		delete(next, k.Kind+"/"+k.Id)
	}
	for _, r := range set.Changed {
		next[r.Kind+"/"+r.Id] = r
	}
	lane, want, to := "config", head.ConfigRoot, head.Version.Config
	if u.Lane == edgev1.Lane_LANE_URGENT {
		lane, want, to = "urgent", head.UrgentRoot, head.Version.Urgent
	}
	if u.To != to || !bytes.Equal(root(lane, next), want) {
		e.t.Errorf("update of %s %s to %d: the root is another", u.TenantUid, u.Lane, u.To)
		return refused(edgev1.RefusedReason_REFUSED_REASON_BAD_ROOT)
	}
	e.unwrap(u, head)
	version := proto.CloneOf(s.version)
	version.Lineage = head.Version.Lineage
	if u.Lane == edgev1.Lane_LANE_URGENT {
		s.urgent, version.Urgent, version.UrgentChain = next, to, head.Version.UrgentChain
	} else {
		s.config, version.Config, version.ConfigChain = next, to, head.Version.ConfigChain
	}
	s.version = version
	e.sites[u.TenantUid] = s
	if u.TenantUid == string(controlplane.PlatformUID) && u.Lane == edgev1.Lane_LANE_CONFIG {
		for _, r := range next {
			e.pool = r.Uid
		}
	}
	e.fresh(head)
	return &edgev1.SyncRequest{Msg: &edgev1.SyncRequest_Applied{Applied: &edgev1.Applied{TenantUid: u.TenantUid, At: proto.CloneOf(version)}}}
}

func (e *edge) unwrap(u *edgev1.Update, head *edgev1.Head) {
	for _, k := range u.DataKeys {
		info := "sallyport data key v1" + u.TenantUid + head.PoolUid
		plain, err := hpke.Open(e.hpke, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(info), k.Sealed)
		if err != nil {
			e.t.Errorf("unwrap data key: %v", err)
			return
		}
		handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(plain)))
		if err != nil {
			e.t.Errorf("read data key: %v", err)
			return
		}
		if e.keys[u.TenantUid+"/"+k.KeyId], err = daead.New(handle); err != nil {
			e.t.Error(err)
		}
	}
}

// open decrypts a field of a resource.
func (e *edge) open(tenant controlplane.UID, r *edgev1.Resource, field string, sealed *edgev1.Sealed) []byte {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	key := e.keys[string(tenant)+"/"+sealed.GetKeyId()]
	if key == nil {
		e.t.Fatalf("%s %s is sealed under key %q, which was not sent", r.Kind, r.Id, sealed.GetKeyId())
	}
	var aad []byte
	for _, part := range []string{"sp-snapshot-v1", string(tenant), e.pool, r.Kind, r.Uid, field} {
		aad = binary.BigEndian.AppendUint32(aad, uint32(len(part)))
		aad = append(aad, part...)
	}
	plain, err := key.DecryptDeterministically(sealed.Ciphertext, aad)
	if err != nil {
		e.t.Fatalf("open %s of %s %s: %v", field, r.Kind, r.Id, err)
	}
	return plain
}

// root is the edge's own idea of a lane's root.
func root(lane string, resources map[string]*edgev1.Resource) []byte {
	sorted := slices.SortedFunc(maps.Values(resources), func(a, b *edgev1.Resource) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Id, b.Id))
	})
	h := sha256.New()
	h.Write([]byte("sp-root-v1"))
	for _, r := range sorted {
		sum := sha256.Sum256(r.Bytes)
		for _, part := range [][]byte{[]byte(lane), []byte(r.Kind), []byte(r.Id), []byte(r.Uid), binary.BigEndian.AppendUint64(nil, uint64(r.Revision)), sum[:]} {
			h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
			h.Write(part)
		}
	}
	return h.Sum(nil)
}

// until waits for something to become true of what the edge has.
func (e *edge) until(what string, ok func() bool) {
	e.t.Helper()
	deadline := time.After(patience)
	for {
		e.mu.Lock()
		yes, moved := ok(), e.moved
		e.mu.Unlock()
		if yes {
			return
		}
		select {
		case <-moved:
		case <-deadline:
			e.t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// has waits for a revision.
func (e *edge) has(tenant controlplane.UID, r controlplane.Revision) {
	e.t.Helper()
	e.until(fmt.Sprintf("revision %s of %s", r, tenant), func() bool {
		s := e.sites[string(tenant)]
		return s != nil && (r.Lane == controlplane.Config && s.version.Config >= r.Number || r.Lane == controlplane.Urgent && s.version.Urgent >= r.Number)
	})
}

// resource returns one that the edge has.
func (e *edge) resource(tenant controlplane.UID, l edgev1.Lane, key string) *edgev1.Resource {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.sites[string(tenant)]; s != nil {
		return s.lane(l)[key]
	}
	return nil
}
