package reference

import (
	"slices"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/policy/policytest"
)

func find[T any](list []T, is func(T) bool) *T {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return &list[i]
	}
	return nil
}

func filter[T any](list []T, is func(T) bool) (found []T) {
	for _, v := range list {
		if is(v) {
			found = append(found, v)
		}
	}
	return found
}

// ordered is the list by its ids, bytewise.
func ordered[T any](list []T, id func(T) string) []T {
	byID := func(a, b T) int { return strings.Compare(id(a), id(b)) }
	if !slices.IsSortedFunc(list, byID) {
		list = slices.Clone(list)
		slices.SortStableFunc(list, byID)
	}
	return list
}

func operation(a *policytest.App, q *policytest.Request) *policytest.Operation {
	all := a.Operations
	if len(all) == 0 {
		all = []policytest.Operation{{ID: "read", Access: "READ"}, {ID: "write", Access: "WRITE"}}
	}
	return find(all, func(o policytest.Operation) bool { return o.ID == q.Operation })
}

// reaches says whether a policy is attached to an app, by name or by labels.
func reaches(p *policytest.Policy, a *policytest.App) bool {
	return slices.Contains(p.Apps, a.ID) || len(p.Selector) > 0 && len(filter(p.Selector, func(l policytest.LabelRequirement) bool {
		value, set := a.Labels[l.Key]
		return set && slices.Contains(l.Values, value) || !set && l.Unset != "NO_MATCH"
	})) == len(p.Selector)
}

var predefined = []*policytest.Role{
	{ID: "viewer", Access: []string{"READ"}},
	{ID: "user", Access: []string{"READ", "WRITE"}},
	{ID: "admin", Operations: []string{"*"}},
}

// covers says whether roles or names pick the operation.
func (j judge) covers(roles, names []string) bool {
	picks := func(n string) bool {
		prefix, wild := strings.CutSuffix(n, "*")
		return n == j.op.ID || wild && strings.HasPrefix(j.op.ID, prefix)
	}
	grants := func(r *policytest.Role) bool {
		return slices.Contains(roles, r.ID) && (slices.Contains(r.Access, j.op.Access) || slices.ContainsFunc(r.Operations, picks))
	}
	return slices.ContainsFunc(names, picks) || slices.ContainsFunc(j.w.Roles, grants) || slices.ContainsFunc(predefined, grants)
}

// unsatisfied says whether a provider was asked for what a rule wants, and what
// came back still fails.
func (j judge) unsatisfied(u judged) bool {
	who, c := j.q.Who, u.Conditions
	return !who.Asked.At.IsZero() && find(u.clauses, func(cl Clause) bool {
		switch cl.Field {
		case "max_auth_age":
			asked := 0 < who.Asked.MaxAge && who.Asked.MaxAge <= c.MaxAuthAge
			return cl.Verdict != Yes && asked && (who.AuthTime.IsZero() || who.Asked.At.Sub(who.AuthTime) > c.MaxAuthAge)
		case "required_acr":
			return cl.Verdict != Yes && subset(c.RequiredACR, who.Asked.ACR)
		case "required_amr":
			return cl.Verdict != Yes && subset(c.RequiredAMR, who.Asked.AMR)
		}
		return false
	}) != nil
}

// need is what a step-up must ask for.
func need(way []judged) string {
	var asked policytest.Conditions
	for _, u := range way {
		for _, cl := range u.clauses {
			switch c := u.Conditions; {
			case cl.Verdict == Yes:
			case cl.Field == "max_auth_age" && (asked.MaxAuthAge == 0 || c.MaxAuthAge < asked.MaxAuthAge):
				asked.MaxAuthAge = c.MaxAuthAge
			case cl.Field == "required_acr" && asked.RequiredACR == nil:
				asked.RequiredACR = c.RequiredACR
			case cl.Field == "required_amr" && asked.RequiredAMR == nil:
				asked.RequiredAMR = c.RequiredAMR
			}
		}
	}
	return policytest.Need(asked.MaxAuthAge, asked.RequiredACR, asked.RequiredAMR)
}
