package policy

import "github.com/sallyport-iap/sallyport/edge/policy/clause"

// AnyCountry is the country of a request that may come from anywhere: see
// package clause.
const AnyCountry = clause.AnyCountry

// Outlook says what can become of a request of which not everything is known.
// It is true if the request is allowed, which [Program.Decide] says then, and
// false if it is not, whatever the facts are that are missing and however often
// the person signs in again. In between, it depends.
//
// It may be unknown where it is never so: of two clauses each is looked at as if
// the other were not there.
func (p *Program) Outlook(appID string, r *Request) Truth {
	f := p.facts(appID, r)
	a, _ := p.apps.Get(appID)
	if a == nil || a.refusal != "" {
		return False
	}
	op := a.operations.get(f.Operation)
	if op == nil {
		return False
	}
	var o outlook
	for i := range op.blocks() {
		for _, r := range op.block(i).rules {
			if o.add(r.effect, r.prospect(&f)); o.never() {
				return False
			}
		}
	}
	return o.truth()
}

func (op *operation) blocks() int { return 1 + len(op.more) }

func (op *operation) block(i int) *block {
	if i == 0 {
		return &op.first
	}
	return &op.more[i-1]
}

// outlook is what rules come to together. The zero value is of none.
type outlook struct {
	// Each is 1 more than the greatest prospect, so that none is 0 and false.
	allow, refuse Truth
}

func (o *outlook) add(e effect, prospect Truth) {
	into := &o.refuse
	if e == allows {
		into = &o.allow
	}
	*into = max(*into, prospect+1)
}

func (o *outlook) never() bool { return o.refuse-1 == True }

func (o *outlook) truth() Truth { return min(max(o.allow-1, False), max(o.refuse-1, False).Not()) }

// prospect says whether a rule of the operation takes part once everything is
// known, and a person has signed in again as it wants, if that can still help.
func (r *rule) prospect(f *facts) Truth {
	scope := f.Who.IsAny(r.principals)
	for i := range r.exemptions {
		if scope == False {
			break
		}
		scope = min(scope, r.exemptions[i].eval(f).Not())
	}
	switch {
	case scope == False:
		return False
	case r.effect == denies:
		return min(scope, clause.Hold(r.All(), &f.Facts))
	}
	met := min(clause.Hold(r.Lasting(), &f.Facts), clause.Hold(r.SignIn(), &f.Facts))
	for _, c := range r.StepUp() {
		is := clause.Eval(c, &f.Facts)
		if is == False && f.Person() && !new(Need).Add(c, &f.Facts) {
			is = Unknown
		}
		met = min(met, is)
	}
	if r.effect == requires {
		return min(scope, met.Not())
	}
	return min(scope, met)
}

// Outlook is that of the request that is explained.
func (e *Explanation) Outlook() Truth {
	if e.ruled == 0 {
		return False
	}
	var o outlook
	for _, r := range e.Rules {
		if r.Mode == Enforced {
			o.add(effectOf(r.Effect), r.Prospect)
		}
	}
	return o.truth()
}
