package listener

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Pair is a certificate chain and its key, as PEM files.
type Pair struct{ Certificate, Key string }

// Certificates are what the listener proves its names with, read from files and read again when they change.
type Certificates struct {
	pairs   []Pair
	log     *slog.Logger
	current atomic.Pointer[byName]
	stamp   string
}

type byName map[string]*tls.Certificate

const reloadEvery = 10 * time.Second

// LoadCertificates reads the files. Any fault in them is an error.
func LoadCertificates(pairs []Pair, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{pairs: pairs, log: log}
	if len(pairs) == 0 {
		return nil, errors.New("there is no certificate to serve with")
	}
	return c, c.load()
}

// CertificatesOf serves with what is in memory, for tests.
func CertificatesOf(list ...tls.Certificate) (*Certificates, error) {
	c := &Certificates{}
	names := byName{}
	for i := range list {
		if err := names.add(&list[i]); err != nil {
			return nil, err
		}
	}
	c.current.Store(&names)
	return c, nil
}

func (c *Certificates) load() error {
	stamp, err := c.files()
	if err != nil {
		return err
	}
	names := byName{}
	for _, p := range c.pairs {
		cert, err := tls.LoadX509KeyPair(p.Certificate, p.Key)
		if err != nil {
			return fmt.Errorf("read certificate %s: %w", p.Certificate, err)
		}
		if err := names.add(&cert); err != nil {
			return fmt.Errorf("read certificate %s: %w", p.Certificate, err)
		}
	}
	c.current.Store(&names)
	c.stamp = stamp
	return nil
}

// files tells apart versions of the files.
func (c *Certificates) files() (string, error) {
	var b strings.Builder
	for _, p := range c.pairs {
		for _, path := range []string{p.Certificate, p.Key} {
			info, err := os.Stat(path)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String(), nil
}

func (n byName) add(cert *tls.Certificate) error {
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return err
	}
	cert.Leaf = leaf
	for _, name := range leaf.DNSNames {
		name = strings.ToLower(name)
		if _, taken := n[name]; !taken {
			n[name] = cert
		}
	}
	return nil
}

// For returns the certificate for a name, or nil. A wildcard stands for one label.
func (c *Certificates) For(name string) *tls.Certificate {
	names := *c.current.Load()
	if cert := names[name]; cert != nil {
		return cert
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		return names["*."+parent]
	}
	return nil
}

// Run reads files that changed. While they cannot be read, the old certificates are kept: they are good until they expire.
func (c *Certificates) Run(ctx context.Context) error {
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			stamp, err := c.files()
			if err == nil && stamp == c.stamp {
				continue
			}
			if err == nil {
				err = c.load()
			}
			if err != nil {
				c.log.ErrorContext(ctx, "certificates cannot be read again; the old ones are kept", slog.Any("error", err))
				continue
			}
			c.log.InfoContext(ctx, "certificates were read again")
		}
	}
}
