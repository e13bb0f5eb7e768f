package clause

import (
	"slices"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/expression"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/who"
	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// Limits of a rule, beside those of expressions.
const (
	MaxNetworks   = 10_000
	MaxWindows    = window.Max
	MaxExpression = expression.MaxSource // bytes
	maxCountries  = 300
	maxValues     = 256 // of any other list
	maxName       = 320 // bytes
)

// Conditions must all hold. Nil means that there is no such condition; empty
// and not nil is refused, because empty is never "everything".
type Conditions struct {
	SourceCIDRs []string         // the source address is in one of them
	Countries   []string         // of the source address: ISO 3166-1 alpha-2, or "unknown"
	TimeWindows []window.Window  // in one of them
	NotBefore   time.Time        // from this instant
	NotAfter    time.Time        // until just before this instant
	Device      *DeviceCondition // all that it names
	MaxAuthAge  time.Duration    // signed in at most so long ago
	RequiredACR []string         // signed in with any of these authentication context classes
	RequiredAMR []string         // signed in with all of these authentication methods
	IDPs        []string         // signed in at one of them
	MembersOf   []string         // in one of these groups
}

// DeviceCondition is what a device must be. It names at least one thing.
type DeviceCondition struct {
	Managed      bool
	Compliant    bool
	Posture      []string      // checks that it passes
	MaxReportAge time.Duration // what is known of it was reported at most so long ago
}

// UnknownCountry in [Conditions] stands for addresses whose country is unknown.
const UnknownCountry = "unknown"

// None says whether there are no conditions.
func (s *Conditions) None() bool {
	return s.SourceCIDRs == nil && s.Countries == nil && s.TimeWindows == nil && s.NotBefore.IsZero() && s.NotAfter.IsZero() &&
		s.Device == nil && s.MaxAuthAge == 0 && s.RequiredACR == nil && s.RequiredAMR == nil && s.IDPs == nil && s.MembersOf == nil
}

// Compiler compiles what rules require.
type Compiler struct {
	Problems *problem.List
	// Provider and Group resolve an id, an item of a field (or, at -1, all of it),
	// or add a problem.
	Provider, Group func(id string, at problem.Path, field string, i int) (who.Atom, bool)

	expressions map[string]*expression.Expression // those that were compiled before: many rules say the same
}

// Requirement compiles conditions and the text of an expression, "" being none. What has a
// problem is left out.
func (c *Compiler) Requirement(s *Conditions, text string, at problem.Path) Requirement {
	return requirement([]Clause{
		c.networks(s.SourceCIDRs, at),
		c.countries(s.Countries, at),
		c.windows(s.TimeWindows, at),
		c.notBefore(s.NotBefore),
		c.notAfter(s.NotBefore, s.NotAfter, at, "conditions.not_after"),
		c.device(s.Device, at),
		c.expression(text, at),
	}, []Clause{
		c.providers(s.IDPs, at),
		c.members(s.MembersOf, at),
	}, []Clause{
		c.maxAuthAge(s.MaxAuthAge, at),
		c.classes(s.RequiredACR, at),
		c.methods(s.RequiredAMR, at),
	})
}

// Period is the requirement of what is from an instant, zero being always, until
// just before another.
func (c *Compiler) Period(start, end time.Time, at problem.Path) Requirement {
	return requirement([]Clause{c.notBefore(start), c.notAfter(start, end, at, "not_after")}, nil, nil)
}

// requirement leaves out what is nil: there is no such condition.
func requirement(lasting, signIn, stepUp []Clause) (q Requirement) {
	add := func(list []Clause) uint8 {
		for _, c := range list {
			if c != nil {
				q.all = append(q.all, c)
			}
		}
		return uint8(len(q.all))
	}
	q.firstSignIn = add(lasting)
	q.firstStepUp = add(signIn)
	add(stepUp)
	q.all = slices.Clip(q.all)
	return q
}
