package policy

import "github.com/sallyport-iap/sallyport/edge/policy/clause"

// What the rules of an operation come to, by effect. Those that are no candidates
// have a scope that is false (or, of an ALLOW, that is not true).

// denied returns the first DENY that counts: none of its clauses is false.
func (c *candidates) denied(f *facts) *rule {
	for r := c.next(denies); r != nil; r = c.next(denies) {
		if r.inScope(f) && clause.Hold(r.All(), &f.Facts) != False {
			return r
		}
	}
	return nil
}

// unmet is the REQUIREs that fail: their scope is not false, and some clause of
// their requirement is not true.
type unmet struct {
	lasting *rule  // the first of those with such a clause that no sign-in can change
	signIn  *rule  // the first of those with such a clause that another sign-in can change
	stepUp  stepUp // all that fail on nothing but clauses that a step-up can change
}

func (c *candidates) unmet(f *facts) (u unmet) {
	for r := c.next(requires); r != nil; r = c.next(requires) {
		switch {
		case !r.inScope(f):
		case clause.Hold(r.Lasting(), &f.Facts) != True:
			u.lasting = r
			return u
		case clause.Hold(r.SignIn(), &f.Facts) != True:
			if u.signIn == nil {
				u.signIn = r
			}
		default:
			u.stepUp.add(r, f)
		}
	}
	return u
}

// allowed returns the first ALLOW that counts: all its clauses are true. If none
// does, nearly is one that would after a step-up: the first that can still be
// asked for, else the first.
func (c *candidates) allowed(f *facts) (counts, nearly *rule) {
	possible := false
	for r := c.next(allows); r != nil; r = c.next(allows) {
		if clause.Hold(r.Lasting(), &f.Facts) != True || clause.Hold(r.SignIn(), &f.Facts) != True {
			continue
		}
		var way stepUp
		way.add(r, f)
		switch {
		case way.rule == nil:
			return r, nil
		case nearly == nil || !possible && way.settled == nil:
			nearly, possible = r, way.settled == nil
		}
	}
	return nil, nearly
}

// stepUp is what a person would have to sign in again for.
type stepUp struct {
	rule    *rule // the first that wants it; nil: none does
	reason  Reason
	need    Need
	settled *rule // the first that wants what was asked for in vain
}

// add adds the clauses of a rule that are not true.
func (s *stepUp) add(r *rule, f *facts) {
	for _, c := range r.StepUp() {
		if clause.Eval(c, &f.Facts) == True {
			continue
		}
		if s.rule == nil {
			s.rule, s.reason = r, reasonOf(c.Field())
		}
		if s.need.Add(c, &f.Facts) && s.settled == nil {
			s.settled = r
		}
	}
}

// why is the reason that not all clauses of a REQUIRE hold: what is false is told
// before what is unknown.
func why(list []clause.Clause, f *facts) Reason {
	if field := clause.Failing(list, &f.Facts); field != "" {
		return reasonOf(field)
	}
	return RequireUnknown
}

// reasonOf is the reason of a REQUIRE rule of which a clause does not hold.
func reasonOf(field string) Reason {
	switch field {
	case "conditions.source_cidrs":
		return RequireNetwork
	case "conditions.countries":
		return RequireCountry
	case "conditions.time_windows", "conditions.not_before", "conditions.not_after":
		return RequireTime
	case "conditions.device":
		return RequireDevice
	case "conditions.idps":
		return RequireIDP
	case "conditions.members_of":
		return RequireGroup
	case "conditions.max_auth_age":
		return StepUpAuthAge
	case "conditions.required_acr":
		return StepUpACR
	case "conditions.required_amr":
		return StepUpAMR
	default:
		return RequireExpression
	}
}
