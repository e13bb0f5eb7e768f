// Package sessiontest gives tests a small world: tenants whose snapshots are signed, sealed and taken in as an edge takes
// them, so that what is tested is decided on the real thing.
//
// It must never be imported but by tests.
package sessiontest

import (
	"bytes"
	"cmp"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/daead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Uids of the world.
const (
	Acme   = "0195a000-0000-7000-8000-00000000ac3e"
	Globex = "0195a000-0000-7000-8000-00000000610b"
	Pool   = "0195a000-0000-7000-8000-000000000001"
	IDP    = "0195a000-0000-7000-8000-0000000001d9"
	Wiki   = "0195a000-0000-7000-8000-000000000111"
	API    = "0195a000-0000-7000-8000-000000000222"
)

// ClientSecret is the provider's.
const ClientSecret = "s3cr3t-of-the-client"

// Hosts of acme; globex has the same ones under its own name.
const (
	AuthHost = "auth.acme.localhost"
	WikiHost = "wiki.acme.localhost"
	APIHost  = "api.acme.localhost"
)

// World is one pool and its tenants.
type World struct {
	t       testing.TB
	store   *snapshot.Store
	sign    ed25519.PrivateKey
	wrapTo  hpke.PublicKey
	mu      sync.Mutex
	pool    *edgev1.Pool
	tenants map[string]*tenant
}

type tenant struct {
	lineage        string
	config, urgent int64
	resources      map[edgev1.Lane][]proto.Message
	dataKey        tink.DeterministicAEAD
	wrapped        *edgev1.WrappedKey
}

// New makes a world with acme and globex, each with an auth host, a provider, and the apps wiki and api.
func New(t testing.TB) *World {
	t.Helper()
	public, sign, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	x, err := ecdh.X25519().GenerateKey(rand.Reader)
	must(t, err)
	private, err := hpke.NewDHKEMPrivateKey(x)
	must(t, err)
	w := &World{t: t, sign: sign, wrapTo: private.PublicKey(), tenants: map[string]*tenant{}}
	w.store = snapshot.New(snapshot.Config{
		HeadKeys: []*edgev1.HeadKey{{Id: "k1", PublicKey: public}}, Private: private, Log: slog.New(slog.DiscardHandler),
	})
	w.pool = &edgev1.Pool{
		Id: "dev", Uid: Pool, Login: true, AllowedUpstreamCidrs: []string{"127.0.0.0/8", "::1/128"},
		Tenants: []*edgev1.PoolTenant{{Uid: Acme, Id: "acme"}, {Uid: Globex, Id: "globex"}},
	}
	w.tenants[snapshot.PlatformUID] = &tenant{lineage: "1", resources: map[edgev1.Lane][]proto.Message{}}
	w.Put(snapshot.PlatformUID, w.pool)
	w.urgent(snapshot.PlatformUID)
	for uid, id := range map[string]string{Acme: "acme", Globex: "globex"} {
		w.addTenant(uid, id)
	}
	return w
}

func (w *World) addTenant(uid, id string) {
	host := func(name string) string { return name + "." + id + ".localhost" }
	t := &tenant{lineage: "1", resources: map[edgev1.Lane][]proto.Message{}}
	siv, plain := newKeyset(w.t, daead.AESSIVKeyTemplate())
	var err error
	t.dataKey, err = daead.New(siv)
	must(w.t, err)
	sealed, err := hpke.Seal(w.wrapTo, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("sallyport data key v1"+uid+Pool), plain)
	must(w.t, err)
	t.wrapped = &edgev1.WrappedKey{KeyId: "d1", Sealed: sealed}
	w.tenants[uid] = t
	for _, purpose := range []string{"ticket", "redis", "login"} {
		t.resources[edgev1.Lane_LANE_URGENT] = append(t.resources[edgev1.Lane_LANE_URGENT], w.keyset(uid, purpose))
	}
	w.urgent(uid)
	w.Put(uid,
		&edgev1.Tenant{Id: id, Uid: uid, DisplayName: "The " + id + " company", AuthHost: host("auth"), Session: Limits(12*time.Hour, time.Hour)},
		&edgev1.IdentityProvider{
			Id: "demo", Uid: IDP, DisplayName: "Demo directory", Issuer: "http://127.0.0.1:1", AllowHttpLoopback: true, ClientId: "sallyport",
			ClientSecret: w.seal(uid, "IdentityProvider", "demo", "client_secret", []byte(ClientSecret)),
			Scopes:       []string{"openid", "email"}, EmailClaim: "email", NameClaim: "name", GroupsClaim: "groups",
		},
		&edgev1.Group{Id: "engineering", Uid: "g1", Members: []*edgev1.GroupMember{{Member: &edgev1.GroupMember_IdpGroup{IdpGroup: &edgev1.IdpGroup{Idp: "demo", Name: "engineering"}}}}},
		&edgev1.Group{Id: "admins", Uid: "g2", Members: []*edgev1.GroupMember{{Member: &edgev1.GroupMember_IdpGroup{IdpGroup: &edgev1.IdpGroup{Idp: "demo", Name: "admins"}}}}},
		app("wiki", Wiki, "The wiki", host("wiki")), app("api", API, "The API", host("api")),
		&edgev1.Policy{Id: "wiki", Uid: "p1", Apps: []string{"wiki"}, Rules: []*edgev1.Rule{
			{Id: "staff", Effect: edgev1.Effect_EFFECT_ALLOW, Principals: []string{"group:engineering"}, Roles: []string{"user"}},
		}},
	)
}

func app(id, uid, name, host string) *edgev1.App {
	return &edgev1.App{
		Id: id, Uid: uid, DisplayName: name, Hosts: []string{host},
		Routes: []*edgev1.Route{{Path: "/**", UpstreamUrls: []string{"http://127.0.0.1:9001"}}},
		Operations: []*edgev1.Operation{
			{Id: "read", Methods: []string{"GET"}, Paths: []string{"/**"}, Access: edgev1.Access_ACCESS_READ},
			{Id: "write", Methods: []string{"*"}, Paths: []string{"/**"}, Access: edgev1.Access_ACCESS_WRITE},
		},
		SessionStoreGrace: durationpb.New(time.Hour), MaxStaleness: durationpb.New(24 * time.Hour),
	}
}

// Limits of sessions.
func Limits(absolute, idle time.Duration) *edgev1.SessionLimits {
	return &edgev1.SessionLimits{AbsoluteLifetime: durationpb.New(absolute), IdleTimeout: durationpb.New(idle)}
}

// Site is the tenant as of now.
func (w *World) Site(uid string) *snapshot.Site {
	w.t.Helper()
	site := w.store.Table().Site(uid)
	if site == nil {
		w.t.Fatalf("there is no site of %s", uid)
	}
	return site
}

// Table is all tenants as of now.
func (w *World) Table() *snapshot.Table { return w.store.Table() }

// Put adds resources to a tenant's config lane, or replaces those of the same kind and id.
func (w *World) Put(uid string, resources ...proto.Message) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.tenants[uid]
	list := t.resources[edgev1.Lane_LANE_CONFIG]
	for _, m := range resources {
		kind, id := name(m)
		list = slices.DeleteFunc(list, func(old proto.Message) bool { k, i := name(old); return k == kind && i == id })
		list = append(list, m)
	}
	t.resources[edgev1.Lane_LANE_CONFIG] = list
	t.config++
	w.publish(uid, edgev1.Lane_LANE_CONFIG)
}

