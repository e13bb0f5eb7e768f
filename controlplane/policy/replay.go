package policy

import (
	"errors"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// Target is the app and the operation that a request comes to, as an edge finds them; or why there is none.
type Target struct {
	App     string         // "" if the host is no app's
	Request policy.Request // but for who makes it
	Refused policy.Reason  // "" if rules are asked
	Routed  bool           // it leads somewhere: who is allowed and it does not gets [policy.RouteNone]
}

// Target finds what a request comes to by its host, method and path as a client sends it. What else is said of it stays.
func (s *Site) Target(q policy.Request) Target {
	app, ok := s.Host(q.Host)
	if !ok {
		return Target{Request: q, Refused: policy.RouteMisdirected}
	}
	operation, path, routed, err := app.Operation(q.Host, q.Method, q.Path)
	if err != nil {
		reason := policy.RequestMalformedTarget
		if refusal, ok := errors.AsType[*route.Refusal](err); ok {
			reason = policy.Reason(refusal.Reason)
		}
		return Target{App: app.ID, Request: q, Refused: reason}
	}
	q.Operation, q.Path = operation, path
	return Target{App: app.ID, Request: q, Routed: routed}
}

// Admits says whether somebody's credential is good: of a provider or service account that is there and not disabled. Who
// has one that is not is a stranger.
func (s *Site) Admits(id *policy.Identity) bool {
	switch id.Kind {
	case policy.Person:
		provider, ok := s.Provider(id.IDP)
		return ok && !provider.Disabled
	case policy.Machine:
		r := s.Resource(controlplane.KindServiceAccount, id.ServiceAccount)
		return r != nil && !r.Spec.(*controlplane.ServiceAccount).Disabled
	default:
		return false
	}
}

// Answer is what becomes of a request that somebody makes whose credential was good once; who is nil if it no longer is.
// Refused: the answer is a refusal that no rule is the reason of.
func (s *Site) Answer(t *Target, was policy.Kind, who *policy.Principal) (d policy.Decision, refused bool) {
	if t.Refused != "" {
		return policy.Decision{Reason: t.Refused}, true
	}
	t.Request.Principal = who
	d = s.Program.Decide(t.App, &t.Request)
	switch {
	case d.Outcome == policy.Allow && !t.Routed:
		return policy.Decision{Reason: policy.RouteNone}, true
	case d.Outcome == policy.Authenticate && who == nil && was != policy.Anonymous:
		d.Reason = policy.IdentityDisabled
	}
	return d, false
}
