package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

const (
	// metadataFresh is when metadata and keys are read again, without anybody waiting; metadataStale is when they are no
	// longer believed, however long the provider has been silent.
	metadataFresh = time.Hour
	metadataStale = 24 * time.Hour
	// failurePause keeps a provider that is down from being asked for every sign-in.
	failurePause = 3 * time.Second
	// maxInFlight sign-ins talk to one provider of one tenant at once: a slow one holds up nobody else.
	maxInFlight = 16
	queueWait   = 2 * time.Second
	maxKnown    = 10_000
	forgetAfter = 24 * time.Hour
	refreshStep = time.Minute
)

// errProvider is everything that is the provider's or the network's fault.
var errProvider = errors.New("the identity provider cannot be used")

// providers are those that somebody signed in with lately.
type providers struct {
	client func([]netip.Prefix) *http.Client
	now    func() time.Time
	log    *slog.Logger

	mu    sync.Mutex
	known map[providerKey]*provider
}

// providerKey has everything that a provider is made of: what an admin changes is another provider.
type providerKey struct {
	tenant, uid, issuer string
	loopback            bool
}

// provider is one identity provider of one tenant.
type provider struct {
	key      providerKey
	allowed  []netip.Prefix // that client may dial
	client   *http.Client
	now      func() time.Time
	log      *slog.Logger
	inFlight chan struct{}
	used     atomic.Int64

	mu       sync.Mutex // serialises reading the metadata, of this provider only
	failedAt time.Time
	failure  error
	metadata atomic.Pointer[metadata]
}

// metadata is what discovery said, checked.
type metadata struct {
	endpoint      oauth2.Endpoint
	userinfo      string
	algorithms    []string
	issParameter  bool
	selectAccount string // the prompt that asks for another account
	keys          *keySet
	readAt        time.Time
}

func newProviders(c Config) *providers {
	return &providers{client: c.Client, now: c.Now, log: c.Log, known: map[providerKey]*provider{}}
}

func (ps *providers) of(site *snapshot.Site, p *snapshot.IdentityProvider) *provider {
	key := providerKey{site.TenantUID, p.UID, p.Issuer, p.AllowHTTPLoopback}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	known := ps.known[key]
	if known == nil || !slices.Equal(known.allowed, site.Pool.AllowedUpstream) {
		if len(ps.known) >= maxKnown {
			ps.forget(0)
		}
		known = &provider{
			key: key, allowed: site.Pool.AllowedUpstream, client: bounded(ps.client(site.Pool.AllowedUpstream)),
			now: ps.now, log: ps.log, inFlight: make(chan struct{}, maxInFlight),
		}
		ps.known[key] = known
	}
	known.used.Store(ps.now().Unix())
	return known
}

// forget drops what nobody used for a while, or the longest unused. ps.mu is held.
func (ps *providers) forget(after time.Duration) {
	if after > 0 {
		for key, p := range ps.known {
			if ps.now().Sub(time.Unix(p.used.Load(), 0)) > after {
				delete(ps.known, key)
			}
		}
		return
	}
	var oldest *provider
	for _, p := range ps.known {
		if oldest == nil || p.used.Load() < oldest.used.Load() {
			oldest = p
		}
	}
	delete(ps.known, oldest.key)
}

// run reads metadata and keys again before they are old, so that no sign-in waits for it.
func (ps *providers) run(ctx context.Context) error {
	tick := time.NewTicker(refreshStep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		ps.refresh(ctx)
	}
}

func (ps *providers) refresh(ctx context.Context) {
	ps.mu.Lock()
	ps.forget(forgetAfter)
	var due []*provider
	for _, p := range ps.known {
		if m := p.metadata.Load(); m != nil && ps.now().Sub(m.readAt) > metadataFresh {
			due = append(due, p)
		}
	}
	ps.mu.Unlock()
	// A few at a time, so that one that hangs does not hold up all others for its five seconds.
	gate, done := make(chan struct{}, 8), sync.WaitGroup{}
	for _, p := range due {
		gate <- struct{}{}
		done.Go(func() {
			defer func() { <-gate }()
			if err := p.read(ctx); err != nil {
				p.log.WarnContext(ctx, "an identity provider's metadata cannot be refreshed", "tenant", p.key.tenant, "issuer", p.key.issuer, "err", err)
				return
			}
			if err := p.metadata.Load().keys.fetch(ctx); err != nil {
				p.log.WarnContext(ctx, "an identity provider's keys cannot be refreshed", "tenant", p.key.tenant, "issuer", p.key.issuer, "err", err)
			}
		})
	}
	done.Wait()
}

