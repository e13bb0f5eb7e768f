package reference

import (
	"slices"
	"time"

	"cel.dev/cel-go/cel"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
)

// Referee decides. It remembers what it has parsed, and nothing else; it is not
// safe for concurrent use.
type Referee struct {
	// Bend, if set, changes the verdict of a clause before it is used: a test can
	// see whether anybody notices. Fields are those of conditions, and expression.
	Bend func(effect, field string, v Verdict) Verdict

	env      *cel.Env
	programs map[string]cel.Program
	zones    map[string]*time.Location
}

// New returns a referee.
func New() (*Referee, error) {
	env, err := environment()
	return &Referee{env: env, programs: map[string]cel.Program{}, zones: map[string]*time.Location{}}, err
}

// Shadow answers a request for each shadow policy that reaches the app, as if
// that one were enforced.
func (r *Referee) Shadow(w *policytest.World, q *policytest.Request) (list []policytest.Shadowed) {
	a := find(w.Apps, func(a *policytest.App) bool {
		return a.ID == q.App && !a.Disabled && !a.Closed && operation(a, q) != nil
	})
	for _, p := range ordered(w.Policies, func(p *policytest.Policy) string { return p.ID }) {
		if a == nil || p.Mode != "SHADOW" || !reaches(p, *a) {
			continue
		}
		enforced := *p
		enforced.Mode = "ENFORCED"
		with := *w
		with.Policies = append(slices.Clone(w.Policies), &enforced)
		d := r.Decide(&with, q)
		if d.Policy != p.ID {
			d.Rule = ""
		}
		list = append(list, policytest.Shadowed{Policy: p.ID, Outcome: d.Outcome, Reason: d.Reason, Rule: d.Rule})
	}
	return list
}

func (r *Referee) bend(effect, field string, v Verdict) Verdict {
	if r.Bend != nil {
		v = r.Bend(effect, field, v)
	}
	return v
}

// zone trusts that a world was checked: what no engine accepts need not be
// decided.
func (r *Referee) zone(name string) *time.Location {
	if z, ok := r.zones[name]; ok {
		return z
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	r.zones[name] = z
	return z
}
