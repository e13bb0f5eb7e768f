package policy

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// Site is a tenant's resources as an edge has them: compiled, with the way from a request to its app and operation. It is
// immutable.
type Site struct {
	Program *policy.Program
	Source  policy.Source

	apps      map[string]*App
	hosts     map[string]*App
	providers map[string]*controlplane.IdentityProvider
}

// App is an app of a [Site].
type App struct {
	ID    string
	Spec  *controlplane.App
	table *route.Table
}

// NewSite compiles resources of [Kinds]. What is not understood is closed, as at an edge.
func NewSite(resources []*controlplane.Resource) *Site {
	s := &Site{
		Source: Source(resources), apps: map[string]*App{}, hosts: map[string]*App{},
		providers: map[string]*controlplane.IdentityProvider{},
	}
	s.Program, _ = policy.Compile(s.Source)
	for _, r := range resources {
		switch spec := r.Spec.(type) {
		case *controlplane.App:
			app := &App{ID: r.ID, Spec: spec}
			app.table, _ = route.Compile(routes(spec))
			s.apps[r.ID] = app
			for _, host := range spec.Hosts {
				s.hosts[host] = app
			}
		case *controlplane.IdentityProvider:
			s.providers[r.ID] = spec
		}
	}
	return s
}

// App returns an app by id.
func (s *Site) App(id string) (*App, bool) {
	app, ok := s.apps[id]
	return app, ok
}

// Host returns the app that answers under a host.
func (s *Site) Host(host string) (*App, bool) {
	app, ok := s.hosts[host]
	return app, ok
}

// Apps returns the ids of all apps, in order.
func (s *Site) Apps() []string {
	ids := make([]string, 0, len(s.apps))
	for id := range s.apps {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Provider returns an identity provider by id.
func (s *Site) Provider(id string) (*controlplane.IdentityProvider, bool) {
	p, ok := s.providers[id]
	return p, ok
}

// Owns reports whether an address is within the domains of a provider, so that rules may name it.
func (s *Site) Owns(provider, email string) bool {
	p, ok := s.providers[provider]
	_, domain, is := strings.Cut(email, "@")
	return ok && is && slices.ContainsFunc(p.EmailDomains, func(d string) bool { return strings.EqualFold(d, domain) })
}

// Operation returns the operation that a request is, "" if none, and the path as it is matched. The error is a
// *[route.Refusal].
func (a *App) Operation(host, method, target string) (operation, path string, routed bool, err error) {
	canonical, err := route.Canonical(target, route.Options{
		AllowEncodedSlash: a.Spec.AllowEncodedSlash, AllowSemicolon: a.Spec.AllowSemicolon, MergeSlashes: a.Spec.MergeSlashes,
	})
	if err != nil {
		return "", "", false, err
	}
	operation, _ = a.table.Operation(host, method, canonical)
	_, routed = a.table.Route(canonical)
	return operation, canonical.Match, routed, nil
}

func routes(app *controlplane.App) route.Spec {
	spec := route.Spec{Hosts: app.Hosts}
	for _, r := range app.Routes {
		spec.Routes = append(spec.Routes, r.Path)
	}
	for _, o := range app.Operations {
		spec.Operations = append(spec.Operations, route.Operation{ID: o.ID, Methods: o.Methods, Paths: o.Paths, Hosts: o.Hosts})
	}
	return spec
}

// Operations returns the ids of an app's operations.
func (a *App) Operations() []string {
	if len(a.Spec.Operations) == 0 {
		return []string{route.DefaultRead, route.DefaultWrite}
	}
	var ids []string
	for _, o := range a.Spec.Operations {
		ids = append(ids, o.ID)
	}
	return ids
}

// Has reports whether the app has an operation.
func (a *App) Has(operation string) bool { return slices.Contains(a.Operations(), operation) }

// HasServiceAccount reports whether there is a service account.
func (s *Site) HasServiceAccount(id string) bool {
	return slices.Contains(s.Source.ServiceAccounts, id)
}

// Claims returns the values of a provider's groups claim that groups have as members.
func (s *Site) Claims(provider string) []string {
	var names []string
	for _, g := range s.Source.Groups {
		for _, m := range g.Members {
			if m.IDPGroup.IDP == provider && m.IDPGroup.Name != "" && !slices.Contains(names, m.IDPGroup.Name) {
				names = append(names, m.IDPGroup.Name)
			}
		}
	}
	return names
}
