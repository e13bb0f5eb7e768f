package policy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
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

// Asked is a question as the evaluator takes it.
type Asked struct {
	App     string
	Request policy.Request
	// Before is what an edge answers before it asks the evaluator: the address is no request's, or the credential is no
	// longer good. Detail says why, in words.
	Before *policy.Decision
	Detail string
	Notes  []string // what the answer cannot say
}

// QuestionError is a question that cannot be asked, and the field that is at fault.
type QuestionError struct {
	Field string
	controlplane.Violation
}

func (e *QuestionError) Error() string { return e.Description }

// Ask finds the app and the operation that a request is, as an edge does, and who makes it. The error is a
// *[QuestionError], for whoever wrote the question.
func (s *Site) Ask(q *Question) (*Asked, error) {
	a := &Asked{Request: policy.Request{Method: q.Method, Host: q.Host, Country: q.Country, Now: q.Time}}
	if q.SourceIP != "" {
		ip, err := netip.ParseAddr(q.SourceIP)
		if err != nil {
			return nil, invalid("source_ip", "%q is not an address", q.SourceIP)
		}
		a.Request.SourceIP = ip.Unmap()
	}
	app, err := s.askedApp(q)
	if err != nil {
		return nil, err
	}
	a.App = app.ID
	if a.Request.Host == "" && len(app.Spec.Hosts) == 1 {
		a.Request.Host = app.Spec.Hosts[0]
	}
	if err := a.findOperation(app, q); err != nil {
		return nil, err
	}
	who, err := s.identify(&q.Who, a)
	if err != nil {
		return nil, err
	}
	a.Request.Principal = s.Program.Resolve(who)
	return a, nil
}

// Meet finds who makes a request, whatever it is: what is returned has neither app nor operation.
func (s *Site) Meet(who *Principal) (*Asked, error) {
	a := &Asked{}
	id, err := s.identify(who, a)
	if err != nil {
		return nil, err
	}
	a.Request.Principal = s.Program.Resolve(id)
	return a, nil
}

// Decide answers a question as an edge does.
func (s *Site) Decide(a *Asked) policy.Decision {
	if a.Before != nil {
		return *a.Before
	}
	return s.Program.Decide(a.App, &a.Request)
}

func (s *Site) askedApp(q *Question) (*App, error) {
	if q.Host == "" {
		if q.App == "" {
			return nil, invalid("app", "say an app or a host")
		}
		app, ok := s.App(q.App)
		if !ok {
			return nil, s.UnknownApp(q.App)
		}
		return app, nil
	}
	host, err := route.Hostname(q.Host)
	if err != nil {
		return nil, invalid("host", "%q is not a host name", q.Host)
	}
	app, ok := s.Host(host)
	switch {
	case !ok:
		return nil, invalid("host", "no app has the host %q", host)
	case q.App != "" && q.App != app.ID:
		return nil, invalid("host", "%q is a host of the app %q", host, app.ID)
	}
	return app, nil
}

func (a *Asked) findOperation(app *App, q *Question) error {
	if q.Path == "" {
		if q.Operation == "" {
			return invalid("operation", "say an operation or a path")
		}
		a.Request.Operation = q.Operation
		if !app.Has(q.Operation) {
			return app.UnknownOperation(q.Operation)
		}
		return nil
	}
	a.Request.Method = cmp.Or(q.Method, "GET")
	if a.Request.Host == "" && len(app.Spec.Hosts) > 0 {
		return invalid("host", "app %q has several hosts: say which", app.ID)
	}
	path, err := app.canonical(q.Path)
	if refused, ok := errors.AsType[*route.Refusal](err); ok {
		a.Before, a.Detail = &policy.Decision{Outcome: policy.Deny, Reason: policy.Reason(refused.Reason)}, refused.Detail
		return nil
	}
	if route.Reserved(path) {
		return invalid("path", "%s is a path of Sallyport's own, which no policy bears on", path.Match)
	}
	operation, _ := app.table().Operation(a.Request.Host, a.Request.Method, path)
	if q.Operation != "" && q.Operation != operation {
		return invalid("operation", "%s %s is the operation %q", a.Request.Method, q.Path, operation)
	}
	a.Request.Operation, a.Request.Path = operation, path.Match
	if _, routed := app.table().Route(path); !routed {
		a.note("No route of the app leads anywhere from this path: who is allowed gets 404 route.none.")
	}
	return nil
}

func (a *Asked) note(format string, args ...any) {
	a.Notes = append(a.Notes, fmt.Sprintf(format, args...))
}

func invalid(field, format string, args ...any) error {
	return &QuestionError{field, controlplane.Violation{Reason: controlplane.ReasonFieldInvalid, Description: fmt.Sprintf(format, args...)}}
}

// UnknownApp is the error of an id that no app has, in the field app.
func (s *Site) UnknownApp(id string) error {
	return missing("app", id, s.Apps(), "app %q does not exist")
}

// UnknownOperation is the error of an id that no operation of the app has, in the field operation.
func (a *App) UnknownOperation(id string) error {
	return missing("operation", id, a.Operations(), "the app has no operation %q")
}

func missing(field, id string, known []string, format string) error {
	return &QuestionError{field, controlplane.Violation{
		Reason: controlplane.ReasonReferenceNotFound, Suggestion: controlplane.Nearest(id, known), Description: fmt.Sprintf(format, id),
	}}
}
