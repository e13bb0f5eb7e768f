package edgetest

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// ControlPlane makes the updates that a control plane would send, and takes the reports that it would take.
type ControlPlane struct {
	PoolUID string

	sign      ed25519.PrivateKey
	private   hpke.PrivateKey // the edge's
	now       func() time.Time
	mu        sync.Mutex
	tenants   map[string]*tenant
	records   map[string][]*edgev1.Record // by tenant uid
	down      error
	delivered chan struct{} // replaced and closed at each report
}

type tenant struct {
	uid            string
	config, urgent map[string]*edgev1.Resource // by kind and id
	revision       map[edgev1.Lane]int64
	dataKey        tink.DeterministicAEAD
	wrapped        *edgev1.WrappedKey
}

func newControlPlane(t testing.TB, now func() time.Time) *ControlPlane {
	_, sign, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	must(t, err)
	private, err := hpke.NewDHKEMPrivateKey(key)
	must(t, err)
	return &ControlPlane{
		PoolUID: "0195a000-0000-7000-8000-000000000001", sign: sign, private: private, now: now,
		tenants: map[string]*tenant{}, records: map[string][]*edgev1.Record{}, delivered: make(chan struct{}),
	}
}

func (c *ControlPlane) headKeys() []*edgev1.HeadKey {
	return []*edgev1.HeadKey{{Id: "k1", PublicKey: c.sign.Public().(ed25519.PublicKey)}}
}

func (c *ControlPlane) tenant(t testing.TB, uid string) *tenant {
	if have := c.tenants[uid]; have != nil {
		return have
	}
	handle, plain := newKeyset(t, daead.AESSIVKeyTemplate())
	siv, err := daead.New(handle)
	must(t, err)
	sealed, err := hpke.Seal(c.private.PublicKey(), hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("sallyport data key v1"+uid+c.PoolUID), plain)
	must(t, err)
	made := &tenant{
		uid: uid, config: map[string]*edgev1.Resource{}, urgent: map[string]*edgev1.Resource{}, revision: map[edgev1.Lane]int64{},
		dataKey: siv, wrapped: &edgev1.WrappedKey{KeyId: "d1", Sealed: sealed},
	}
	c.tenants[uid] = made
	return made
}

// Change is what an update does to one lane.
type Change struct {
	Put    []proto.Message
	Remove []string // "Kind/id"
	// Raw puts resources as they are, for what a newer control plane might send.
	Raw []*edgev1.Resource
}

// Update makes the signed update for a change.
func (c *ControlPlane) Update(t testing.TB, uid string, lane edgev1.Lane, change Change) *edgev1.Update {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.tenant(t, uid)
	from := n.revision[lane]
	to := from + 1
	if from == 0 && len(change.Put)+len(change.Raw)+len(change.Remove) == 0 {
		to = 0
	}
	set := &edgev1.ResourceSet{}
	state := n.config
	if lane == edgev1.Lane_LANE_URGENT {
		state = n.urgent
	}
	for _, m := range change.Put {
		set.Changed = append(set.Changed, resource(t, m, to))
	}
	for _, r := range change.Raw {
		r.Revision = to
		set.Changed = append(set.Changed, r)
	}
	for _, r := range set.Changed {
		state[r.Kind+"/"+r.Id] = r
	}
	for _, name := range change.Remove {
		kind, id, _ := strings.Cut(name, "/")
		delete(state, name)
		set.Removed = append(set.Removed, &edgev1.ResourceKey{Kind: kind, Id: id})
	}
	n.revision[lane] = to
	packed, err := proto.Marshal(set)
	must(t, err)
	u := &edgev1.Update{
		TenantUid: uid, Lane: lane, From: from, To: to, Replace: from == 0, Resources: packed, Encoding: edgev1.Encoding_ENCODING_IDENTITY,
		Head: c.head(t, n, c.now()),
	}
	if uid != snapshot.PlatformUID {
		u.DataKeys = []*edgev1.WrappedKey{n.wrapped}
	}
	return u
}

// Head is a freshly signed head of a tenant.
func (c *ControlPlane) Head(t testing.TB, uid string, issued time.Time) *edgev1.SignedHead {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head(t, c.tenant(t, uid), issued)
}

func (c *ControlPlane) head(t testing.TB, n *tenant, issued time.Time) *edgev1.SignedHead {
	h, err := proto.Marshal(&edgev1.Head{
		TenantUid: n.uid, PoolUid: c.PoolUID, ConfigRoot: root("config", n.config), UrgentRoot: root("urgent", n.urgent),
		Version:   &edgev1.Version{Lineage: "1", Config: n.revision[edgev1.Lane_LANE_CONFIG], Urgent: n.revision[edgev1.Lane_LANE_URGENT]},
		IssueTime: timestamppb.New(issued),
	})
	must(t, err)
	return c.Sign(h)
}

// Sign signs any bytes as a head.
func (c *ControlPlane) Sign(head []byte) *edgev1.SignedHead {
	return &edgev1.SignedHead{Head: head, KeyId: "k1", Signature: ed25519.Sign(c.sign, append([]byte("sp-head-v1"), head...))}
}

// Urgent is a tenant's urgent revision.
func (c *ControlPlane) Urgent(t testing.TB, uid string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tenant(t, uid).revision[edgev1.Lane_LANE_URGENT]
}

