package policy

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/expression"
)

// expressionCondition is "expression".
type expressionCondition struct {
	compiled *expression.Expression
	text     string
}

// An expression that reads the time may change its mind at any moment, and is
// asked again after so long.
const expressionAge = 60 * time.Second

func (c *expressionCondition) eval(f *facts) Truth {
	if c.compiled.UsesTime() && !f.Now.IsZero() {
		f.changes(f.Now.Add(expressionAge))
	}
	r := f.runtimes.get(f)
	t := c.compiled.Eval(r)
	f.runtimes.put(r)
	return t
}

func (*expressionCondition) field() string          { return "expression" }
func (*expressionCondition) reason() Reason         { return RequireExpression }
func (c *expressionCondition) wanted() string       { return "such that " + c.text }
func (c *expressionCondition) seen(f *facts) string { return "" }

func (c *compiler) expression(text string, at path) condition {
	const field = "expression"
	if text == "" {
		return nil
	}
	compiled, issues := expression.Compile(text)
	for _, issue := range issues {
		c.suggest(at, field, issue.Hint, "line %d, column %d: %s", issue.Line, issue.Column, issue.Message)
	}
	if len(issues) > 0 {
		return nil
	}
	for _, id := range compiled.Groups() {
		c.groupNamed(id, at, field, -1)
	}
	return &expressionCondition{compiled, text}
}

// runtimes lends what expressions are evaluated on. An expression's facts are
// on the heap; a decision without expression has none there.
type runtimes struct{ pool sync.Pool }

func (p *runtimes) get(f *facts) *runtime {
	r, ok := p.pool.Get().(*runtime)
	if !ok {
		r = new(runtime)
	}
	r.Request, r.who = f.Request, f.who
	return r
}

func (p *runtimes) put(r *runtime) {
	*r = runtime{}
	p.pool.Put(r)
}

// runtime is a request as an expression sees it.
type runtime struct {
	Request
	who *Principal
}

var _ expression.Facts = (*runtime)(nil)

func (r *runtime) Text(field expression.Field) (string, bool) {
	id := &r.who.identity
	person := id.Kind == Person
	switch field {
	case expression.PrincipalKind:
		return id.Kind.String(), true
	case expression.PrincipalID:
		return id.Subject, id.Subject != "" || id.Kind == Anonymous
	case expression.PrincipalEmail:
		return r.who.email, !person || r.who.email != "" || id.Email == ""
	case expression.PrincipalDomain:
		return r.who.domain, !person || r.who.domain != "" || id.Email == ""
	case expression.PrincipalIDP:
		return id.IDP, !person || id.IDP != ""
	case expression.PrincipalServiceAccount:
		return id.ServiceAccount, true
	case expression.SessionACR:
		return id.ACR, !person || id.ACR != ""
	case expression.RequestMethod:
		return r.Method, r.Method != ""
	case expression.RequestHost:
		return r.Host, r.Host != ""
	case expression.RequestPath:
		return r.Path, r.Path != ""
	case expression.RequestOperation:
		return r.Operation, true
	case expression.SourceCountry:
		return r.Country, r.Country != ""
	}
	return "", false
}

func (r *runtime) List(field expression.Field) ([]string, bool) {
	id := &r.who.identity
	switch field {
	case expression.SessionAMR:
		return id.AMR, id.Kind != Person || id.AMR != nil
	case expression.DevicePosture:
		if r.Device == nil || r.Device.Posture == nil {
			return nil, false
		}
		var passed []string
		for check, ok := range r.Device.Posture {
			if ok {
				passed = append(passed, check)
			}
		}
		slices.Sort(passed)
		return passed, true
	}
	return nil, false
}

func (r *runtime) Flag(field expression.Field) (v, known bool) {
	if r.Device == nil {
		return false, false
	}
	t := Unknown
	switch field {
	case expression.DeviceManaged:
		t = r.Device.Managed
	case expression.DeviceCompliant:
		t = r.Device.Compliant
	}
	return t == True, t != Unknown
}

func (r *runtime) Time(field expression.Field) (time.Time, bool) {
	var at time.Time
	switch field {
	case expression.Now:
		at = r.Now
	case expression.SessionAuthTime:
		if r.who.identity.Kind == Person {
			at = r.who.identity.AuthTime
		}
	case expression.DeviceReportedAt:
		if r.Device != nil {
			at = r.Device.ReportedAt
		}
	}
	return at, !at.IsZero()
}

func (r *runtime) Address() (netip.Addr, bool) {
	return normalAddress(r.SourceIP), r.SourceIP.IsValid()
}

func (r *runtime) InGroup(id string) Truth {
	a, ok := r.who.directory.groups.ids[id]
	if !ok {
		return Unknown
	}
	return r.who.is(a)
}
