package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/edgefleet"
	"github.com/sallyport-iap/sallyport/controlplane/store/storetest"
	"github.com/sallyport-iap/sallyport/controlplane/token"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

func TestJoinTokens(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.put(controlplane.PlatformUID, pool("dev", false))
	r := w.replica()
	good := w.joinToken("dev", "eu-1", time.Minute)
	e, err := enrol(t, r, good)
	if err != nil {
		t.Fatal(err)
	}
	if e.name != "edgePools/dev/edges/eu-1" {
		t.Errorf("it is %s", e.name)
	}
	fresh := w.joinToken("dev", "eu-2", time.Minute)
	stranger := token.Mint(token.Join)
	_, pin, _ := token.ParseJoin(fresh)
	for name, text := range map[string]string{
		"used":               good,
		"expired":            w.joinToken("dev", "eu-3", -time.Second),
		"never made":         stranger.WithPin(pin),
		"another secret":     stranger.WithPin(pin)[:4] + fresh[4:14] + stranger.WithPin(pin)[14:],
		"another CA":         stranger.WithPin([32]byte{1}),
		"cut":                fresh[:len(fresh)-1],
		"an API token":       token.Mint(token.API).Text(),
		"nothing":            "",
		"of a pool not here": w.joinToken("nowhere", "eu-4", time.Minute),
	} {
		_, err := enrol(t, r, text)
		if connect.CodeOf(err) != connect.CodeUnauthenticated && name != "another CA" || err == nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// Why is nobody's business who has no token.
		if connect.CodeOf(err) == connect.CodeUnauthenticated && !strings.HasSuffix(err.Error(), "the join token is not valid") {
			t.Errorf("%s: it says %v", name, err)
		}
	}
	if _, err := enrol(t, r, fresh); err != nil {
		t.Errorf("the good token is no longer good: %v", err)
	}
}

func TestOneTokenOneEdge(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.put(controlplane.PlatformUID, pool("dev", false))
	one, two := w.replica(), w.replica()
	text := w.joinToken("dev", "eu-1", time.Minute)
	var enrolled sync.Map
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			r := one
			if i%2 == 1 {
				r = two
			}
			if e, err := enrol(t, r, text); err == nil {
				enrolled.Store(i, e)
			}
		})
	}
	group.Wait()
	n := 0
	enrolled.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d edges enrolled with one token", n)
	}
}

func TestEnrollingAgainEndsTheOldKey(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.put(controlplane.PlatformUID, pool("dev", false))
	r := w.replica()
	old := w.edge(r, "dev", "eu-1")
	stream := old.connect(r)
	old.until("welcome", func() bool { return old.count["welcome"] == 1 })
	again := w.edge(r, "dev", "eu-1")
	if again.uid != old.uid {
		t.Errorf("the uid was %s, is %s", old.uid, again.uid)
	}
	<-stream.done // cut
	if err := <-old.connect(r).done; connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("the old key: %v", err)
	}
	again.connect(r)
	again.until("welcome", func() bool { return again.count["welcome"] == 1 })
}

