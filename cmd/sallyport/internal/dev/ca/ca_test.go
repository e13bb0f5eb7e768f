package ca

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T, dir string) *Authority {
	t.Helper()
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func server(t *testing.T, a *Authority, name string, hosts ...string) Pair {
	t.Helper()
	pair, err := a.Server(name, hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir())
	pair := server(t, a, "acme", "wiki.acme.localhost", "auth.acme.localhost", "127.0.0.1", "localhost")
	certificate, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	https := httptest.NewUnstartedServer(http.NotFoundHandler())
	https.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	https.StartTLS()
	defer https.Close()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(read(t, a.File()))) {
		t.Fatal("no certificate in the CA's file")
	}
	for host, good := range map[string]bool{
		"wiki.acme.localhost": true, "auth.acme.localhost": true, "127.0.0.1": true, "localhost": true,
		"api.acme.localhost": false, "acme.localhost": false, "example.com": false,
	} {
		conn, err := tls.Dial("tcp", https.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12})
		if (err == nil) != good {
			t.Errorf("%s: %v, want success = %v", host, err, good)
		}
		if conn != nil {
			conn.Close()
		}
	}
}

// Whoever trusts the root trusts it for this machine only, even if its key is stolen.
func TestRootVouchesForThisMachineOnly(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir())
	if _, err := a.Server("bank", "bank.example"); err == nil || !strings.Contains(err.Error(), "bank.example") {
		t.Errorf("asked for a foreign host: %v", err)
	}
	pair := Pair{filepath.Join(a.dir, "x.pem"), filepath.Join(a.dir, "x-key.pem")}
	forged, err := issue(pair, &x509.Certificate{
		SerialNumber: serial(), NotBefore: a.certificate.NotBefore, NotAfter: a.certificate.NotAfter, DNSNames: []string{"bank.example"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.certificate, a.key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	if _, err := forged.Verify(x509.VerifyOptions{Roots: roots, DNSName: "bank.example"}); err == nil || !strings.Contains(err.Error(), "not permitted") {
		t.Errorf("a forged certificate: %v", err)
	}
}

func TestReuse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir)
	root := read(t, a.File())
	leaf := read(t, server(t, a, "acme", "wiki.acme.localhost", "127.0.0.1").CertFile)

	a = open(t, dir)
	if read(t, a.File()) != root {
		t.Error("the root was made again")
	}
	if read(t, server(t, a, "acme", "127.0.0.1", "wiki.acme.localhost").CertFile) != leaf {
		t.Error("the same hosts got another certificate")
	}
	wider := read(t, server(t, a, "acme", "wiki.acme.localhost", "127.0.0.1", "api.acme.localhost").CertFile)
	if wider == leaf {
		t.Error("other hosts got the old certificate")
	}

	// A half-written file is as good as none, and a new root makes new certificates.
	if err := os.WriteFile(filepath.Join(dir, "ca-key.pem"), []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	a = open(t, dir)
	if read(t, a.File()) == root {
		t.Error("a root without its key was kept")
	}
	if read(t, server(t, a, "acme", "wiki.acme.localhost", "127.0.0.1", "api.acme.localhost").CertFile) == wider {
		t.Error("a certificate of the former root was kept")
	}
	for _, file := range []string{"ca-key.pem", "acme-key.pem"} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}