// Edit changes a resource of a tenant's config lane.
func Edit[M proto.Message](w *World, uid, id string, change func(M)) {
	w.t.Helper()
	w.mu.Lock()
	var found proto.Message
	for _, m := range w.tenants[uid].resources[edgev1.Lane_LANE_CONFIG] {
		if typed, ok := m.(M); ok {
			if _, i := name(m); i == id {
				found = proto.Clone(typed)
			}
		}
	}
	w.mu.Unlock()
	if found == nil {
		w.t.Fatalf("there is no %s", id)
	}
	change(found.(M))
	w.Put(uid, found)
}

// Revoke adds a revocation to the urgent lane: what was made before is dead.
func (w *World) Revoke(uid, subject string) {
	w.t.Helper()
	w.mu.Lock()
	t := w.tenants[uid]
	t.resources[edgev1.Lane_LANE_URGENT] = append(t.resources[edgev1.Lane_LANE_URGENT],
		&edgev1.Revocation{Uid: "r-" + subject, Subject: subject, Urgent: t.urgent + 1})
	w.mu.Unlock()
	w.urgent(uid)
}

// ReplaceKeys gives a tenant new keys for a purpose and drops the old ones; with no key at all if gone.
func (w *World) ReplaceKeys(uid, purpose string, gone bool) {
	w.t.Helper()
	w.mu.Lock()
	t := w.tenants[uid]
	list := slices.DeleteFunc(t.resources[edgev1.Lane_LANE_URGENT], func(m proto.Message) bool {
		k, ok := m.(*edgev1.Keyset)
		return ok && k.Purpose == purpose
	})
	if !gone {
		list = append(list, w.keyset(uid, purpose))
	}
	t.resources[edgev1.Lane_LANE_URGENT] = list
	w.mu.Unlock()
	w.urgent(uid)
}

func (w *World) urgent(uid string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tenants[uid].urgent++
	w.publish(uid, edgev1.Lane_LANE_URGENT)
}

