package dev

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/idp"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/serve"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/supervise"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/upstream"
	"github.com/sallyport-iap/sallyport/cmd/sallyport/internal/dev/upstream/assertion"
)

// clientID is that of the edges at the directory; the demo's resources say it too.
const clientID = "sallyport"

func (c Config) clientSecretFile() string { return c.path("idp-client-secret") }

// openDirectory makes the identity provider, and puts its client's secret where the demo's resources look for it.
func (c Config) openDirectory() (*idp.Provider, error) {
	var redirects []string
	for _, t := range tenants() {
		for _, e := range c.edges() {
			redirects = append(redirects, e.url(t.host("auth"))+"/.sallyport/oidc/callback")
		}
	}
	provider, err := idp.New(idp.Config{
		Issuer: c.issuer(), StateFile: c.path("idp.json"), ClientID: clientID, RedirectURIs: redirects,
	})
	if err != nil {
		return nil, err
	}
	return provider, writeFile(c.clientSecretFile(), []byte(provider.ClientSecret()))
}

// inProcess listens at once, so that a port that was taken since we looked is a fault and not a restart for ever.
func (e *engine) inProcess(ctx context.Context, name, flag string, port int, handler http.Handler) (supervise.Part, error) {
	listener, err := serve.Listen(ctx, port)
	if err != nil {
		return supervise.Part{}, fmt.Errorf("%s (%s): %w", name, flag, err)
	}
	return supervise.Part{Name: name, Run: supervise.Server(listener, handler, e.log)}, nil
}

// apps returns the handlers of what is behind the edges: the wiki of every tenant on one port, told apart by host as
// usual, and the JSON API. Somebody who asks the port for another host gets the first wiki, which refuses.
func (e *engine) apps(caFile string) (wiki, api http.Handler) {
	wikis, first := map[string]http.Handler{}, tenants()[0]
	for _, t := range tenants() {
		wikis[t.host("wiki")] = upstream.Wiki(e.upstream(t, "wiki", caFile))
	}
	wiki = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		handler, ok := wikis[host]
		if !ok {
			handler = wikis[first.host("wiki")]
		}
		handler.ServeHTTP(w, r)
	})
	return wiki, upstream.API(e.upstream(first, "api", caFile))
}

func (e *engine) upstream(t tenant, app, caFile string) upstream.Config {
	var issuers, keys []string
	for _, at := range e.config.edges() {
		issuers = append(issuers, at.url(t.host("auth")))
		keys = append(keys, at.url(t.host(app))+"/.sallyport/jwks.json")
	}
	return upstream.Config{
		Verifier: assertion.New(assertion.Config{
			Issuers: issuers, Audience: "tenants/" + t.id + "/apps/" + app, Keys: assertion.NewKeys(caFile, keys...),
		}),
		PublicHost: t.host(app), Log: e.log,
	}
}
