package login

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"
)

const (
	// An unknown key id has the keys read again at once, but not for every token that somebody makes up.
	refetchEvery = 5 * time.Minute
	refetchBurst = 2
	maxKeys      = 100
	maxTried     = 5
	minRSABits   = 2048
)

// keySet is a provider's public keys. The library's own fetches as often as it is shown an unknown key id, and uses keys
// whatever they say they are for.
type keySet struct {
	url     string
	client  *http.Client
	now     func() time.Time
	refetch *rate.Limiter
	mu      sync.Mutex // one fetch at a time
	failed  time.Time
	fetched atomic.Int64
	keys    atomic.Pointer[[]jose.JSONWebKey]
}

func newKeySet(url string, client *http.Client, now func() time.Time) *keySet {
	return &keySet{url: url, client: client, now: now, refetch: rate.NewLimiter(rate.Every(refetchEvery), refetchBurst)}
}

// VerifySignature returns the payload. The algorithm was already checked against the pinned ones.
func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	algorithms := make([]jose.SignatureAlgorithm, len(signing))
	for i, a := range signing {
		algorithms[i] = jose.SignatureAlgorithm(a)
	}
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("the token is malformed")
	}
	seen := k.fetched.Load()
	if keys := k.keys.Load(); keys != nil {
		if payload, ok := verify(jws, *keys); ok {
			return payload, nil
		}
	}
	if err := k.again(ctx, seen); err != nil {
		return nil, err
	}
	if keys := k.keys.Load(); keys != nil {
		if payload, ok := verify(jws, *keys); ok {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the provider verifies the signature")
}

// verify tries the keys that may be meant: the one that the token names, or, if it names none, a few of the right kind.
func verify(jws *jose.JSONWebSignature, keys []jose.JSONWebKey) ([]byte, bool) {
	h := jws.Signatures[0].Header
	tried := 0
	for i := range keys {
		key := &keys[i]
		if h.KeyID != "" && key.KeyID != h.KeyID || !suits(key, h.Algorithm) {
			continue
		}
		if tried++; tried > maxTried {
			break
		}
		if payload, err := jws.Verify(key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// suits is what the library leaves to its users: what the key says that it is for, its size, and its curve.
func suits(key *jose.JSONWebKey, algorithm string) bool {
	if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != algorithm || !key.Valid() {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return (algorithm[:2] == "RS" || algorithm[:2] == "PS") && public.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey:
		curves := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}
		return curves[algorithm] == public.Curve
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}

// again fetches unless somebody did since `seen`, or too often lately.
func (k *keySet) again(ctx context.Context, seen int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.fetched.Load() != seen:
		return nil
	case k.keys.Load() == nil:
		// Without any keys nobody can sign in: what failed is tried again after a moment.
		if k.now().Sub(k.failed) < failurePause {
			return fmt.Errorf("%w: its keys cannot be read", errProvider)
		}
	case !k.refetch.AllowN(k.now(), 1):
		return nil
	}
	return k.get(ctx)
}

func (k *keySet) fetch(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.get(ctx)
}

// get replaces the keys. k.mu is held.
func (k *keySet) get(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			k.failed = k.now()
		}
	}()
	// Not cancelled with whoever happened to ask: the keys, and a failure to read them, are everybody's.
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, k.url, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errProvider, err)
	}
	req.Header.Set("Accept", "application/json")
	answer, err := k.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: read its keys: %w", errProvider, shorten(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: it answered %d instead of its keys", errProvider, answer.StatusCode)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("%w: read its keys: %w", errProvider, err)
	}
	keys, err := parseKeys(body)
	if err != nil {
		return fmt.Errorf("%w: %w", errProvider, err)
	}
	k.keys.Store(&keys)
	k.fetched.Add(1)
	return nil
}

// parseKeys keeps the public keys that are understood. One that is not must not take the others with it (RFC 7517 §5).
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || set.Keys == nil {
		return nil, errors.New("its key set is malformed")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("its key set has more than %d keys", maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && key.IsPublic() {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
