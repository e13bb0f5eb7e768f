package clause

import (
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// Clause is a compiled condition, or an expression. Each kind has, beside these
// methods, eval.
type Clause interface {
	Field() string // proto field, below the rule
	// In words: "<seen> is", "is not" or "is perhaps" "<wanted>".
	Seen(f *Facts) string
	Wanted() string
}

// Eval says what a clause is. It is a switch, and not a method of the interface:
// called through one, the facts would escape to the heap, and each decision
// would allocate them.
func Eval(c Clause, f *Facts) truth.Value {
	switch c := c.(type) {
	case *network:
		return c.eval(f)
	case *country:
		return c.eval(f)
	case *windows:
		return c.eval(f)
	case *start:
		return c.eval(f)
	case *end:
		return c.eval(f)
	case *device:
		return c.eval(f)
	case *expr:
		return c.eval(f)
	case *provider:
		return c.eval(f)
	case *member:
		return c.eval(f)
	case *authAge:
		return c.eval(f)
	case *acr:
		return c.eval(f)
	case *amr:
		return c.eval(f)
	}
	return truth.Unknown
}

// Hold is the conjunction. It stops at the first that is false: as long as that
// is so, what the others are changes nothing.
func Hold(list []Clause, f *Facts) truth.Value {
	t := truth.True
	for _, c := range list {
		if t = min(t, Eval(c, f)); t == truth.False {
			break
		}
	}
	return t
}

// Failing returns the field of the first that is false, or "".
func Failing(list []Clause, f *Facts) string {
	for _, c := range list {
		if Eval(c, f) == truth.False {
			return c.Field()
		}
	}
	return ""
}

// Requirement is the clauses of a rule, by who could change them, and in the
// order in which they are told.
type Requirement struct {
	all []Clause
	// Where those begin that a sign-in, and that a step-up can change.
	firstSignIn, firstStepUp uint8
}

// Lasting are those that nobody can change: network, country, time, device and
// expression.
func (q *Requirement) Lasting() []Clause { return q.all[:q.firstSignIn] }

// SignIn are those that another sign-in can change: provider and group.
func (q *Requirement) SignIn() []Clause { return q.all[q.firstSignIn:q.firstStepUp] }

// StepUp are those that a step-up can change: age, class and methods of the
// sign-in.
func (q *Requirement) StepUp() []Clause { return q.all[q.firstStepUp:] }

// All are all of them.
func (q *Requirement) All() []Clause { return q.all }

// Cost is what looking at all of them costs at most, in units of expressions.
func (q *Requirement) Cost() int {
	units := 1
	for _, c := range q.all {
		units += cost(c)
	}
	return units
}

// cost is measured, and 50 ns are a unit.
func cost(c Clause) int {
	switch c := c.(type) {
	case *expr:
		return int(c.compiled.Cost())
	case *windows:
		return 8 * c.windows.Zones()
	case *device:
		return 1 + len(c.Posture)/2
	case *amr:
		return 1 + 2*len(c.methods)
	case *acr:
		return 1 + len(c.classes)/8
	case *member:
		return 1 + len(c.atoms)/8
	case *provider:
		return 1 + len(c.atoms)/8
	}
	return 1
}

// ByField returns all of them, in the order of their fields.
func (q *Requirement) ByField() []Clause {
	list := slices.Clone(q.all)
	slices.SortStableFunc(list, func(a, b Clause) int { return slices.Index(fields, a.Field()) - slices.Index(fields, b.Field()) })
	return list
}

// fields is the order in which an explanation has them.
var fields = []string{
	"conditions.source_cidrs", "conditions.countries", "conditions.time_windows", "conditions.not_before", "conditions.not_after",
	"conditions.device", "conditions.max_auth_age", "conditions.required_acr", "conditions.required_amr",
	"conditions.idps", "conditions.members_of", "expression",
}
