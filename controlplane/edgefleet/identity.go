package edgefleet

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// Identity is what a client certificate proves.
type Identity struct {
	EdgeUID    controlplane.UID
	SPKISHA256 []byte // of the key
	Expired    bool   // good for Renew and nothing else
}

var errNotAnEdge = errors.New("the client certificate is not one of an edge of this deployment")

// TLS is the sync port's side of every connection: TLS 1.3, and a client certificate that is either absent (enough for
// Enrol) or an edge's. The certificate is made anew at half of its life.
func (a *Authority) TLS() *tls.Config {
	own := newRenewing(a)
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		NextProtos:     []string{"h2"},
		GetCertificate: own.get,
		// Checked by hand, for two reasons: one that expired is good enough to renew, and only these extensions count.
		ClientAuth: tls.RequestClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return nil
			}
			_, err := a.Identify(state.PeerCertificates)
			return err
		},
		// A resumed connection proves no key.
		SessionTicketsDisabled: true,
	}
}

// Identify says which edge a client certificate belongs to.
func (a *Authority) Identify(chain []*x509.Certificate) (Identity, error) {
	leaf := chain[0]
	now := a.now()
	expired := now.After(leaf.NotAfter)
	at := now
	if expired {
		if now.After(leaf.NotAfter.Add(graceLife)) {
			return Identity{}, errNotAnEdge
		}
		at = leaf.NotAfter
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(a.root)
	intermediates.AddCert(a.issuing)
	for _, c := range chain[1:min(len(chain), 4)] {
		intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return Identity{}, errNotAnEdge
	}
	uid, ok := edgeOf(leaf)
	if !ok {
		return Identity{}, errNotAnEdge
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return Identity{EdgeUID: uid, SPKISHA256: sum[:], Expired: expired}, nil
}

// edgeOf reads the one name that counts. A certificate with any other name is not an edge's.
func edgeOf(leaf *x509.Certificate) (controlplane.UID, bool) {
	if leaf.IsCA || len(leaf.URIs) != 1 || len(leaf.DNSNames)+len(leaf.EmailAddresses)+len(leaf.IPAddresses) != 0 {
		return "", false
	}
	id, ok := strings.CutPrefix(leaf.URIs[0].String(), "sallyport://edges/")
	parsed, err := uuid.Parse(id)
	return controlplane.UID(id), ok && err == nil && parsed.String() == id
}
