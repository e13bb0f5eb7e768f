package policy

import (
	"maps"
	"slices"
	"sort"
	"time"
)

// Program is a compiled [Source]. It is immutable and safe for concurrent use.
type Program struct {
	apps     map[string]*app
	stranger *Principal

	size     int                 // number of atoms
	atoms    map[term]atom       // terms that rules name
	groups   []string            // ids, in order
	memberOf map[term][]int      // groups that have the term as a member
	claims   map[string][]string // by provider: the claim values that groups have as members
	within   [][]int             // by group: itself and every group that contains it
	broken   []int               // groups whose members are not all understood
}

type app struct {
	refusal    Reason // of every request, or ""
	operations map[string]*operation
}

// operation has the rules that can matter for it, in the order of reporting.
type operation struct {
	deny, require, allow []candidate
	remediation          string      // of the first ALLOW that has one
	boundaries           []time.Time // at which a time clause changes, in order
}

// candidate is one principal of one rule's scope.
type candidate struct {
	atom atom
	rule *rule
}

type rule struct {
	policy, id  string
	remediation string
	clauses     []clause // in order of kind
}

// ClosedApps returns the ids of the apps that are closed because something
// about them was not understood, in order.
func (p *Program) ClosedApps() []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(p.apps)) {
		if p.apps[id].refusal == DenyAppClosed {
			ids = append(ids, id)
		}
	}
	return ids
}

// Decide decides one request to an app. A principal of another program is
// resolved again, which costs time but is never wrong.
func (p *Program) Decide(appID string, r *Request) Decision {
	a := p.apps[appID]
	if a == nil {
		return Decision{Reason: DenyNoPolicy}
	}
	if a.refusal != "" {
		return Decision{Reason: a.refusal}
	}
	who := r.Principal
	switch {
	case who == nil:
		who = p.stranger
	case who.program != p:
		who = p.Resolve(who.identity)
	}
	op := a.operations[r.Operation]
	switch {
	case op != nil:
		return op.decide(r, who)
	case who.identity.Kind == Anonymous:
		return Decision{Outcome: Authenticate, Reason: IdentityNone}
	default:
		return Decision{Reason: DenyNoOperation}
	}
}

func (op *operation) decide(r *Request, who *Principal) Decision {
	d := Decision{ValidUntil: op.nextBoundary(r.Now)}
	stranger := who.identity.Kind == Anonymous
	for _, c := range op.deny {
		if who.is(c.atom) != False && c.rule.eval(r, who) != False {
			return d.because(Deny, DenyRule, c.rule, stranger)
		}
	}
	var unmet *rule
	var why Reason
	for _, c := range op.require {
		if who.is(c.atom) == False {
			continue
		}
		reason, lasting := c.rule.unmet(r, who)
		if lasting {
			return d.because(Deny, reason, c.rule, stranger)
		}
		if reason != "" && unmet == nil {
			unmet, why = c.rule, reason
		}
	}
	if unmet == nil {
		for _, c := range op.allow {
			if who.is(c.atom) == True && c.rule.eval(r, who) == True {
				return d.because(Allow, allowReason(c.atom), c.rule, true)
			}
		}
	}
	switch {
	case stranger:
		d.Outcome, d.Reason = Authenticate, IdentityNone
		return d
	case unmet != nil:
		return d.because(Deny, why, unmet, false)
	default:
		d.Reason, d.Remediation = DenyNoRule, op.remediation
		return d
	}
}

func allowReason(a atom) Reason {
	if a == anyone {
		return AllowPublic
	}
	return AllowRule
}

func (d Decision) because(o Outcome, why Reason, r *rule, quiet bool) Decision {
	d.Outcome, d.Reason, d.Policy, d.Rule = o, why, r.policy, r.id
	if !quiet {
		d.Remediation = r.remediation
	}
	return d
}

// eval is the conjunction of the rule's conditions.
func (u *rule) eval(r *Request, who *Principal) Truth {
	t := True
	for i := range u.clauses {
		t = min(t, u.clauses[i].eval(r, who))
	}
	return t
}

// unmet returns why the rule's conditions do not hold, or "". It is lasting if
// one of them fails that no sign-in can change. A clause that is false is told
// before one that is unknown.
func (u *rule) unmet(r *Request, who *Principal) (why Reason, lasting bool) {
	for i := range u.clauses {
		c := &u.clauses[i]
		t := c.eval(r, who)
		if t == True {
			continue
		}
		if c.kind.changedBySignIn() && lasting {
			break
		}
		lasting = !c.kind.changedBySignIn()
		switch {
		case t == False && (why == "" || why == RequireUnknown):
			why = c.kind.reason()
		case why == "":
			why = RequireUnknown
		}
	}
	return why, lasting
}

// nextBoundary is taken over all rules of the operation, also those that cannot
// matter for this principal: deciding again too early is harmless.
func (op *operation) nextBoundary(now time.Time) time.Time {
	if now.IsZero() {
		return time.Time{}
	}
	i := sort.Search(len(op.boundaries), func(i int) bool { return op.boundaries[i].After(now) })
	if i == len(op.boundaries) {
		return time.Time{}
	}
	return op.boundaries[i]
}