func TestBadEnrolments(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.put(controlplane.PlatformUID, pool("dev", false))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	text := w.joinToken("dev", "eu-2", time.Minute)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	damaged := e.csr(e.key)
	damaged[len(damaged)-1] ^= 1
	hpkeKey := e.hpke.PublicKey().Bytes()
	for name, m := range map[string]*edgev1.EnrolRequest{
		"no CSR":            {HpkePublicKey: hpkeKey},
		"CSR not signed":    {Csr: damaged, HpkePublicKey: hpkeKey},
		"CSR of other kind": {Csr: e.csr(p384), HpkePublicKey: hpkeKey},
		"no HPKE key":       {Csr: e.csr(e.key)},
		"short HPKE key":    {Csr: e.csr(e.key), HpkePublicKey: hpkeKey[1:]},
	} {
		m.JoinToken = text
		if _, err := e.api(r).Enrol(t.Context(), m); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := enrol(t, r, text); err != nil {
		t.Errorf("bad requests used the token up: %v", err)
	}
}

func TestRenew(t *testing.T) {
	t.Parallel()
	w := setup(t)
	// A deployment that has been there for a while.
	if _, err := edgefleet.LoadAuthority(t.Context(), w.db.System(), func() time.Time { return time.Now().Add(-100 * 24 * time.Hour) }); err != nil {
		t.Fatal(err)
	}
	w.put(controlplane.PlatformUID, pool("dev", false))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	response, err := e.api(r).Renew(t.Context(), &edgev1.RenewRequest{Csr: e.csr(e.key)})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(response.CertificateChain[0])
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(leaf.NotAfter); left < 23*time.Hour || left > 25*time.Hour || leaf.URIs[0].String() != "sallyport://edges/"+e.uid {
		t.Errorf("renewed for %s as %v", left, leaf.URIs)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.api(r).Renew(t.Context(), &edgev1.RenewRequest{Csr: e.csr(other)}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("another key: %v", err)
	}

	// Certificates as they will be later: made by a control plane whose clock is behind.
	aged := func(by time.Duration) [][]byte {
		then := func() time.Time { return time.Now().Add(-by) }
		authority, err := edgefleet.LoadAuthority(t.Context(), w.db.System(), then)
		if err != nil {
			t.Fatal(err)
		}
		fleet := edgefleet.New(edgefleet.Config{DB: w.db, Authority: authority, Now: then})
		spki := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
		cert, err := fleet.Renew(t.Context(), edgefleet.Identity{EdgeUID: controlplane.UID(e.uid), SPKISHA256: spki[:]}, e.csr(e.key))
		if err != nil {
			t.Fatal(err)
		}
		return cert.Chain
	}
	yesterday := e.client(r, aged(48*time.Hour), e.key)
	if _, err := yesterday.Report(t.Context(), &edgev1.ReportRequest{BootId: "b"}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("an expired certificate reports: %v", err)
	}
	if _, err := yesterday.Renew(t.Context(), &edgev1.RenewRequest{Csr: e.csr(e.key)}); err != nil {
		t.Errorf("an expired certificate does not renew: %v", err)
	}
	if _, err := e.client(r, aged(40*24*time.Hour), e.key).Renew(t.Context(), &edgev1.RenewRequest{Csr: e.csr(e.key)}); err == nil {
		t.Error("a certificate that expired 39 days ago renews")
	}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.put(controlplane.PlatformUID, pool("dev", false))
	r := w.replica()
	e := w.edge(r, "dev", "eu-1")
	authority, err := edgefleet.LoadAuthority(t.Context(), w.db.System(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	server, err := authority.ServerCertificate()
	if err != nil {
		t.Fatal(err)
	}
	report := func(chain [][]byte, key *ecdsa.PrivateKey) error {
		_, err := e.client(r, chain, key).Report(t.Context(), &edgev1.ReportRequest{BootId: "b"})
		return err
	}
	if err := report(e.chain, e.key); err != nil {
		t.Fatalf("its own: %v", err)
	}
	uri := &url.URL{Scheme: "sallyport", Host: "edges", Path: "/" + e.uid}
	selfSigned := func(template *x509.Certificate) [][]byte {
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		der, err := x509.CreateCertificate(rand.Reader, template, template, e.key.Public(), e.key)
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{der}
	}
	for name, chain := range map[string][][]byte{
		"self-signed with its name":          selfSigned(&x509.Certificate{URIs: []*url.URL{uri}}),
		"self-signed with the CA's name":     selfSigned(&x509.Certificate{Subject: pkix.Name{CommonName: "Sallyport internal root"}, URIs: []*url.URL{uri}, IsCA: true, BasicConstraintsValid: true}),
		"self-signed, with the CA behind it": append(selfSigned(&x509.Certificate{URIs: []*url.URL{uri}}), e.chain[1]),
	} {
		if err := report(chain, e.key); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := report(server.Certificate, server.PrivateKey.(*ecdsa.PrivateKey)); err == nil {
		t.Error("the server's certificate as a client: taken")
	}
	if err := report(nil, nil); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("none: %v", err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := report(e.chain, other); err == nil {
		t.Error("its certificate with another key: taken")
	}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(r.syncURL, "https://"), &tls.Config{MaxVersion: tls.VersionTLS12, RootCAs: e.roots, ServerName: edgefleet.ServerName})
	if err == nil {
		_ = conn.Close()
		t.Error("TLS 1.2: taken")
	}
}

func TestCreateJoinToken(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.put(controlplane.PlatformUID, pool("dev", false))
	r := w.replica()
	authority, err := edgefleet.LoadAuthority(t.Context(), w.db.System(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	fleet := edgefleet.New(edgefleet.Config{DB: w.db, Authority: authority, Now: time.Now})
	secret, expires, err := fleet.CreateJoinToken(t.Context(), storetest.Caller(), "dev", "eu-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(expires); left < 59*time.Minute || left > time.Hour {
		t.Errorf("it lasts %s", left)
	}
	e, err := enrol(t, r, secret)
	if err != nil {
		t.Fatal(err)
	}
	statuses, err := fleet.Status(t.Context(), controlplane.UID(e.uid))
	if err != nil || statuses[controlplane.UID(e.uid)].Connected {
		t.Errorf("before it connects: %s %v", text(statuses), err)
	}
	stream := e.connect(r)
	e.until("welcome", func() bool { return e.count["welcome"] == 1 })
	if statuses, err = fleet.Status(t.Context(), controlplane.UID(e.uid)); err != nil || !statuses[controlplane.UID(e.uid)].Connected || statuses[controlplane.UID(e.uid)].Version != "test" {
		t.Errorf("connected: %s %v", text(statuses), err)
	}
	stream.leave(t)
	if statuses, err = fleet.Status(t.Context(), controlplane.UID(e.uid)); err != nil || statuses[controlplane.UID(e.uid)].Connected || !statuses[controlplane.UID(e.uid)].Departed {
		t.Errorf("gone: %s %v", text(statuses), err)
	}

	tenant := storetest.Caller()
	tenant.TenantUID, tenant.TenantID = storetest.Tenant(t, w.db, "acme"), "acme"
	viewer := storetest.Caller()
	viewer.Role = controlplane.Viewer
	for name, try := range map[string]struct {
		caller *controlplane.Caller
		pool   string
		edge   string
		life   time.Duration
		want   controlplane.ErrorKind
	}{
		"a tenant's owner":  {tenant, "dev", "eu-1", 0, controlplane.Denied},
		"an operator to be": {viewer, "dev", "eu-1", 0, controlplane.Denied},
		"no such pool":      {storetest.Caller(), "nowhere", "eu-1", 0, controlplane.NotFound},
		"no name":           {storetest.Caller(), "dev", "EU/1", 0, controlplane.Invalid},
		"too long":          {storetest.Caller(), "dev", "eu-1", 2 * time.Hour, controlplane.Invalid},
	} {
		if _, _, err := fleet.CreateJoinToken(t.Context(), try.caller, try.pool, try.edge, try.life); controlplane.KindOf(err) != try.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
