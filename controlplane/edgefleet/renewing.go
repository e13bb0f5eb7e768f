package edgefleet

import (
	"crypto/tls"
	"sync"
)

// renewing is the server's certificate, made anew when half of its life is over.
type renewing struct {
	authority *Authority

	mu      sync.Mutex
	current *tls.Certificate
}

func newRenewing(a *Authority) *renewing { return &renewing{authority: a} }

func (r *renewing) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.current; c != nil && r.authority.now().Before(c.Leaf.NotAfter.Add(-leafLife/2)) {
		return c, nil
	}
	fresh, err := r.authority.ServerCertificate()
	if err != nil {
		return nil, err
	}
	r.current = fresh
	return fresh, nil
}