// resource packs a message as the resource of its kind.
func resource(t testing.TB, m proto.Message, revision int64) *edgev1.Resource {
	packed, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	must(t, err)
	r := &edgev1.Resource{Kind: string(m.ProtoReflect().Descriptor().Name()), Revision: revision, Bytes: packed}
	switch m := m.(type) {
	case *edgev1.Keyset:
		r.Id = m.GetPurpose()
	case *edgev1.AssertionKey:
		r.Id = m.GetKid()
	case *edgev1.Revocation:
		r.Id = m.GetUid()
	case interface{ GetId() string }:
		r.Id = m.GetId()
	}
	r.Uid = r.Kind + "-" + r.Id
	if m, ok := m.(interface{ GetUid() string }); ok {
		r.Uid = m.GetUid()
	}
	return r
}

// root is the one that both planes compute, written anew: a mistake in one of them shows.
func root(lane string, resources map[string]*edgev1.Resource) []byte {
	list := make([]*edgev1.Resource, 0, len(resources))
	for _, r := range resources {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *edgev1.Resource) int {
		return strings.Compare(a.Kind+"\x00"+a.Id, b.Kind+"\x00"+b.Id)
	})
	var all bytes.Buffer
	all.WriteString("sp-root-v1")
	field := func(b []byte) {
		_ = binary.Write(&all, binary.BigEndian, uint32(len(b)))
		all.Write(b)
	}
	for _, r := range list {
		sum := sha256.Sum256(r.Bytes)
		field([]byte(lane))
		field([]byte(r.Kind))
		field([]byte(r.Id))
		field([]byte(r.Uid))
		field(binary.BigEndian.AppendUint64(nil, uint64(r.Revision)))
		field(sum[:])
	}
	sum := sha256.Sum256(all.Bytes())
	return sum[:]
}

// Seal seals a field of a resource as a snapshot carries it.
func (c *ControlPlane) Seal(t testing.TB, tenantUID, kind, uid, field string, plain []byte) *edgev1.Sealed {
	c.mu.Lock()
	defer c.mu.Unlock()
	var data []byte
	for _, f := range []string{"sp-snapshot-v1", tenantUID, c.PoolUID, kind, uid, field} {
		data = append(binary.BigEndian.AppendUint32(data, uint32(len(f))), f...)
	}
	sealed, err := c.tenant(t, tenantUID).dataKey.EncryptDeterministically(plain, data)
	must(t, err)
	return &edgev1.Sealed{KeyId: "d1", Ciphertext: sealed}
}

// Keyset is a new key of a purpose.
func (c *ControlPlane) Keyset(t testing.TB, tenantUID, purpose string) *edgev1.Keyset {
	_, plain := newKeyset(t, aead.AES256GCMKeyTemplate())
	return &edgev1.Keyset{Purpose: purpose, Keyset: c.Seal(t, tenantUID, "Keyset", "Keyset-"+purpose, "keyset", plain)}
}

// AssertionKey is a new key that signs assertions from an instant on.
func (c *ControlPlane) AssertionKey(t testing.TB, tenantUID, kid string, from time.Time) *edgev1.AssertionKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return &edgev1.AssertionKey{
		Kid: kid, PublicKey: public, NotBefore: timestamppb.New(from),
		PrivateKey: c.Seal(t, tenantUID, "AssertionKey", "AssertionKey-"+kid, "private_key", private),
	}
}

func newKeyset(t testing.TB, template *tinkpb.KeyTemplate) (*keyset.Handle, []byte) {
	handle, err := keyset.NewHandle(template)
	must(t, err)
	var plain bytes.Buffer
	must(t, insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&plain)))
	return handle, plain.Bytes()
}

// report takes what the edge delivers.
func (c *ControlPlane) report(_ context.Context, r *edgev1.ReportRequest) (*edgev1.ReportResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down != nil {
		return nil, c.down
	}
	response := &edgev1.ReportResponse{}
	for _, b := range r.GetBatches() {
		through := int64(len(c.records[b.GetTenantUid()]))
		if n := len(c.records[b.GetTenantUid()]); n > 0 {
			through = c.records[b.GetTenantUid()][n-1].GetSeq()
		}
		for _, record := range b.GetRecords() {
			if record.GetSeq() > through {
				c.records[b.GetTenantUid()] = append(c.records[b.GetTenantUid()], record)
				through = record.GetSeq()
			}
		}
		response.Stored = append(response.Stored, &edgev1.Stored{TenantUid: b.GetTenantUid(), ThroughSeq: through})
	}
	close(c.delivered)
	c.delivered = make(chan struct{})
	return response, nil
}

// Down makes reports fail, or work again with nil.
func (c *ControlPlane) Down(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = err
}

// Records are those of a tenant that were delivered.
func (c *ControlPlane) Records(tenantUID string) []*edgev1.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.records[tenantUID])
}

// wait returns when is is true of what was delivered.
func (c *ControlPlane) wait(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		c.mu.Lock()
		delivered := c.delivered
		c.mu.Unlock()
		if is() {
			return
		}
		select {
		case <-delivered:
		case <-deadline:
			t.Fatalf("after 10 s there is still no %s", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(fmt.Errorf("edgetest: %w", err))
	}
}
