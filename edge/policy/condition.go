package policy

import (
	"cmp"
	"slices"
)

// condition is a compiled clause of a rule's requirement. Each kind is a type
// with a file of its own, and has, beside these methods, eval.
type condition interface {
	field() string  // proto field, below the rule
	reason() Reason // of a REQUIRE rule of which it is false
	// In words: "<seen> is", "is not" or "is perhaps" "<wanted>".
	seen(f *facts) string
	wanted() string
}

// eval is a switch, and not a method of the interface: called through one, the
// facts would escape to the heap, and each decision would allocate them.
func eval(c condition, f *facts) Truth {
	switch c := c.(type) {
	case *networkCondition:
		return c.eval(f)
	case *countryCondition:
		return c.eval(f)
	case *windowCondition:
		return c.eval(f)
	case *startCondition:
		return c.eval(f)
	case *endCondition:
		return c.eval(f)
	case *deviceCondition:
		return c.eval(f)
	case *expressionCondition:
		return c.eval(f)
	case *providerCondition:
		return c.eval(f)
	case *memberCondition:
		return c.eval(f)
	case *authAgeCondition:
		return c.eval(f)
	case *acrCondition:
		return c.eval(f)
	case *amrCondition:
		return c.eval(f)
	}
	return Unknown
}

// requirement is the conditions of a rule, by who could change them, and in the
// order in which they are told.
type requirement struct {
	all []condition
	// Where those begin that a sign-in, and that a step-up can change.
	firstSignIn, firstStepUp uint8
}

// Nobody can change network, country, time, device and expression.
func (q *requirement) lasting() []condition { return q.all[:q.firstSignIn] }

// Another sign-in can change provider and group.
func (q *requirement) signIn() []condition { return q.all[q.firstSignIn:q.firstStepUp] }

// A step-up of this sign-in can change its age, class and methods.
func (q *requirement) stepUp() []condition { return q.all[q.firstStepUp:] }

// conditions returns all of them, in the order of their fields.
func (q *requirement) conditions() []condition {
	list := slices.Clone(q.all)
	slices.SortStableFunc(list, func(a, b condition) int {
		return cmp.Compare(slices.Index(fields, a.field()), slices.Index(fields, b.field()))
	})
	return list
}

// fields is the order in which an explanation has them.
var fields = []string{
	"conditions.source_cidrs", "conditions.countries", "conditions.time_windows", "conditions.not_before", "conditions.not_after",
	"conditions.device", "conditions.max_auth_age", "conditions.required_acr", "conditions.required_amr",
	"conditions.idps", "conditions.members_of", "expression",
}

// hold is the conjunction. It stops at the first that is false: as long as that
// is so, what the others are changes nothing.
func hold(list []condition, f *facts) Truth {
	t := True
	for _, c := range list {
		if t = min(t, eval(c, f)); t == False {
			break
		}
	}
	return t
}

// why is the reason that not all conditions hold: what is false is told before
// what is unknown.
func why(list []condition, f *facts) Reason {
	for _, c := range list {
		if eval(c, f) == False {
			return c.reason()
		}
	}
	return RequireUnknown
}

func (c *Conditions) none() bool {
	return c.SourceCIDRs == nil && c.Countries == nil && c.TimeWindows == nil && c.NotBefore.IsZero() && c.NotAfter.IsZero() &&
		c.Device == nil && c.MaxAuthAge == 0 && c.RequiredACR == nil && c.RequiredAMR == nil && c.IDPs == nil && c.MembersOf == nil
}

// requirement compiles what a rule requires.
func (c *compiler) requirement(src *Rule, at path) requirement {
	s := &src.Conditions
	return requirementOf([]condition{
		c.networks(s.SourceCIDRs, at),
		c.countries(s.Countries, at),
		c.windows(s.TimeWindows, at),
		c.notBefore(s.NotBefore),
		c.notAfter(s.NotBefore, s.NotAfter, at, "conditions.not_after"),
		c.device(s.Device, at),
		c.expression(src.Expression, at),
	}, []condition{
		c.providersOf(s.IDPs, at),
		c.membersOf(s.MembersOf, at),
	}, []condition{
		c.maxAuthAge(s.MaxAuthAge, at),
		c.classes(s.RequiredACR, at),
		c.methods(s.RequiredAMR, at),
	})
}

// requirementOf leaves out what is nil: there is no such condition.
func requirementOf(lasting, signIn, stepUp []condition) (q requirement) {
	add := func(list []condition) uint8 {
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
