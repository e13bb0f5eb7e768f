package policy

// Shadowed is what would be decided if a policy in [Shadow] mode were enforced
// beside those that are.
type Shadowed struct {
	Policy  string
	Outcome Outcome
	Reason  Reason
	Rule    string // of that policy, if it would decide
}

// Shadow appends what each shadow policy that reaches the app would change or
// not, in order of ids: the first 16. Where nothing is decided by rules (the app is closed,
// the request is no operation), there is nothing to say.
func (p *Program) Shadow(appID string, r *Request, dst []Shadowed) []Shadowed {
	a, _ := p.apps.Get(appID)
	if a == nil || len(a.shadows) == 0 {
		return dst
	}
	f := p.facts(appID, r)
	for i := range a.shadows {
		op := a.shadows[i].operations.get(r.Operation)
		if op == nil {
			break
		}
		id := a.shadows[i].unit.ID
		d, _ := op.decide(&f)
		if d.Policy != id {
			d.Rule = ""
		}
		dst = append(dst, Shadowed{Policy: id, Outcome: d.Outcome, Reason: d.Reason, Rule: d.Rule})
	}
	return dst
}
