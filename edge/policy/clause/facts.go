package clause

import (
	"net/netip"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/truth"
	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

// Request is the facts that a decision reads. What is left out is unknown.
type Request struct {
	Operation string         // "" if the request is none of the app's
	Principal *who.Principal // nil is anonymous
	Method    string
	Host      string
	Path      string
	SourceIP  netip.Addr
	Country   string // of SourceIP: ISO 3166-1 alpha-2, upper case; or AnyCountry
	Device    *Device
	Now       time.Time
	NotBefore time.Time // if Now is unknown: it is no earlier
}

// AnyCountry is the country of a request that may come from anywhere. It is less
// than "", which is an address whose country nobody knows: rules can name that.
const AnyCountry = "*"

// Device is what was reported of the device that a request comes from.
type Device struct {
	Managed    truth.Value
	Compliant  truth.Value
	Posture    map[string]bool // by check: whether it passes; a check that is not there is unknown
	ReportedAt time.Time
}

// Facts is what clauses are evaluated on. It also notes when that has to be done
// again because time has passed.
type Facts struct {
	Request // a copy: expressions keep theirs on the heap, and where a pointer leads would be there too
	Who     *who.Principal
	Lender  *Lender // of what expressions are evaluated on
	until   time.Time
	address address // SourceIP, once a network was looked at
}

// Stranger says whether nobody knows who asks.
func (f *Facts) Stranger() bool { return f.Who.Identity().Kind == who.Anonymous }

// Person says whether a person asks.
func (f *Facts) Person() bool { return f.Who.Identity().Kind == who.Person }

// Machine says whether a service account asks.
func (f *Facts) Machine() bool { return f.Who.Identity().Kind == who.Machine }

// Until is the earliest instant at which a clause that was looked at may change;
// zero if none does.
func (f *Facts) Until() time.Time { return f.until }

// Before says whether it is before an instant.
func (f *Facts) Before(at time.Time) truth.Value {
	if f.Now.IsZero() {
		if !f.NotBefore.IsZero() && !f.NotBefore.Before(at) {
			return truth.False
		}
		return truth.Unknown
	}
	f.changes(at)
	return truth.Of(f.Now.Before(at))
}

// changes notes an instant at which a clause that is looked at may change.
func (f *Facts) changes(at time.Time) {
	if at.After(f.Now) && (f.until.IsZero() || at.Before(f.until)) {
		f.until = at
	}
}

// within says whether something that was at an instant is at most so old. What
// lies in the future was just now: clocks differ.
func (f *Facts) within(at time.Time, most time.Duration) truth.Value {
	if at.IsZero() || f.Now.IsZero() {
		return truth.Unknown
	}
	last := at.Add(most)
	f.changes(last.Add(1)) // at the last instant it still is
	return truth.Of(!f.Now.After(last))
}
