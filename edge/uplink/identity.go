package uplink

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// Identity is who an edge is to the control plane.
type Identity struct {
	EdgeUID string
	Edge    string // `edgePools/{edge_pool}/edges/{edge}`

	tlsKey      *ecdsa.PrivateKey
	dataKey     *ecdh.PrivateKey
	certificate tls.Certificate
	authorities *x509.CertPool
	headKeys    []*edgev1.HeadKey
	caDER       [][]byte
}

// Private opens what is sealed to this edge.
func (id *Identity) Private() (hpke.PrivateKey, error) { return hpke.NewDHKEMPrivateKey(id.dataKey) }

// HeadKeys are those that sign what the edge believes.
func (id *Identity) HeadKeys() []*edgev1.HeadKey { return id.headKeys }

// Expiry is when the certificate ends.
func (id *Identity) Expiry() time.Time { return id.certificate.Leaf.NotAfter }

// half is when the certificate should be renewed.
func (id *Identity) half() time.Time {
	leaf := id.certificate.Leaf
	return leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
}

// newIdentity makes the keys of an edge that has not joined yet.
func newIdentity() (*Identity, error) {
	tlsKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	dataKey, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Identity{tlsKey: tlsKey, dataKey: dataKey}, nil
}

func (id *Identity) request() ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, id.tlsKey)
}

// certified is the identity with a certificate: another one, as connections may still use this.
func (id *Identity) certified(chain, ca [][]byte, keys []*edgev1.HeadKey) (*Identity, error) {
	if len(chain) == 0 || len(ca) == 0 || len(keys) == 0 {
		return nil, errors.New("the control plane's answer lacks a certificate, an authority, or a key that signs heads")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, fmt.Errorf("parse the certificate: %w", err)
	}
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(&id.tlsKey.PublicKey) {
		return nil, errors.New("the certificate is over another key")
	}
	authorities := x509.NewCertPool()
	for _, der := range ca {
		root, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("parse the authority: %w", err)
		}
		authorities.AddCert(root)
	}
	made := *id
	made.certificate = tls.Certificate{Certificate: chain, PrivateKey: id.tlsKey, Leaf: leaf}
	made.authorities, made.caDER, made.headKeys = authorities, ca, keys
	return &made, nil
}

// file is how an identity is kept. Bytes are base64 in JSON.
type file struct {
	EdgeUID  string    `json:"edge_uid"`
	Edge     string    `json:"edge"`
	TLSKey   []byte    `json:"tls_key"`  // PKCS #8
	DataKey  []byte    `json:"data_key"` // X25519
	Chain    [][]byte  `json:"certificate_chain"`
	CA       [][]byte  `json:"ca"`
	HeadKeys []headKey `json:"head_keys"`
}

type headKey struct {
	ID     string `json:"id"`
	Public []byte `json:"public_key"`
}

const fileName = "identity.json"

// loadIdentity reads the identity in a directory. fs.ErrNotExist: the edge has not joined yet.
func loadIdentity(dir string) (*Identity, error) {
	path := filepath.Join(dir, fileName)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: it holds private keys; make it 0600", path)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("read %s: it is damaged; join again with a new token, or restore it", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(f.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("read %s: its TLS key is damaged", path)
	}
	tlsKey, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read %s: its TLS key is not ECDSA", path)
	}
	dataKey, err := ecdh.X25519().NewPrivateKey(f.DataKey)
	if err != nil {
		return nil, fmt.Errorf("read %s: its data key is damaged", path)
	}
	id := &Identity{EdgeUID: f.EdgeUID, Edge: f.Edge, tlsKey: tlsKey, dataKey: dataKey}
	keys := make([]*edgev1.HeadKey, len(f.HeadKeys))
	for i, k := range f.HeadKeys {
		keys[i] = &edgev1.HeadKey{Id: k.ID, PublicKey: k.Public}
	}
	if id, err = id.certified(f.Chain, f.CA, keys); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return id, nil
}

// save writes the identity so that a crash leaves the old or the new one, whole.
func (id *Identity) save(dir string) error {
	tlsKey, err := x509.MarshalPKCS8PrivateKey(id.tlsKey)
	if err != nil {
		return err
	}
	f := file{EdgeUID: id.EdgeUID, Edge: id.Edge, TLSKey: tlsKey, DataKey: id.dataKey.Bytes(), Chain: id.certificate.Certificate, CA: id.caDER}
	for _, k := range id.headKeys {
		f.HeadKeys = append(f.HeadKeys, headKey{k.GetId(), k.GetPublicKey()})
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, fileName)
	temporary, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = temporary.Write(text)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Joined reports whether there is an identity in a directory, so that no join token is needed.
func Joined(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, fileName))
	return err == nil
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
