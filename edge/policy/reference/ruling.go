package reference

import "github.com/sallyport-iap/sallyport/edge/policy/policytest"

// Ruling is what a rule came to.
type Ruling struct {
	Policy  string
	Rule    string
	Grant   string // instead of policy and rule
	Scope   Verdict
	Clauses []Clause
}

// Rulings are what the enforced rules of an operation came to, in the order of
// reporting.
func (r *Referee) Rulings(w *policytest.World, q *policytest.Request) (list []Ruling) {
	a := find(w.Apps, func(a *policytest.App) bool { return a.ID == q.App })
	if a == nil || operation(*a, q) == nil {
		return nil
	}
	policies := filter(w.Policies, func(p *policytest.Policy) bool { return p.Mode != "SHADOW" && reaches(p, *a) })
	grants := filter(w.Grants, func(g *policytest.Grant) bool { return g.App == q.App })
	for _, u := range (judge{r, w, q, *operation(*a, q)}).rules(policies, grants) {
		list = append(list, Ruling{u.policy, u.ID, u.grant, u.scope, u.clauses})
	}
	return list
}
