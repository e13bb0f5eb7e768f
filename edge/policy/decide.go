package policy

import "github.com/sallyport-iap/sallyport/edge/policy/clause"

// Decide decides one request to an app. A principal of another program is
// resolved again, which costs time but is never wrong.
func (p *Program) Decide(appID string, r *Request) Decision {
	a, _ := p.apps.Get(appID)
	f := p.facts(appID, r)
	d, _ := a.decide(&f)
	return d
}

// facts is what rules are evaluated on.
type facts struct {
	clause.Facts
	app string
}

func (p *Program) facts(appID string, r *Request) facts {
	f := facts{Facts: clause.Facts{Request: *r, Who: r.Principal, Lender: p.lender}, app: appID}
	switch {
	case f.Who == nil:
		f.Who = p.stranger
	case !f.Who.Of(p.directory):
		f.Who = p.Resolve(*f.Who.Identity())
	}
	return f
}

// decide also returns the step of the procedure that decided; 0 is where no rule
// is looked at.
func (a *app) decide(f *facts) (d Decision, step int) {
	switch {
	case a == nil:
		return Decision{Reason: DenyNoPolicy}, 0
	case a.refusal != "":
		return Decision{Reason: a.refusal}, 0
	}
	if op := a.operations.get(f.Operation); op != nil {
		return op.decide(f)
	}
	if f.Stranger() {
		return Decision{Outcome: Authenticate, Reason: IdentityNone}, 0
	}
	return Decision{Reason: DenyNoOperation}, 0
}

// decide is the decision procedure. Step 1, a credential that is not valid, was
// answered before there was a principal.
func (op *operation) decide(f *facts) (d Decision, step int) {
	rules := op.candidates(f.Who.Atoms())
	// 2. A DENY counts.
	if r := rules.denied(f); r != nil {
		return f.refuse(DenyRule, r), 2
	}
	// 3. A REQUIRE fails on a clause that no sign-in can change.
	unmet := rules.unmet(f)
	if r := unmet.lasting; r != nil {
		return f.refuse(why(r.Lasting(), f), r), 3
	}
	// 4. An ALLOW counts and every REQUIRE in scope holds.
	var allow, nearly *rule
	if unmet.signIn == nil {
		allow, nearly = rules.allowed(f)
	}
	if allow != nil && unmet.stepUp.rule == nil {
		return f.allow(allow), 4
	}
	// 5. Anonymous: whatever the rules, strangers learn nothing.
	if f.Stranger() {
		return Decision{Outcome: Authenticate, Reason: IdentityNone, ValidUntil: f.Until()}, 5
	}
	// 6. A person for whom 4 would hold if max_auth_age, acr, amr were true.
	if f.Person() && (allow != nil || nearly != nil) {
		way := unmet.stepUp
		if allow == nil {
			way.add(nearly, f)
		}
		if way.settled != nil {
			return f.refuse(StepUpUnsatisfied, way.settled), 6
		}
		return f.stepUp(&way), 6
	}
	// 7. Denied.
	switch {
	case unmet.signIn != nil:
		return f.refuse(why(unmet.signIn.SignIn(), f), unmet.signIn), 7
	case unmet.stepUp.rule != nil && f.Machine():
		return f.refuse(StepUpUnsatisfied, unmet.stepUp.rule), 7
	}
	return Decision{Reason: DenyNoRule, Remediation: op.hint, ValidUntil: f.Until()}, 7
}

func (f *facts) allow(r *rule) Decision {
	d := Decision{Outcome: Allow, Reason: AllowRule, ValidUntil: f.Until()}
	switch {
	case r.granted:
		d.Reason = AllowGrant
	case r.public:
		d.Reason = AllowPublic
	}
	return d.by(r)
}

func (f *facts) refuse(why Reason, r *rule) Decision {
	d := Decision{Reason: why, ValidUntil: f.Until()}.by(r)
	if !f.Stranger() {
		d.Remediation = r.remediation
	}
	return d
}

func (f *facts) stepUp(way *stepUp) Decision {
	d := f.refuse(way.reason, way.rule)
	d.Outcome, d.StepUp = StepUp, way.need
	return d
}

func (d Decision) by(r *rule) Decision {
	if r.granted {
		d.Grant = r.id
		return d
	}
	d.Policy, d.Rule = r.policy, r.id
	return d
}
