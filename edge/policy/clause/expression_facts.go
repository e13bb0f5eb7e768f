package clause

import (
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/expression"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

// Lender lends what expressions are evaluated on. An expression's facts are
// on the heap; a decision without expression has none there.
type Lender struct{ pool sync.Pool }

func (p *Lender) get(f *Facts) *expressionFacts {
	r, ok := p.pool.Get().(*expressionFacts)
	if !ok {
		r = new(expressionFacts)
	}
	r.Request, r.who = f.Request, f.Who
	return r
}

func (p *Lender) put(r *expressionFacts) {
	*r = expressionFacts{}
	p.pool.Put(r)
}

// expressionFacts is a request as an expression sees it.
type expressionFacts struct {
	Request
	who    *who.Principal
	asked  bool     // for the posture of the device; a loop may do so often
	passed []string // by which it passes these checks, in order
}

var _ expression.Facts = (*expressionFacts)(nil)

func (r *expressionFacts) Text(field expression.Field) (string, bool) {
	id := r.who.Identity()
	person := id.Kind == who.Person
	switch field {
	case expression.PrincipalKind:
		return id.Kind.String(), true
	case expression.PrincipalID:
		return id.Subject, id.Subject != "" || id.Kind == who.Anonymous
	case expression.PrincipalEmail:
		email, _ := r.who.Address()
		return email, !person || email != ""
	case expression.PrincipalDomain:
		_, domain := r.who.Address()
		return domain, !person || domain != ""
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
		return r.Country, r.Country != "" && r.Country != AnyCountry
	}
	return "", false
}

func (r *expressionFacts) List(field expression.Field) ([]string, bool) {
	id := r.who.Identity()
	switch field {
	case expression.SessionAMR:
		return id.AMR, id.Kind != who.Person || id.AMR != nil
	case expression.DevicePosture:
		if r.Device == nil || r.Device.Posture == nil {
			return nil, false
		}
		if !r.asked {
			for check, ok := range r.Device.Posture {
				if ok {
					r.passed = append(r.passed, check)
				}
			}
			slices.Sort(r.passed)
			r.asked = true
		}
		return r.passed, true
	}
	return nil, false
}

func (r *expressionFacts) Flag(field expression.Field) (v, known bool) {
	if r.Device == nil {
		return false, false
	}
	t := truth.Unknown
	switch field {
	case expression.DeviceManaged:
		t = r.Device.Managed
	case expression.DeviceCompliant:
		t = r.Device.Compliant
	}
	return t == truth.True, t != truth.Unknown
}

func (r *expressionFacts) Time(field expression.Field) (time.Time, bool) {
	var at time.Time
	switch field {
	case expression.Now:
		at = r.Now
	case expression.SessionAuthTime:
		if r.who.Identity().Kind == who.Person {
			at = r.who.Identity().AuthTime
		}
	case expression.DeviceReportedAt:
		if r.Device != nil {
			at = r.Device.ReportedAt
		}
	}
	return at, !at.IsZero()
}

func (r *expressionFacts) Address() (netip.Addr, bool) {
	return normalAddress(r.SourceIP), r.SourceIP.IsValid()
}

func (r *expressionFacts) InGroup(id string) truth.Value { return r.who.In(id) }

// show writes a fact for people.
func (r *expressionFacts) show(field expression.Field) string {
	if v, ok := r.Text(field); ok {
		return problem.Quote(v)
	}
	if v, ok := r.List(field); ok {
		return AllOf(v)
	}
	if v, ok := r.Flag(field); ok {
		return strconv.FormatBool(v)
	}
	if v, ok := r.Time(field); ok {
		return instantText(v)
	}
	if v, ok := r.Address(); ok && field == expression.SourceIP {
		return v.String()
	}
	return "unknown"
}
