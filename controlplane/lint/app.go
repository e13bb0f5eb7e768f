package lint

import (
	"fmt"
	"slices"

	"github.com/sallyport-iap/sallyport/controlplane"
	engine "github.com/sallyport-iap/sallyport/edge/policy"
)

// maxPairs bounds how many rules of an app are compared with one another.
const maxPairs = 300

// placed is a rule of an app, and where it is.
type placed struct {
	*engine.Rule
	policy *engine.Policy
	at     string
	picks  map[string]bool // operations of the app
}

func (r *placed) name() string { return r.policy.ID + "/" + r.ID }

// app looks at what rules make of an app together.
func (l *linter) app(app *engine.App) {
	var rules []*placed
	for _, p := range slices.Concat(l.named[app.ID], l.rails) {
		if !l.spend(1 + len(p.Selector)) {
			return
		}
		if p.Mode == engine.Shadow || !p.Reaches(app) {
			continue
		}
		for i := range p.Rules {
			r := &placed{Rule: &p.Rules[i], policy: p, at: fmt.Sprintf("rules[%d]", i), picks: map[string]bool{}}
			if !l.spend(len(app.Operations) * l.size(r.Rule)) {
				return
			}
			for _, op := range app.Operations {
				if l.site.Program.Picks(r.Rule, op) {
					r.picks[op.ID] = true
				}
			}
			rules = append(rules, r)
		}
	}
	if _, granted := l.granted[app.ID]; len(rules) == 0 && !granted {
		l.add(Finding{Warning, "app-without-policy", controlplane.KindApp, app.ID, "", "no enforced policy reaches it, so every request is denied", "Write a policy for it, or disable it."})
	} else {
		l.allowed(app, rules)
	}
	if len(rules) <= maxPairs {
		l.compare(app, rules)
	}
	l.paths(app.ID)
}

// allowed finds operations that no rule allows.
func (l *linter) allowed(app *engine.App, rules []*placed) {
	found, _ := l.site.App(app.ID)
	for i, op := range app.Operations {
		if !l.spend(len(rules)) {
			return
		}
		if l.granted[app.ID] || slices.ContainsFunc(rules, func(r *placed) bool { return r.Effect == engine.AllowEffect && r.picks[op.ID] }) {
			continue
		}
		field := "operations"
		if len(found.Spec.Operations) > 0 {
			field = fmt.Sprintf("operations[%d]", i)
		}
		l.add(Finding{Warning, "operation-not-allowed", controlplane.KindApp, app.ID, field, fmt.Sprintf("no rule allows the operation %q to anybody", op.ID), "Allow it to somebody, or remove it."})
	}
}

// compare finds rules that others leave nothing to do.
func (l *linter) compare(app *engine.App, rules []*placed) {
	for _, r := range rules {
		if r.Effect != engine.AllowEffect || len(r.picks) == 0 {
			continue
		}
		for _, o := range rules {
			if !l.spend(1 + len(r.picks)) {
				return
			}
			// Whom a guard-rail exempts, it neither denies nor asks for anything.
			if o == r || len(o.policy.Exemptions) > 0 || !wider(o.picks, r.picks) {
				continue
			}
			if !l.spend(len(o.Principals)*len(r.Principals) + tryNetwork*len(o.Conditions.SourceCIDRs)*len(r.Conditions.SourceCIDRs)) {
				return
			}
			finding := Finding{Severity: Warning, Kind: controlplane.KindPolicy, ID: r.policy.ID, Field: r.at}
			all := covers(o.Principals, r.Principals) && bare(o.Rule)
			switch {
			case o.Effect == engine.DenyEffect && all:
				finding.Code, finding.Advice = "rule-denied", "Delete it, or narrow the other."
				finding.Message = fmt.Sprintf("rule %q allows nothing in the app %q: %s denies all of it", r.ID, app.ID, o.name())
			case o.Effect == engine.AllowEffect && all && !(sameScope(o, r) && bare(r.Rule) && o.name() > r.name()):
				public := slices.Contains(o.Principals, "anyone") && !slices.Contains(r.Principals, "anyone")
				finding.Code, finding.Advice = "rule-shadowed", "Delete it, or narrow the other."
				finding.Message = fmt.Sprintf("rule %q allows nothing in the app %q that %s does not allow already", r.ID, app.ID, o.name())
				if public {
					finding.Code = "public-beside-identity"
					finding.Message = fmt.Sprintf("rule %q says who may, but %s lets anyone in the app %q, without sign-in", r.ID, o.name(), app.ID)
				}
			case o.Effect == engine.RequireEffect && covers(o.Principals, r.Principals) && apart(o.Conditions.SourceCIDRs, r.Conditions.SourceCIDRs):
				finding.Code, finding.Field, finding.Advice = "never-holds", r.at+".conditions.source_cidrs", "Correct one of the two."
				finding.Message = fmt.Sprintf("rule %q never allows in the app %q: %s requires other networks", r.ID, app.ID, o.name())
			default:
				continue
			}
			l.add(finding)
			break
		}
	}
}

func wider(many, few map[string]bool) bool {
	for op := range few {
		if !many[op] {
			return false
		}
	}
	return true
}

// sameScope are two rules each of which covers the other: only one of them is too many.
func sameScope(a, b *placed) bool {
	return wider(b.picks, a.picks) && covers(b.Principals, a.Principals)
}

// size is how many names a rule compares an operation with.
func (l *linter) size(r *engine.Rule) int {
	size := 1 + len(r.Operations)
	for _, id := range r.Roles {
		size += 1 + l.roles[id]
	}
	return size
}

func (l *linter) picksAny(r *engine.Rule, app *engine.App) bool {
	if !l.spend(len(app.Operations)) {
		return true // nothing is said of what was not looked at
	}
	return slices.ContainsFunc(app.Operations, func(op engine.Operation) bool { return l.site.Program.Picks(r, op) })
}
