package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// Question is a request as edges ask the program about it.
type Question struct {
	App     string
	Request policy.Request
	// Before is what an edge answers before it asks: the address is no request's, or the credential no longer good.
	Before *policy.Decision
}

// Question finds the app and the operation that a request is, as an edge does, and who makes it. What is not said is
// unknown. The error is for whoever wrote the request.
func (s *Site) Question(who *controlplane.TestPrincipal, what *controlplane.TestRequest) (*Question, error) {
	app, host, err := s.target(what)
	if err != nil {
		return nil, err
	}
	q := &Question{App: app.ID, Request: policy.Request{
		Method: orDefault(what.Method, "GET"), Host: host, Country: what.Country, Now: instant(what.Time),
	}}
	if what.SourceIP != "" {
		if q.Request.SourceIP, err = netip.ParseAddr(what.SourceIP); err != nil {
			return nil, fmt.Errorf("%q is not an address", what.SourceIP)
		}
	}
	path, err := app.canonical(orDefault(what.Path, "/"))
	if refusal, ok := errors.AsType[*route.Refusal](err); ok {
		q.Before = &policy.Decision{Outcome: policy.Deny, Reason: policy.Reason(refusal.Reason)}
		return q, nil
	}
	if route.Reserved(path) {
		return nil, fmt.Errorf("%s is a path of Sallyport's own, which no policy bears on", path.Match)
	}
	q.Request.Path = path.Match
	q.Request.Operation, _ = app.table().Operation(host, q.Request.Method, path)
	identity, disabled, err := s.identity(who, q.Request.Now)
	if err != nil {
		return nil, err
	}
	if disabled {
		q.Before = &policy.Decision{Outcome: policy.Authenticate, Reason: policy.IdentityDisabled}
	}
	q.Request.Principal = s.Program.Resolve(identity)
	return q, nil
}

// Decide answers a question as an edge does.
func (s *Site) Decide(q *Question) policy.Decision {
	if q.Before != nil {
		return *q.Before
	}
	return s.Program.Decide(q.App, &q.Request)
}

func (s *Site) target(what *controlplane.TestRequest) (app *App, host string, err error) {
	if what.App == "" {
		host, err := route.Hostname(what.Host)
		if err != nil {
			return nil, "", fmt.Errorf("%q is not a host name", what.Host)
		}
		if app, ok := s.Host(host); ok {
			return app, host, nil
		}
		return nil, "", fmt.Errorf("no app has the host %q", what.Host)
	}
	app, ok := s.App(what.App)
	if !ok {
		return nil, "", fmt.Errorf("there is no app %q", what.App)
	}
	if len(app.Spec.Hosts) > 0 {
		host = app.Spec.Hosts[0]
	}
	return app, host, nil
}

// identity is what an edge would know of somebody. Who is signed in at a provider that is disabled, or is a service
// account that is, has a credential that is no longer good.
func (s *Site) identity(who *controlplane.TestPrincipal, now time.Time) (id policy.Identity, disabled bool, err error) {
	switch {
	case who == nil:
	case who.User != nil:
		return s.person(who.User, now)
	case who.ServiceAccount != "":
		r := s.Resource(controlplane.KindServiceAccount, who.ServiceAccount)
		if r == nil {
			return id, false, fmt.Errorf("there is no service account %q", who.ServiceAccount)
		}
		subject := "serviceAccount:" + r.ID
		return policy.Identity{Kind: policy.Machine, ServiceAccount: r.ID, Subject: subject}, r.Spec.(*controlplane.ServiceAccount).Disabled, nil
	}
	return id, false, nil
}

func (s *Site) person(user *controlplane.TestUser, now time.Time) (id policy.Identity, disabled bool, err error) {
	provider, ok := s.Provider(user.IDP)
	if !ok {
		return id, false, fmt.Errorf("there is no identity provider %q", user.IDP)
	}
	id = policy.Identity{
		Kind: policy.Person, IDP: user.IDP, Email: user.Email, EmailVerified: true, EmailDomainOwned: s.Owns(user.IDP, user.Email),
		Groups: user.ClaimGroups, GroupsComplete: true, ACR: user.ACR, AMR: user.AMR,
	}
	if user.AuthAge != nil && !now.IsZero() {
		id.AuthTime = now.Add(-time.Duration(*user.AuthAge))
	}
	return id, provider.Disabled, nil
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