// enter takes one of the provider's places. leave gives it back.
func (p *provider) enter(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, queueWait)
	defer cancel()
	select {
	case p.inFlight <- struct{}{}:
		return func() { <-p.inFlight }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: too many sign-ins wait for it", errProvider)
	}
}

// discovered returns the metadata; it reads it only the first time, or when it is too old to be believed.
func (p *provider) discovered(ctx context.Context) (*metadata, error) {
	if m := p.metadata.Load(); m != nil && p.now().Sub(m.readAt) < metadataStale {
		return m, nil
	}
	if err := p.read(ctx); err != nil {
		return nil, err
	}
	return p.metadata.Load(), nil
}

func (p *provider) read(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.metadata.Load(); m != nil && p.now().Sub(m.readAt) < metadataFresh {
		return nil // somebody else has just read it
	}
	if p.failure != nil && p.now().Sub(p.failedAt) < failurePause {
		return p.failure
	}
	// What is learnt is for everybody who signs in here, so one client that hangs up must not make it fail. The HTTP client
	// has a time limit of its own.
	m, jwks, err := p.discover(context.WithoutCancel(ctx))
	if err != nil {
		p.failure, p.failedAt = fmt.Errorf("%w: %w", errProvider, err), p.now()
		return p.failure
	}
	p.failure = nil
	if old := p.metadata.Load(); old != nil && old.keys.url == jwks {
		m.keys = old.keys
	} else {
		m.keys = newKeySet(jwks, p.client, p.now)
	}
	p.metadata.Store(m)
	return nil
}

// signing are the algorithms that an ID token may be signed with: asymmetric ones, so that no client secret is a key.
var signing = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

func (p *provider) discover(ctx context.Context) (*metadata, string, error) {
	if err := checkURL("issuer", p.key.issuer, p.key.loopback); err != nil {
		return nil, "", err
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.key.issuer)
	if err != nil {
		return nil, "", fmt.Errorf("read its metadata: %w", shorten(err))
	}
	var doc struct {
		JWKS         string   `json:"jwks_uri"`
		Algorithms   []string `json:"id_token_signing_alg_values_supported"`
		IssParameter bool     `json:"authorization_response_iss_parameter_supported"`
		AuthMethods  []string `json:"token_endpoint_auth_methods_supported"`
		Prompts      []string `json:"prompt_values_supported"`
	}
	if err := found.Claims(&doc); err != nil {
		return nil, "", fmt.Errorf("its metadata has a field of the wrong type")
	}
	m := &metadata{
		endpoint: found.Endpoint(), userinfo: found.UserInfoEndpoint(), issParameter: doc.IssParameter,
		selectAccount: "select_account", readAt: p.now(),
	}
	for what, u := range map[string]string{"authorization endpoint": m.endpoint.AuthURL, "token endpoint": m.endpoint.TokenURL, "address of its keys": doc.JWKS} {
		if err := checkURL(what, u, p.key.loopback); err != nil {
			return nil, "", err
		}
	}
	if m.userinfo != "" {
		if err := checkURL("userinfo endpoint", m.userinfo, p.key.loopback); err != nil {
			return nil, "", err
		}
	}
	// The library's guessing would send a refused request again, with the secret elsewhere.
	m.endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(doc.AuthMethods) > 0 && !slices.Contains(doc.AuthMethods, "client_secret_basic") {
		m.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	for _, a := range doc.Algorithms {
		if slices.Contains(signing, a) {
			m.algorithms = append(m.algorithms, a)
		}
	}
	if len(doc.Algorithms) == 0 {
		m.algorithms = []string{oidc.RS256} // OpenID Connect Core §15.1: the one that everybody has
	}
	if len(m.algorithms) == 0 {
		return nil, "", errors.New("it signs ID tokens with no algorithm that is safe")
	}
	if len(doc.Prompts) > 0 && !slices.Contains(doc.Prompts, m.selectAccount) {
		m.selectAccount = "login"
	}
	return m, doc.JWKS, nil
}

// shorten keeps what a provider answered out of the log, where it could be pages long.
func shorten(err error) error {
	const limit = 200
	if text := err.Error(); len(text) > limit {
		return errors.New(text[:limit] + "…")
	}
	return err
}