// publish signs a lane as the control plane does, and hands it to the store. w.mu is held.
func (w *World) publish(uid string, lane edgev1.Lane) {
	w.t.Helper()
	t := w.tenants[uid]
	set := &edgev1.ResourceSet{}
	for _, m := range t.resources[lane] {
		set.Changed = append(set.Changed, resource(w.t, m))
	}
	packed, err := proto.Marshal(set)
	must(w.t, err)
	head, err := proto.Marshal(&edgev1.Head{
		TenantUid: uid, PoolUid: Pool, Version: &edgev1.Version{Lineage: t.lineage, Config: t.config, Urgent: t.urgent},
		ConfigRoot: root(w.t, t, edgev1.Lane_LANE_CONFIG), UrgentRoot: root(w.t, t, edgev1.Lane_LANE_URGENT), IssueTime: timestamppb.Now(),
	})
	must(w.t, err)
	u := &edgev1.Update{
		TenantUid: uid, Lane: lane, To: t.config, Replace: true, Resources: packed, Encoding: edgev1.Encoding_ENCODING_IDENTITY,
		Head: &edgev1.SignedHead{Head: head, KeyId: "k1", Signature: ed25519.Sign(w.sign, append([]byte("sp-head-v1"), head...))},
	}
	if lane == edgev1.Lane_LANE_URGENT {
		u.To = t.urgent
	}
	if t.wrapped != nil {
		u.DataKeys = []*edgev1.WrappedKey{t.wrapped}
	}
	if _, refused := w.store.Apply(u); refused != nil {
		w.t.Fatalf("the store refused the snapshot: %v", refused)
	}
}

func (w *World) keyset(uid, purpose string) *edgev1.Keyset {
	_, plain := newKeyset(w.t, aead.AES256GCMKeyTemplate())
	return &edgev1.Keyset{Purpose: purpose, Keyset: w.seal(uid, "Keyset", purpose, "keyset", plain)}
}

func (w *World) seal(uid, kind, id, field string, plain []byte) *edgev1.Sealed {
	sealed, err := w.tenants[uid].dataKey.EncryptDeterministically(plain, fields("sp-snapshot-v1", uid, Pool, kind, uidOf(kind, id), field))
	must(w.t, err)
	return &edgev1.Sealed{KeyId: "d1", Ciphertext: sealed}
}

func newKeyset(t testing.TB, template *tink_go_proto.KeyTemplate) (*keyset.Handle, []byte) {
	h, err := keyset.NewHandle(template)
	must(t, err)
	var b bytes.Buffer
	must(t, insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&b)))
	return h, b.Bytes()
}

func name(m proto.Message) (kind, id string) {
	kind = string(m.ProtoReflect().Descriptor().Name())
	switch m := m.(type) {
	case *edgev1.Keyset:
		return kind, m.Purpose
	case *edgev1.Revocation:
		return kind, m.Uid
	case interface{ GetId() string }:
		return kind, m.GetId()
	}
	return kind, ""
}

func uidOf(kind, id string) string { return kind + "/" + id }

func resource(t testing.TB, m proto.Message) *edgev1.Resource {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	must(t, err)
	kind, id := name(m)
	return &edgev1.Resource{Kind: kind, Id: id, Uid: uidOf(kind, id), Revision: 1, Bytes: b}
}

// root is the control plane's side of what the edge recomputes.
func root(t testing.TB, s *tenant, lane edgev1.Lane) []byte {
	laneName := map[edgev1.Lane]string{edgev1.Lane_LANE_CONFIG: "config", edgev1.Lane_LANE_URGENT: "urgent"}[lane]
	var list []*edgev1.Resource
	for _, m := range s.resources[lane] {
		list = append(list, resource(t, m))
	}
	slices.SortFunc(list, func(a, b *edgev1.Resource) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Id, b.Id)) })
	h := sha256.New()
	h.Write([]byte("sp-root-v1"))
	for _, r := range list {
		sum := sha256.Sum256(r.Bytes)
		h.Write(fields(laneName, r.Kind, r.Id, r.Uid, string(binary.BigEndian.AppendUint64(nil, uint64(r.Revision))), string(sum[:])))
	}
	return h.Sum(nil)
}

func fields(parts ...string) (out []byte) {
	for _, p := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
		out = append(out, p...)
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Restore goes back to an earlier point in a later history, as a restored database does, without revocations. Only the
// config lane has arrived then; the urgent lane follows when the returned function is called.
func (w *World) Restore(uid string) (arrive func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.tenants[uid]
	t.lineage, t.urgent, t.config = "2", 5, 50
	t.resources[edgev1.Lane_LANE_URGENT] = slices.DeleteFunc(t.resources[edgev1.Lane_LANE_URGENT], func(m proto.Message) bool {
		_, revocation := m.(*edgev1.Revocation)
		return revocation
	})
	w.publish(uid, edgev1.Lane_LANE_CONFIG)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.publish(uid, edgev1.Lane_LANE_URGENT)
	}
}
