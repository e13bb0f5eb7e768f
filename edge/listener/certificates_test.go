package listener

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// write writes a certificate for names, and its key.
func write(t *testing.T, dir, name string, serial int64, names ...string) Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := Pair{filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem")}
	for path, block := range map[string]*pem.Block{p.Certificate: {Type: "CERTIFICATE", Bytes: der}, p.Key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pairs := []Pair{write(t, dir, "one", 1, "a.test", "*.b.test"), write(t, dir, "two", 2, "c.b.test", "A.test")}
	c, err := LoadCertificates(pairs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serial := func(name string) int64 {
		if cert := c.For(name); cert != nil {
			return cert.Leaf.SerialNumber.Int64()
		}
		return 0
	}
	for name, want := range map[string]int64{"a.test": 1, "x.b.test": 1, "c.b.test": 2, "b.test": 0, "x.y.b.test": 0, "": 0, "test": 0} {
		if got := serial(name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	write(t, dir, "one", 3, "a.test")
	if err := c.load(); err != nil || serial("a.test") != 3 {
		t.Errorf("after a change: %d, %v", serial("a.test"), err)
	}
	// What cannot be read leaves what was.
	if err := os.WriteFile(pairs[0].Key, []byte("half of a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.load(); err == nil || serial("a.test") != 3 {
		t.Errorf("after damage: %d, %v", serial("a.test"), err)
	}
	if _, err := LoadCertificates(nil, nil); err == nil {
		t.Error("no certificate is fine")
	}
}
