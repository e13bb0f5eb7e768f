package policy

// Decide decides one request to an app. A principal of another program is
// resolved again, which costs time but is never wrong.
func (p *Program) Decide(appID string, r *Request) Decision {
	f := facts{Request: *r, app: appID, who: p.principal(r.Principal), runtimes: p.runtimes}
	a, _ := p.apps.get(appID)
	if d, done := a.withoutRules(&f); done {
		return d
	}
	return a.operations[r.Operation].decide(&f)
}

func (p *Program) principal(who *Principal) *Principal {
	switch {
	case who == nil:
		return p.stranger
	case who.directory != p.directory:
		return p.Resolve(who.identity)
	}
	return who
}

// withoutRules answers where no rule is looked at.
func (a *app) withoutRules(f *facts) (d Decision, done bool) {
	switch {
	case a == nil:
		return Decision{Reason: DenyNoPolicy}, true
	case a.refusal != "":
		return Decision{Reason: a.refusal}, true
	case a.operations[f.Operation] != nil:
		return Decision{}, false
	case f.stranger():
		return Decision{Outcome: Authenticate, Reason: IdentityNone}, true
	default:
		return Decision{Reason: DenyNoOperation}, true
	}
}

// decide is the decision procedure. Step 1, a credential that is not valid, was
// answered before there was a principal.
func (op *operation) decide(f *facts) Decision {
	// 2. A DENY counts.
	if r := op.denied(f); r != nil {
		return f.refuse(DenyRule, r)
	}
	// 3. A REQUIRE fails on a clause that no sign-in can change.
	unmet := op.unmet(f)
	if r := unmet.lasting; r != nil {
		return f.refuse(why(r.lasting, f), r)
	}
	// 4. An ALLOW counts and every REQUIRE in scope holds.
	var allow, nearly *rule
	if unmet.signIn == nil {
		allow, nearly = op.allowed(f)
	}
	if allow != nil && unmet.stepUp.rule == nil {
		return f.allow(allow)
	}
	// 5. Anonymous.
	if f.stranger() {
		return Decision{Outcome: Authenticate, Reason: IdentityNone, ValidUntil: f.until}
	}
	// 6. A person for whom 4 would hold if max_auth_age, acr, amr were true.
	if f.person() && (allow != nil || nearly != nil) {
		way := unmet.stepUp
		if allow == nil {
			way.add(nearly, f)
		}
		if way.settled != nil {
			return f.refuse(StepUpUnsatisfied, way.settled)
		}
		return f.stepUp(&way)
	}
	// 7. Neither.
	switch {
	case unmet.signIn != nil:
		return f.refuse(why(unmet.signIn.signIn, f), unmet.signIn)
	case unmet.stepUp.rule != nil && f.machine():
		return f.refuse(StepUpUnsatisfied, unmet.stepUp.rule)
	case op.hint != nil:
		return Decision{Reason: DenyNoRule, Remediation: op.hint.src.Remediation, ValidUntil: f.until}
	default:
		return Decision{Reason: DenyNoRule, ValidUntil: f.until}
	}
}

func (f *facts) allow(r *rule) Decision {
	d := Decision{Outcome: Allow, Reason: AllowRule, ValidUntil: f.until}
	switch {
	case r.grant != nil:
		d.Reason = AllowGrant
	case r.principals[0] == anyone:
		d.Reason = AllowPublic
	}
	return d.by(r)
}

func (f *facts) refuse(why Reason, r *rule) Decision {
	d := Decision{Reason: why, ValidUntil: f.until}.by(r)
	if !f.stranger() {
		d.Remediation = r.src.Remediation
	}
	return d
}

func (f *facts) stepUp(way *stepUp) Decision {
	d := f.refuse(way.reason, way.rule)
	d.Outcome, d.StepUp = StepUp, way.need
	return d
}

func (d Decision) by(r *rule) Decision {
	if r.grant != nil {
		d.Grant = r.grant.ID
		return d
	}
	d.Policy, d.Rule = r.unit.src.ID, r.src.ID
	return d
}
