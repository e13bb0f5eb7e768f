package edgefleet

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/store"
	"github.com/sallyport-iap/sallyport/controlplane/token"
)

// Enrolment is what a new edge brings.
type Enrolment struct {
	JoinToken     string
	CSR           []byte // PKCS #10, DER
	HPKEPublicKey []byte // X25519
	Version       string
	IP            string
	RequestID     string
}

// Enrolled is what it gets.
type Enrolled struct {
	EdgeUID     controlplane.UID
	Name        string
	Certificate *Certificate
}

// errToken is the one answer to every join token that is not good, whatever is wrong with it.
func errToken() error {
	return &controlplane.Error{Kind: controlplane.Unauthenticated, Reason: controlplane.ReasonTokenInvalid, Message: "the join token is not valid"}
}

// Enrol trades a join token for an identity. Token, Edge and enrolment are one transaction: whatever fails, the token is
// still good; and of two edges with one token, one gets in.
func (f *Fleet) Enrol(ctx context.Context, e Enrolment) (*Enrolled, error) {
	t, pin, ok := token.ParseJoin(e.JoinToken)
	if !ok || pin != f.cfg.Authority.Pin() {
		return nil, errToken()
	}
	key, spki, err := parseCSR(e.CSR)
	if err != nil {
		return nil, err
	}
	if _, err := ParseHPKEKey(e.HPKEPublicKey); err != nil {
		return nil, controlplane.InvalidFields(controlplane.Violation{
			Field: "hpke_public_key", Reason: controlplane.ReasonFieldInvalid, Description: "must be an X25519 public key",
		})
	}
	var enrolled *Enrolled
	hash := t.Hash()
	err = f.cfg.DB.Tenant(ctx, controlplane.PlatformUID, func(tx *store.TenantTx) error {
		join, err := tx.ConsumeJoinToken(t.ID, hash[:])
		if err != nil {
			return err
		}
		pool, err := tx.Resource(controlplane.KindEdgePool, join.Pool)
		if err != nil {
			return err
		}
		edge, err := f.edgeResource(tx, join, e)
		if err != nil {
			return err
		}
		cert, err := f.cfg.Authority.edgeCertificate(edge.UID, key)
		if err != nil {
			return err
		}
		enrolled = &Enrolled{EdgeUID: edge.UID, Name: edgeName(edge.ID), Certificate: cert}
		return tx.PutEdgeEnrolment(store.EdgeEnrolment{
			EdgeUID: edge.UID, PoolUID: pool.UID, Name: edgeName(edge.ID), HPKEPublicKey: e.HPKEPublicKey, SPKISHA256: spki,
			CertSerial: cert.Serial, CertExpire: cert.Expire, Version: clip(e.Version),
		})
	})
	switch controlplane.KindOf(err) {
	case controlplane.Unauthenticated, controlplane.NotFound, controlplane.Denied:
		f.cfg.Log.WarnContext(ctx, "enrolment refused", "token_id", t.ID, "ip", e.IP, "error", err)
		return nil, errToken()
	}
	if err != nil {
		return nil, fmt.Errorf("enrol edge: %w", err)
	}
	f.cfg.Log.InfoContext(ctx, "edge enrolled", "edge", enrolled.Name, "edge_uid", string(enrolled.EdgeUID), "ip", e.IP)
	return enrolled, nil
}

// edgeResource writes the Edge that the token is for, or finds it. Finding it is a change too: another key speaks for
// the edge from here on.
func (f *Fleet) edgeResource(tx *store.TenantTx, join store.JoinToken, e Enrolment) (*controlplane.Resource, error) {
	id := join.Pool + "/" + join.Edge
	caller := &controlplane.Caller{
		Actor: edgeName(id), ActorKind: "edge", TenantUID: controlplane.PlatformUID, IP: e.IP, RequestID: e.RequestID,
		Method: "sallyport.edge.v1.EdgeService/Enrol",
	}
	edge, err := tx.Resource(controlplane.KindEdge, id)
	switch {
	case controlplane.KindOf(err) == controlplane.NotFound:
		edge = &controlplane.Resource{Kind: controlplane.KindEdge, ID: id, Spec: &controlplane.Edge{Pool: join.Pool}}
		if _, err := f.cfg.Write(tx, caller, edge); err != nil {
			return nil, err
		}
		return tx.Resource(controlplane.KindEdge, id)
	case err != nil:
		return nil, err
	case edge.Spec.(*controlplane.Edge).Disabled:
		return nil, &controlplane.Error{Kind: controlplane.Denied, Reason: controlplane.ReasonTokenInvalid, Message: "the edge is disabled"}
	}
	if err := tx.Touch(controlplane.KindEdge, id); err != nil {
		return nil, err
	}
	return edge, tx.Record(store.Change{Lane: controlplane.Config, Caller: caller, Items: []store.ChangeItem{{Name: edgeName(id), Action: store.Updated}}})
}

// Renew certifies the key that the edge enrolled with for another day. The certificate that it came with may have
// expired: TLS has proved the key, and the edge must still be wanted.
func (f *Fleet) Renew(ctx context.Context, who Identity, csr []byte) (*Certificate, error) {
	key, spki, err := parseCSR(csr)
	if err != nil {
		return nil, err
	}
	if string(spki) != string(who.SPKISHA256) {
		return nil, controlplane.InvalidFields(controlplane.Violation{
			Field: "csr", Reason: controlplane.ReasonFieldInvalid, Description: "must be over the key of the current certificate",
		})
	}
	cert, err := f.cfg.Authority.edgeCertificate(who.EdgeUID, key)
	if err != nil {
		return nil, err
	}
	if err := f.cfg.DB.System().EdgeCertified(ctx, who.EdgeUID, cert.Serial, cert.Expire); err != nil {
		return nil, fmt.Errorf("renew edge %s: %w", who.EdgeUID, err)
	}
	return cert, nil
}

// parseCSR checks that the request is signed by the P-256 key that it is over. Nothing else of it is used.
func parseCSR(der []byte) (key *ecdsa.PublicKey, spkiSHA256 []byte, err error) {
	invalid := controlplane.InvalidFields(controlplane.Violation{
		Field: "csr", Reason: controlplane.ReasonFieldInvalid, Description: "must be a PKCS #10 request, in DER, over an ECDSA P-256 key and signed by it",
	})
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil || csr.CheckSignature() != nil {
		return nil, nil, invalid
	}
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, nil, invalid
	}
	sum := sha256.Sum256(csr.RawSubjectPublicKeyInfo)
	return key, sum[:], nil
}

// ParseHPKEKey reads the key that an edge's data keys are wrapped to.
func ParseHPKEKey(raw []byte) (hpke.PublicKey, error) {
	key, err := ecdh.X25519().NewPublicKey(raw)
	if err != nil {
		return nil, errors.New("not an X25519 public key")
	}
	return hpke.NewDHKEMPublicKey(key)
}

func edgeName(id string) string {
	return controlplane.Name{Kind: controlplane.KindEdge, ID: id}.String()
}

// clip bounds what an edge says of itself.
func clip(s string) string { return s[:min(len(s), 64)] }
