package uplink

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"connectrpc.com/connect"

	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// errPin is what a first contact with anybody else ends with.
var errPin = errors.New("whoever answers is not the control plane that the join token names")

// Open returns the edge's identity: the one in its data directory, or a new one for a join token. While the control plane
// cannot be reached it tries again.
func Open(ctx context.Context, c Config) (*Uplink, error) {
	id, err := loadIdentity(c.Dir)
	switch {
	case err == nil:
		return newUplink(c, id), nil
	case !absent(err):
		return nil, err
	case c.JoinToken == "":
		return nil, fmt.Errorf("there is no identity in %s, and no join token to get one with (--join-token-file)", c.Dir)
	}
	for attempt := 0; ; attempt++ {
		id, err = enrol(ctx, c)
		if err == nil {
			c.Log.InfoContext(ctx, "the edge joined", slog.String("edge", id.Edge), slog.String("edge_uid", id.EdgeUID))
			return newUplink(c, id), nil
		}
		if !passing(err) {
			return nil, fmt.Errorf("join %s: %w", c.URL, err)
		}
		c.Log.WarnContext(ctx, "the control plane cannot be reached to join; trying again", slog.String("url", c.URL), slog.Any("error", err))
		if err := sleep(ctx, jitter(attempt)); err != nil {
			return nil, err
		}
	}
}

// passing tells an outage from a refusal.
func passing(err error) bool {
	if errors.Is(err, errPin) {
		return false
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeResourceExhausted, connect.CodeUnknown, connect.CodeInternal, connect.CodeAborted:
		var refused *connect.Error
		return errors.As(err, &refused)
	default:
		return false
	}
}

func enrol(ctx context.Context, c Config) (*Identity, error) {
	pin, err := pinOf(c.JoinToken)
	if err != nil {
		return nil, err
	}
	id, err := newIdentity()
	if err != nil {
		return nil, err
	}
	csr, err := id.request()
	if err != nil {
		return nil, err
	}
	client := c.client(&tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: serverName,
		// Nothing is trusted yet but the hash in the token; verified replaces the usual verification.
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies
		VerifyConnection:   func(s tls.ConnectionState) error { return verified(s, pin) },
	})
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := client.Enrol(ctx, &edgev1.EnrolRequest{JoinToken: c.JoinToken, Csr: csr, HpkePublicKey: id.dataKey.PublicKey().Bytes(), Version: c.Version})
	if err != nil {
		return nil, err
	}
	if !anyPinned(r.GetCa(), pin) {
		return nil, errPin
	}
	id.EdgeUID, id.Edge = r.GetEdgeUid(), r.GetEdge()
	if id, err = id.certified(r.GetCertificateChain(), r.GetCa(), r.GetHeadKeys()); err != nil {
		return nil, err
	}
	if err := id.save(c.Dir); err != nil {
		return nil, fmt.Errorf("keep the identity: %w", err)
	}
	return id, nil
}

// pinOf reads the last part of a join token: SHA-256 of the authority's public key info, base64url.
func pinOf(joinToken string) ([]byte, error) {
	const length = 43
	text := strings.TrimSpace(joinToken)
	if len(text) <= length || text[len(text)-length-1] != '_' || !strings.HasPrefix(text, "spj_") {
		return nil, errors.New("the join token is malformed")
	}
	pin, err := base64.RawURLEncoding.Strict().DecodeString(text[len(text)-length:])
	if err != nil || len(pin) != sha256.Size {
		return nil, errors.New("the join token is malformed")
	}
	return pin, nil
}

func pinned(cert *x509.Certificate, pin []byte) bool {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return subtle.ConstantTimeCompare(sum[:], pin) == 1
}

func anyPinned(ca [][]byte, pin []byte) bool {
	for _, der := range ca {
		if cert, err := x509.ParseCertificate(der); err == nil && pinned(cert, pin) {
			return true
		}
	}
	return false
}

// verified accepts a server whose chain ends in the authority that the token names.
func verified(s tls.ConnectionState, pin []byte) error {
	roots := x509.NewCertPool()
	for _, cert := range s.PeerCertificates {
		if pinned(cert, pin) {
			roots.AddCert(cert)
		}
	}
	if err := trusted(s, roots); err != nil {
		return fmt.Errorf("%w: %w", errPin, err)
	}
	return nil
}

// trusted accepts a server whose chain ends in one of the roots, and whose name is the control plane's.
func trusted(s tls.ConnectionState, roots *x509.CertPool) error {
	intermediates := x509.NewCertPool()
	for _, cert := range s.PeerCertificates[1:] {
		intermediates.AddCert(cert)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName: serverName, Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}
