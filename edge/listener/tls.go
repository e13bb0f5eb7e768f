package listener

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/edge/route"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// profiles are TLS configurations, one per tenant: a session ticket of one tenant's is worth nothing at another's.
type profiles struct {
	certificates *Certificates
	table        func() *snapshot.Table
	await        func(context.Context, func(*snapshot.Table) bool) *snapshot.Table
	now          func() time.Time

	mu       sync.Mutex
	byTenant map[string]*profile
}

type profile struct {
	config *tls.Config
	keys   [][32]byte // of session tickets, newest first
	made   time.Time
}

const (
	ticketKeyLife = 24 * time.Hour
	// awaitSite is how long a handshake waits for a tenant that may be on its way: less than a client's patience.
	awaitSite = 5 * time.Second
)

// base is the configuration of the listening socket. Every handshake replaces it.
func (p *profiles) base() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetConfigForClient: p.choose}
}

// choose answers a handshake. A name that no tenant has, or none, gets a configuration without certificates, which makes
// crypto/tls answer with the alert unrecognized_name (RFC 6066 section 3). Whose a name is cannot be told while tenants are
// missing, so an edge that starts lets handshakes wait for them, and serves what it cannot tell with "come back".
func (p *profiles) choose(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	nobody := &tls.Config{MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}
	name, err := route.Hostname(hello.ServerName)
	if err != nil {
		return nobody, nil
	}
	if p.certificates.For(name) == nil {
		return nobody, nil
	}
	table := p.table()
	site, _, known := table.Host(name)
	if !known && !table.Complete() {
		ctx, cancel := context.WithTimeout(hello.Context(), awaitSite)
		defer cancel()
		table = p.await(ctx, func(t *snapshot.Table) bool { _, _, ok := t.Host(name); return ok })
		site, _, known = table.Host(name)
	}
	if !known && table.Complete() {
		return nobody, nil
	}
	tenant := ""
	if known {
		tenant = site.TenantUID
	}
	return p.of(tenant), nil
}

func (p *profiles) of(tenant string) *tls.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	have := p.byTenant[tenant]
	if have != nil && p.now().Sub(have.made) < ticketKeyLife {
		return have.config
	}
	made := &profile{made: p.now(), keys: make([][32]byte, 1)}
	_, _ = rand.Read(made.keys[0][:]) // never fails
	if have != nil {
		made.keys = append(made.keys, have.keys[0])
	}
	made.config = &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		// TLS 1.2 with forward secrecy and AEAD only; TLS 1.3 has nothing else.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name, err := route.Hostname(hello.ServerName)
			if err != nil {
				return nil, nil //nolint:nilerr // no certificate for a name that is none
			}
			return p.certificates.For(name), nil
		},
	}
	made.config.SetSessionTicketKeys(made.keys)
	if p.byTenant == nil {
		p.byTenant = map[string]*profile{}
	}
	p.byTenant[tenant] = made
	return made.config
}
