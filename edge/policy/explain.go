package policy

import (
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/clause"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// Explanation is a decision and everything that it was made of.
type Explanation struct {
	Decision
	Who       string // in words
	App       string
	Operation string
	Groups    []string // that the principal is surely in
	Steps     []Step   // of the decision procedure, up to the one that decided
	Rules     []RuleVerdict
	Shadow    []Shadowed

	facts *facts
	ruled int // the step that decided; 0: no rule was looked at
}

// RuleVerdict is what a rule of the app came to.
type RuleVerdict struct {
	Policy      string
	Rule        string
	Grant       string // instead of policy and rule
	Effect      Effect
	Mode        Mode
	GuardRail   bool
	Description string

	Scope       Truth // principals, operations, and no exemption
	Requirement Truth // conditions and expression
	// Counts says whether the rule takes part: an ALLOW that allows, a DENY that
	// refuses, a REQUIRE that fails.
	Counts    bool
	Prospect  Truth           // whether it does once everything is known, and a person has signed in as it wants: see [Program.Outlook]
	Via       []string        // groups that it names and the principal is in, or may be
	Decisive  bool            // it is the rule that the decision reports
	Exemption string          // by which the principal is, or may be, exempt
	Clauses   []ClauseVerdict // in order of fields
}

// ClauseVerdict is what a clause of a rule came to.
type ClauseVerdict struct {
	Field  string // of the rule, such as "principals" or "conditions.source_cidrs"
	Truth  Truth
	Wanted string // in words: "<Seen> is", "is not" or "is perhaps" "<Wanted>"
	Seen   string
	Text   string // the sentence
}

// Explain is Decide, and says why: for each rule that reaches the app, in order
// of policy id and rule id, what it came to, clause by clause.
func (p *Program) Explain(appID string, r *Request) *Explanation {
	f := new(p.facts(appID, r))
	e := &Explanation{Who: f.Who.String(), App: appID, Operation: r.Operation, Groups: f.Who.Groups(), facts: f}
	a, _ := p.apps.Get(appID)
	e.Decision, e.ruled = a.decide(f)
	e.Shadow = p.Shadow(appID, r, nil)
	if a != nil {
		for _, u := range a.units {
			for _, rule := range u.rules {
				e.Rules = append(e.Rules, e.verdict(a, rule))
			}
		}
	}
	e.Steps = e.steps(e.ruled)
	return e
}

func (e *Explanation) verdict(a *app, r *rule) RuleVerdict {
	v := RuleVerdict{Effect: r.src.Effect, Mode: Enforced, Description: r.src.Description, Scope: True, Requirement: True}
	if r.granted {
		v.Grant = r.id
	} else {
		v.Policy, v.Rule, v.GuardRail = r.policy, r.id, r.unit.rail()
	}
	if r.unit.shadow() {
		v.Mode = Shadow
	}
	add := func(into *Truth, c ClauseVerdict) {
		if c.Text == "" {
			c.Text = sentence(c)
		}
		*into = min(*into, c.Truth)
		v.Clauses = append(v.Clauses, c)
	}
	add(&v.Scope, e.principalsClause(r))
	operation := e.operationsClause(a, r)
	add(&v.Scope, operation)
	if c, id, ok := e.exemptionClause(r); ok {
		v.Exemption = id
		add(&v.Scope, c)
	}
	for _, c := range r.ByField() {
		field := c.Field()
		if r.granted {
			field = strings.TrimPrefix(field, "conditions.")
		}
		add(&v.Requirement, ClauseVerdict{Field: field, Truth: clause.Eval(c, &e.facts.Facts), Wanted: c.Wanted(), Seen: c.Seen(&e.facts.Facts)})
	}
	switch both := min(v.Scope, v.Requirement); r.src.Effect {
	case AllowEffect:
		v.Counts = both == True
	case DenyEffect:
		v.Counts = both != False
	case RequireEffect:
		v.Counts = v.Scope != False && v.Requirement != True
	}
	for _, text := range r.src.Principals {
		if id, ok := strings.CutPrefix(text, "group:"); ok && e.facts.Who.In(id) != False {
			v.Via = append(v.Via, id)
		}
	}
	v.Prospect = False
	if operation.Truth == True {
		v.Prospect = r.prospect(e.facts)
	}
	v.Decisive = v.Mode == Enforced && v.Policy == e.Policy && v.Rule == e.Rule && v.Grant == e.Grant && e.Policy+e.Grant != ""
	return v
}

func (e *Explanation) principalsClause(r *rule) ClauseVerdict {
	f := e.facts
	seen := f.Who.String()
	if len(f.Who.Groups()) > 0 {
		seen += ", in " + clause.AllOf(f.Who.Groups())
	}
	return ClauseVerdict{Field: "principals", Truth: f.Who.IsAny(r.principals), Wanted: clause.OneOf(r.src.Principals), Seen: seen}
}

func (e *Explanation) operationsClause(a *app, r *rule) ClauseVerdict {
	c := ClauseVerdict{Field: "operations", Truth: False, Wanted: clause.OneOf(r.src.Operations), Seen: "the request, which is no operation of the app"}
	if r.src.Roles != nil {
		c.Field, c.Wanted = "roles", "in the role "+clause.AnyOf(r.src.Roles)
	}
	for _, op := range a.src.operations() {
		if op.ID != e.Operation {
			continue
		}
		c.Seen = "the operation " + op.ID + " (" + string(op.Access) + ")"
		for _, s := range r.picks {
			c.Truth = max(c.Truth, truth.Of(s.picks(op)))
		}
	}
	return c
}

// exemptionClause is there if an exemption bears on the principal: the first
// that is sure, or else that may be.
func (e *Explanation) exemptionClause(r *rule) (c ClauseVerdict, id string, ok bool) {
	exempt := False
	for i := range r.exemptions {
		if t := r.exemptions[i].eval(e.facts); t > exempt {
			exempt, id = t, r.exemptions[i].src.ID
		}
	}
	c = ClauseVerdict{Field: "exemptions", Truth: False, Wanted: "not exempt", Seen: "exempt by " + id}
	c.Text = capital(e.facts.Who.String() + " is exempt by " + id + ".")
	if exempt == Unknown {
		c.Truth, c.Seen = Unknown, "perhaps "+c.Seen
		c.Text = capital(e.facts.Who.String() + " is perhaps exempt by " + id + ", which does not suffice.")
	}
	return c, id, exempt != False
}
