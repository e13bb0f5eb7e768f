package policy

// What the rules of an operation come to, by effect. Those that are no candidates
// have a scope that is false (or, of an ALLOW, that is not true).

// denied returns the first DENY that counts: none of its clauses is false.
func (c *candidates) denied(f *facts) *rule {
	for r := c.next(denies); r != nil; r = c.next(denies) {
		if r.inScope(f) && hold(r.lasting(), f) != False && hold(r.signIn(), f) != False && hold(r.stepUp(), f) != False {
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
		case hold(r.lasting(), f) != True:
			u.lasting = r
			return u
		case hold(r.signIn(), f) != True:
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
		if hold(r.lasting(), f) != True || hold(r.signIn(), f) != True {
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
	for _, c := range r.stepUp() {
		if eval(c, f) == True {
			continue
		}
		if s.rule == nil {
			s.rule, s.reason = r, c.reason()
		}
		if s.need.want(c, f) && s.settled == nil {
			s.settled = r
		}
	}
}

// want adds what would make a clause true. It is settled if that was asked for.
func (n *Need) want(c condition, f *facts) (settled bool) {
	switch c := c.(type) {
	case *authAgeCondition:
		if n.MaxAge == 0 || c.most < n.MaxAge {
			n.MaxAge = c.most
		}
		return c.settled(f)
	case *acrCondition:
		if n.ACR == nil {
			n.ACR = c.classes
		}
		return c.settled(f)
	case *amrCondition:
		if n.AMR == nil {
			n.AMR = c.methods
		}
		return c.settled(f)
	}
	return false
}
