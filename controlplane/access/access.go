// Package access lists who may do what: the people and machines that an operation is open to, and the operations that are
// open to somebody. It asks the evaluator that edges decide with about each of them, with what is known, and tells what
// hangs on the rest as conditions. It is pure, and must never match a principal with a rule by itself, nor turn what is
// unknown into a yes or a no.
//
// # Who is asked about
//
// Nobody has a list of all people. People are those whom a group, a rule, an exemption or a grant names by address, at each
// provider that owns the address's domain, and those who were seen. The others can only be told together, as classes. A
// class is asked about through one who stands for it: who is not named by address, and of no other class but for values of
// the groups claim, of which nothing is known that the class does not say.
//
// # What it costs
//
// `go test -bench Page`: a tenant of 10,000 apps with 10 operations and 10 rules each and 100,000 people in 1,000 groups, on
// one core of two of an AMD EPYC that was busy with other work. A page of who may do something, which looks at 20,000 of
// 100,000 people, takes 0.4 s; a page of what somebody may do, which looks at all 100,000 operations, 0.13 s.
package access

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane/policy"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// Circumstances are what a request is made under. What is left out is unknown.
type Circumstances struct {
	SourceIP netip.Addr
	Country  string
	Time     time.Time
	From     time.Time // if Time is left out: it is no earlier
}

func (c *Circumstances) request(app *policy.App, operation string) engine.Request {
	r := engine.Request{Operation: operation, SourceIP: c.SourceIP, Country: c.Country, Now: c.Time}
	if r.Country == "" {
		r.Country = engine.AnyCountry
	}
	if r.Now.IsZero() {
		r.NotBefore = c.From
	}
	if len(app.Spec.Hosts) == 1 {
		r.Host = app.Spec.Hosts[0]
	}
	return r
}

// Outlook is what becomes of a request of which not everything is known.
type Outlook string

// The outlooks.
const (
	Allowed Outlook = "ALLOWED" // whatever the circumstances are that were left out
	Depends Outlook = "DEPENDS" // on them, or on another sign-in
	Unknown Outlook = "UNKNOWN" // it hangs on who it is
)

// Access is an outlook, and what it comes from.
type Access struct {
	Outlook   Outlook
	Outcome   string // on no more than what is known
	Reason    string
	Rules     []Rule
	MoreRules int
}

// Rule is a rule or grant that something hangs on, or by which it is allowed.
type Rule struct {
	Effect              string
	Policy, Rule, Grant string
	Groups              []string // that it names, and the principal is in, or may be
	Conditions          []Condition
	Text                string // the conditions as a sentence; empty if there are none
}

// Condition is a clause that is not known to hold.
type Condition struct {
	Field string
	Text  string
}

// maxRules bounds how many rules one access tells.
const maxRules = 20

// judge asks about one request; nil: it surely is not allowed.
func judge(site *policy.Site, app string, r *engine.Request) *Access {
	if site.Program.Outlook(app, r) == engine.False {
		return nil
	}
	e := site.Program.Explain(app, r)
	a := &Access{Outlook: Depends, Outcome: e.Outcome.String(), Reason: string(e.Reason)}
	rules := waysAndLimits(e)
	if e.Outlook() == engine.True {
		a.Outlook = Allowed
		rules = slices.DeleteFunc(slices.Clone(e.Rules), func(v engine.RuleVerdict) bool { return !v.Decisive })
	} else if !slices.ContainsFunc(rules, func(v engine.RuleVerdict) bool { return v.Effect == engine.AllowEffect && v.Scope == engine.True }) {
		a.Outlook = Unknown
	}
	for _, v := range rules[:min(len(rules), maxRules)] {
		a.Rules = append(a.Rules, ruleOf(&v))
	}
	a.MoreRules = len(rules) - len(a.Rules)
	return a
}

// waysAndLimits are the rules that it hangs on: each ALLOW that may allow it, and each REQUIRE and DENY that may refuse it.
// Beside an ALLOW that surely allows, others matter no more.
func waysAndLimits(e *engine.Explanation) []engine.RuleVerdict {
	var sure, ways, limits []engine.RuleVerdict
	for _, v := range e.Rules {
		switch {
		case v.Mode != engine.Enforced || v.Prospect == engine.False:
		case v.Effect != engine.AllowEffect:
			limits = append(limits, v)
		case v.Prospect == engine.True:
			sure = append(sure, v)
		default:
			ways = append(ways, v)
		}
	}
	if len(sure) > 0 {
		ways = sure
	}
	return append(ways, limits...)
}

func ruleOf(v *engine.RuleVerdict) Rule {
	r := Rule{Effect: string(v.Effect), Policy: v.Policy, Rule: v.Rule, Grant: v.Grant, Groups: v.Via}
	var about, wants []string
	for _, c := range v.Clauses {
		if c.Truth == engine.True {
			continue
		}
		condition := Condition{Field: c.Field, Text: subjectOf(c.Field) + " is " + c.Wanted}
		r.Conditions = append(r.Conditions, condition)
		if v.Effect == engine.RequireEffect && scope(c.Field) {
			about = append(about, condition.Text)
		} else {
			wants = append(wants, condition.Text)
		}
	}
	switch all := strings.Join(wants, " and "); {
	case len(r.Conditions) == 0:
	case v.Effect == engine.DenyEffect:
		r.Text = "unless " + all
	case len(about) > 0:
		r.Text = "if " + strings.Join(about, " and ") + ", only if " + all
	case v.Effect == engine.RequireEffect:
		r.Text = "only if " + all
	default:
		r.Text = "if " + all
	}
	return r
}

// scope are the fields that say whom and what a rule is about.
func scope(field string) bool {
	return slices.Contains([]string{"principals", "operations", "roles", "exemptions"}, field)
}

// subjectOf is what a field speaks of, in words.
func subjectOf(field string) string {
	switch strings.TrimPrefix(field, "conditions.") {
	case "source_cidrs":
		return "the address"
	case "countries":
		return "the country"
	case "time_windows", "not_before", "not_after":
		return "the time"
	case "device":
		return "the device"
	case "expression":
		return "the request"
	default:
		return "who asks"
	}
}
