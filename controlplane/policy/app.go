package policy

import (
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// App is an app of a [Site].
type App struct {
	ID    string
	Spec  *controlplane.App
	table func() *route.Table
}

func newApp(id string, spec *controlplane.App) *App {
	return &App{ID: id, Spec: spec, table: sync.OnceValue(func() *route.Table {
		filled := *spec
		filled.Operations = Operations(spec)
		table, _ := route.Compile(routes(&filled))
		return table
	})}
}

// App returns an app by id.
func (s *Site) App(id string) (*App, bool) {
	t := s.thing(controlplane.KindApp, id)
	if t == nil {
		return nil, false
	}
	return t.app, true
}

// Host returns the app that answers under a host.
func (s *Site) Host(host string) (*App, bool) {
	app, ok := s.hosts()[host]
	return app, ok
}

func (s *Site) byHost() map[string]*App {
	hosts := map[string]*App{}
	for _, t := range s.of[controlplane.KindApp] {
		for _, h := range t.app.Spec.Hosts {
			hosts[h] = t.app
		}
	}
	return hosts
}

// Apps returns the ids of all apps, in order.
func (s *Site) Apps() []string { return ids(s.of[controlplane.KindApp]) }

// Provider returns an identity provider by id.
func (s *Site) Provider(id string) (*controlplane.IdentityProvider, bool) {
	r := s.Resource(controlplane.KindIdentityProvider, id)
	if r == nil {
		return nil, false
	}
	return r.Spec.(*controlplane.IdentityProvider), true
}

// Owns reports whether an address is within the domains of a provider, so that rules may name it.
func (s *Site) Owns(provider, email string) bool {
	p, ok := s.Provider(provider)
	_, domain, _ := strings.Cut(email, "@")
	return ok && slices.ContainsFunc(p.EmailDomains, func(d string) bool { return policy.SameDomain(d, domain) })
}

// HasServiceAccount reports whether there is a service account.
func (s *Site) HasServiceAccount(id string) bool {
	return s.thing(controlplane.KindServiceAccount, id) != nil
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

// Operation returns the operation that a request is, "" if none, and the path as it is matched. The error is a
// *[route.Refusal].
func (a *App) Operation(host, method, target string) (operation, path string, routed bool, err error) {
	canonical, err := a.canonical(target)
	if err != nil {
		return "", "", false, err
	}
	operation, _ = a.table().Operation(host, method, canonical)
	_, routed = a.table().Route(canonical)
	return operation, canonical.Match, routed, nil
}

func (a *App) canonical(target string) (route.Path, error) {
	return route.Canonical(target, route.Options{
		AllowEncodedSlash: a.Spec.AllowEncodedSlash, AllowSemicolon: a.Spec.AllowSemicolon, MergeSlashes: a.Spec.MergeSlashes,
	})
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
	var ids []string
	for _, o := range Operations(a.Spec) {
		ids = append(ids, o.ID)
	}
	return ids
}

// Has reports whether the app has an operation.
func (a *App) Has(operation string) bool { return slices.Contains(a.Operations(), operation) }
