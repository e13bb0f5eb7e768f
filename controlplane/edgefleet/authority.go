package edgefleet

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
)

// ServerName is the name in the sync port's certificate: edges check it, whatever address they dial.
const ServerName = "controlplane.sallyport.internal"

const (
	rootLife     = 20 * 365 * 24 * time.Hour
	issuingLife  = 2 * 365 * 24 * time.Hour
	issuingRenew = issuingLife - 365*24*time.Hour // a year before the end there is a new one
	leafLife     = 24 * time.Hour
	graceLife    = 30 * 24 * time.Hour // how long after expiry a certificate still renews
	clockSkew    = 5 * time.Minute
)

// Authority is the internal CA: one root for the deployment, and an issuing CA under it. Its keys are in the database,
// sealed by the deployment key.
type Authority struct {
	root    *x509.Certificate
	issuing *x509.Certificate
	key     crypto.Signer // of issuing
	now     func() time.Time
}

// LoadAuthority reads the deployment's CA, making what is not there yet. Replicas that do so at once agree.
func LoadAuthority(ctx context.Context, system *store.System, now func() time.Time) (*Authority, error) {
	root, rootKey, err := loadPair(ctx, system, "ca-root", func() ([]byte, error) {
		return makeCA("Sallyport internal root", rootLife, 1, nil, nil, now())
	})
	if err != nil {
		return nil, err
	}
	for n := 1; ; n++ {
		name := fmt.Sprintf("ca-issuing-%d", n)
		issuing, key, err := loadPair(ctx, system, name, func() ([]byte, error) {
			return makeCA(fmt.Sprintf("Sallyport internal issuing %d", n), issuingLife, 0, root, rootKey, now())
		})
		if err != nil {
			return nil, err
		}
		if now().Before(issuing.NotBefore.Add(issuingRenew)) {
			return &Authority{root: root, issuing: issuing, key: key, now: now}, nil
		}
	}
}

func loadPair(ctx context.Context, system *store.System, name string, create func() ([]byte, error)) (*x509.Certificate, crypto.Signer, error) {
	bundle, ok, err := system.Deployment(ctx, name)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	if !ok {
		if bundle, err = create(); err != nil {
			return nil, nil, fmt.Errorf("make %s: %w", name, err)
		}
		if bundle, err = system.PutDeploymentIfAbsent(ctx, name, bundle); err != nil {
			return nil, nil, fmt.Errorf("keep %s: %w", name, err)
		}
	}
	cert, key, err := parseBundle(bundle)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	return cert, key, nil
}

func makeCA(commonName string, life time.Duration, maxPath int, parent *x509.Certificate, parentKey crypto.Signer, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    now.Add(-clockSkew), NotAfter: now.Add(life),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:     true, BasicConstraintsValid: true, MaxPathLen: maxPath, MaxPathLenZero: maxPath == 0,
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(bundle, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), nil
}

func parseBundle(bundle []byte) (*x509.Certificate, crypto.Signer, error) {
	pair, err := tls.X509KeyPair(bundle, bundle)
	if err != nil {
		return nil, nil, errors.New("the stored certificate and key do not fit")
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, nil, errors.New("the stored key cannot sign")
	}
	return pair.Leaf, key, nil
}

func newSerial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[0] &= 0x7f // positive, RFC 5280 section 4.1.2.2
	b[15] |= 1   // not zero
	return new(big.Int).SetBytes(b[:])
}

// Roots is what edges trust for the control plane: DER.
func (a *Authority) Roots() [][]byte { return [][]byte{a.root.Raw} }

// Pin is the SHA-256 of the root's public key info, which a join token carries.
func (a *Authority) Pin() [sha256.Size]byte { return sha256.Sum256(a.root.RawSubjectPublicKeyInfo) }

// ServerCertificate makes a certificate, over a key of its own, for the sync port. The chain goes up to the root, so that
// an edge that knows no more than the pin can check it.
func (a *Authority) ServerCertificate() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make server key: %w", err)
	}
	leaf, err := a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: ServerName}, DNSNames: []string{ServerName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public())
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.issuing.Raw, a.root.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// Certificate is an edge's new certificate.
type Certificate struct {
	Chain  [][]byte // leaf, issuing; DER
	Serial string
	Expire time.Time
}

// edgeCertificate certifies that the key belongs to the edge.
func (a *Authority) edgeCertificate(uid controlplane.UID, key crypto.PublicKey) (*Certificate, error) {
	leaf, err := a.issue(&x509.Certificate{
		URIs:        []*url.URL{edgeURI(uid)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
	if err != nil {
		return nil, err
	}
	return &Certificate{Chain: [][]byte{leaf.Raw, a.issuing.Raw}, Serial: leaf.SerialNumber.Text(16), Expire: leaf.NotAfter}, nil
}

func (a *Authority) issue(template *x509.Certificate, key crypto.PublicKey) (*x509.Certificate, error) {
	now := a.now()
	template.SerialNumber = newSerial()
	template.NotBefore, template.NotAfter = now.Add(-clockSkew), now.Add(leafLife)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(rand.Reader, template, a.issuing, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func edgeURI(uid controlplane.UID) *url.URL {
	return &url.URL{Scheme: "sallyport", Host: "edges", Path: "/" + string(uid)}
}
