package assertion

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

const (
	keysFresh    = 5 * time.Minute // the edge says max-age=300
	keysInterval = time.Second     // between two fetches, whatever key ids strangers invent
	fetchTimeout = 3 * time.Second
	maxKeySet    = 64 << 10
)

// Keys is the edge's published key set (JWKS), fetched when it is needed and kept for a few minutes.
type Keys struct {
	urls   []string
	client *http.Client

	mu      sync.Mutex // held while fetching: one fetch at a time, and the others use its result
	keys    map[string]*ecdsa.PublicKey
	fetched time.Time
	tried   time.Time
}

// NewKeys fetches from the first of the URLs that answers (one per edge), over TLS that the PEM file vouches for; the
// file is read at each fetch. Names below .localhost are this machine, also where the system's resolver does not know.
func NewKeys(caFile string, urls ...string) *Keys {
	dialer := &net.Dialer{Timeout: fetchTimeout}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 section 6.3
				addr = net.JoinHostPort("127.0.0.1", port)
			}
			return dialer.DialContext(ctx, network, addr)
		},
		DisableKeepAlives: true,
	}
	transport.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		roots := x509.NewCertPool()
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", caFile)
		}
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		plain, err := transport.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(plain, &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12})
		if err := conn.HandshakeContext(ctx); err != nil {
			plain.Close()
			return nil, err
		}
		return conn, nil
	}
	return &Keys{urls: urls, client: &http.Client{
		Transport: transport, Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// find returns the key of that id, from the kept set while it is fresh, else after a fetch: a key may be newer than our
// copy, and one that is gone must stop working.
func (k *Keys) find(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	if kid == "" {
		return nil, &Refused{Key, "it names no key"}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	fresh := time.Since(k.fetched) < keysFresh
	if key, ok := k.keys[kid]; ok && fresh {
		return key, nil
	}
	if !fresh || time.Since(k.tried) >= keysInterval {
		k.tried = time.Now()
		keys, err := k.fetch(ctx)
		if err != nil && !fresh {
			return nil, &Unavailable{err}
		}
		if err == nil {
			k.keys, k.fetched = keys, time.Now()
		}
	}
	if key, ok := k.keys[kid]; ok {
		return key, nil
	}
	return nil, &Refused{Key, fmt.Sprintf("the edge publishes no key %q", kid)}
}

func (k *Keys) fetch(ctx context.Context) (map[string]*ecdsa.PublicKey, error) {
	var failures []error
	for _, url := range k.urls {
		keys, err := k.fetchFrom(ctx, url)
		if err == nil {
			return keys, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", url, err))
	}
	return nil, errors.Join(failures...)
}

func (k *Keys) fetchFrom(ctx context.Context, url string) (map[string]*ecdsa.PublicKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet))
	if err != nil {
		return nil, err
	}
	set, err := jwk.Parse(body)
	if err != nil {
		return nil, errors.New("not a key set")
	}
	keys := map[string]*ecdsa.PublicKey{}
	for i := range set.Len() {
		published, _ := set.Key(i)
		kid, ok := published.KeyID()
		if !ok {
			continue
		}
		if _, twice := keys[kid]; twice {
			return nil, fmt.Errorf("two keys are called %q", kid)
		}
		if key, err := usable(published); err == nil {
			keys[kid] = key
		}
	}
	return keys, nil
}
