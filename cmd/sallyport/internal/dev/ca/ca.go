// Package ca is the demo's certificate authority: a root made at the first start, and certificates for hosts of this
// machine.
//
// It must never be able to vouch for anything else: the root carries name constraints for localhost and the loopback
// addresses, so that a person who trusts it in a browser risks nothing but the demo.
package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Authority issues certificates into its directory.
type Authority struct {
	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Pair names the two PEM files of a certificate.
type Pair struct{ CertFile, KeyFile string }

const (
	rootLife  = 5 * 365 * 24 * time.Hour
	leafLife  = 365 * 24 * time.Hour // browsers refuse more than 398 days
	renewLeft = 30 * 24 * time.Hour
)

// Open reads the authority of that directory, or makes it. Its certificate is File.
func Open(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the development CA: %w", err)
	}
	a := &Authority{dir: dir}
	pair := Pair{a.File(), filepath.Join(dir, "ca-key.pem")}
	if certificate, key, ok := load(pair); ok && certificate.IsCA {
		a.certificate, a.key = certificate, key
		return a, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the development CA: %w", err)
	}
	template := &x509.Certificate{
		Subject:      pkix.Name{Organization: []string{"Sallyport"}, CommonName: "Sallyport development CA of this machine"},
		SerialNumber: serial(),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(rootLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"localhost"}, // and all below it (RFC 5280 section 4.2.1.10)
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	if a.certificate, err = issue(pair, template, template, key, key); err != nil {
		return nil, fmt.Errorf("make the development CA: %w", err)
	}
	a.key = key
	return a, nil
}

// File is the PEM file of the root's certificate, for those who should trust it.
func (a *Authority) File() string { return filepath.Join(a.dir, "ca.pem") }

// Server returns a server certificate for exactly these hosts (names or addresses), from disk if there is a good one.
// The name is the file's.
func (a *Authority) Server(name string, hosts ...string) (Pair, error) {
	pair := Pair{filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+"-key.pem")}
	if certificate, _, ok := load(pair); ok && certificate.CheckSignatureFrom(a.certificate) == nil && serves(certificate, hosts) {
		return pair, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("make the certificate %s: %w", name, err)
	}
	template := &x509.Certificate{
		Subject:      pkix.Name{Organization: []string{"Sallyport development"}, CommonName: name},
		SerialNumber: serial(),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(leafLife),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		if host != "localhost" && !strings.HasSuffix(host, ".localhost") {
			return Pair{}, fmt.Errorf("make the certificate %s: %s is not a host of this machine", name, host)
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	if _, err := issue(pair, template, a.certificate, key, a.key); err != nil {
		return Pair{}, fmt.Errorf("make the certificate %s: %w", name, err)
	}
	return pair, nil
}

func serves(certificate *x509.Certificate, hosts []string) bool {
	names := slices.Clone(certificate.DNSNames)
	for _, ip := range certificate.IPAddresses {
		names = append(names, ip.String())
	}
	return slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(hosts)))
}

// load reads a pair that belongs together and is good for a while. Anything else, a half-written file included, is as
// good as none.
func load(pair Pair) (*x509.Certificate, *ecdsa.PrivateKey, bool) {
	loaded, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		return nil, nil, false
	}
	key, ok := loaded.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || time.Until(loaded.Leaf.NotAfter) < renewLeft {
		return nil, nil, false
	}
	return loaded.Leaf, key, true
}

func issue(pair Pair, template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		replace(pair.KeyFile, "PRIVATE KEY", keyDER, 0o600),
		replace(pair.CertFile, "CERTIFICATE", der, 0o644),
	)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// replace writes the file whole or not at all.
func replace(path, kind string, der []byte, mode os.FileMode) error {
	unfinished := path + ".unfinished"
	if err := os.WriteFile(unfinished, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (Go 1.24)
	b[0] &= 0x7f           // positive
	b[0] |= 0x40           // and always of the same length
	return new(big.Int).SetBytes(b[:])
}
