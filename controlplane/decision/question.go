package decision

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// Question is a request that somebody might make. A fact that is left out is unknown.
type Question struct {
	App       string // or Host
	Operation string // or Method and Path
	Method    string
	Host      string
	Path      string // as a client sends it
	SourceIP  string
	Country   string
	Time      time.Time
	Who       Principal
}

// Principal is who asks: a person, a service account, or a stranger.
type Principal struct {
	ServiceAccount string
	Person         *Person
}

// Person is somebody who has signed in.
type Person struct {
	Subject, Provider, Email string
	EmailVerified            bool
	Groups                   []string // values of the provider's claim
	GroupsComplete           bool
	GroupsAbsent             []string
	AuthTime                 time.Time
	ACR                      string
	AMR                      []string // nil is unknown
	Asked                    Asked
}

// Asked is what the provider was asked for by a step-up that came back.
type Asked = engine.Asked

// asked is a question as the evaluator takes it.
type asked struct {
	engine.Request
	app     string
	refusal *Refusal // instead: no rule is asked
	notes   []string
}

// read finds the app and the operation as an edge does, and who asks.
func (q *Question) read(site *policy.Site, now time.Time) (*asked, error) {
	a := &asked{Request: engine.Request{Method: q.Method, Host: q.Host, Country: q.Country, Now: q.Time}}
	if a.Now.IsZero() {
		a.Now = now
	}
	if q.SourceIP != "" {
		ip, err := netip.ParseAddr(q.SourceIP)
		if err != nil {
			return nil, invalid("source_ip", "is not an address")
		}
		a.SourceIP = ip.Unmap()
	}
	app, err := q.findApp(site)
	if err != nil {
		return nil, err
	}
	a.app = app.ID
	if a.Host == "" && len(app.Spec.Hosts) == 1 {
		a.Host = app.Spec.Hosts[0]
	}
	if err := q.findOperation(app, a); err != nil {
		return nil, err
	}
	who, err := q.identity(site, a)
	if err != nil {
		return nil, err
	}
	a.Principal = site.Program.Resolve(who)
	return a, nil
}

func (q *Question) findApp(site *policy.Site) (*policy.App, error) {
	if q.Host != "" {
		host, err := route.Hostname(q.Host)
		if err != nil {
			return nil, invalid("host", "is not a host name")
		}
		app, ok := site.Host(host)
		switch {
		case !ok:
			return nil, invalid("host", fmt.Sprintf("no app has the host %q", host))
		case q.App != "" && q.App != app.ID:
			return nil, invalid("host", fmt.Sprintf("%q is a host of the app %q", host, app.ID))
		}
		return app, nil
	}
	if q.App == "" {
		return nil, invalid("app", "say an app or a host")
	}
	app, ok := site.App(q.App)
	if !ok {
		return nil, missing("app", q.App, site.Apps(), "app %q does not exist")
	}
	return app, nil
}

func (q *Question) findOperation(app *policy.App, a *asked) error {
	if q.Path == "" {
		if q.Operation == "" {
			return invalid("operation", "say an operation or a path")
		}
		a.Operation = q.Operation
		if !app.Has(q.Operation) {
			return missing("operation", q.Operation, app.Operations(), "the app has no operation %q")
		}
		return nil
	}
	a.Method = cmp.Or(q.Method, http.MethodGet)
	if a.Host == "" {
		return invalid("host", fmt.Sprintf("app %q has several hosts: say which", app.ID))
	}
	operation, path, routed, err := app.Operation(a.Host, a.Method, q.Path)
	if refused, ok := errors.AsType[*route.Refusal](err); ok {
		a.refusal = &Refusal{Reason: engine.Reason(refused.Reason), Detail: refused.Detail}
		return nil
	}
	if q.Operation != "" && q.Operation != operation {
		return invalid("operation", fmt.Sprintf("%s %s is the operation %q", a.Method, q.Path, operation))
	}
	a.Operation, a.Path = operation, path
	if !routed {
		a.notes = append(a.notes, "No route of the app leads anywhere from this path: who is allowed gets 404 route.none.")
	}
	return nil
}

func (q *Question) identity(site *policy.Site, a *asked) (engine.Identity, error) {
	if id := q.Who.ServiceAccount; id != "" {
		if !site.HasServiceAccount(id) {
			return engine.Identity{}, missing("service_account", id, site.Source.ServiceAccounts, "service account %q does not exist")
		}
		return engine.Identity{Kind: engine.Machine, Subject: "serviceAccount:" + id, ServiceAccount: id}, nil
	}
	p := q.Who.Person
	if p == nil {
		return engine.Identity{}, nil
	}
	who := engine.Identity{
		Kind: engine.Person, Subject: p.Subject, IDP: p.Provider, Email: p.Email, EmailVerified: p.EmailVerified,
		EmailDomainOwned: site.Owns(p.Provider, p.Email),
		Groups:           p.Groups, GroupsComplete: p.GroupsComplete, GroupsAbsent: p.GroupsAbsent,
		AuthTime: p.AuthTime, ACR: p.ACR, AMR: p.AMR, Asked: p.Asked,
	}
	if p.Provider == "" {
		a.notes = append(a.notes, "Where the person signed in is not said, so it is unknown which groups of providers they are in.")
		return who, nil
	}
	provider, ok := site.Provider(p.Provider)
	switch {
	case !ok:
		return who, missing("person.identity_provider", p.Provider, site.Source.Providers, "identity provider %q does not exist")
	case provider.Disabled:
		a.notes = append(a.notes, fmt.Sprintf("%s is disabled: nobody is signed in by it.", p.Provider))
	case len(provider.EmailDomains) == 0 && p.Email != "":
		a.notes = append(a.notes, fmt.Sprintf("%s has no email_domains, so rules cannot name people by their address.", p.Provider))
	case len(provider.EmailDomains) > 0 && (!who.EmailVerified || !who.EmailDomainOwned):
		a.notes = append(a.notes, fmt.Sprintf("%s would not sign this person in: the address is not verified, or not within its email_domains.", p.Provider))
	}
	return who, nil
}

func invalid(field, description string) error {
	return controlplane.InvalidFields(controlplane.Violation{
		Field: "question." + field, Reason: controlplane.ReasonFieldInvalid, Description: description,
	})
}

func missing(field, id string, known []string, format string) error {
	return controlplane.InvalidFields(controlplane.Violation{
		Field: "question." + field, Reason: controlplane.ReasonReferenceNotFound, Suggestion: controlplane.Nearest(id, known),
		Description: fmt.Sprintf(format, id),
	})
}
