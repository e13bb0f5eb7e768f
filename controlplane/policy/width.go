package policy

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy"
)

// asWide reports whether a rule that refuses or requires surely does so wherever another did. It compares what is written:
// what only somebody who knows the tenant could tell is not sure.
func asWide(before *Site, was *policy.Rule, after *Site, is *policy.Rule) bool {
	for _, p := range was.Principals {
		if !among(is.Principals, p) {
			return false
		}
	}
	if !before.picksOf(was).within(after.picksOf(is)) {
		return false
	}
	switch {
	case is.Effect == policy.DenyEffect && was.Effect == policy.DenyEffect:
		return looser(is, was)
	case is.Effect == policy.DenyEffect && was.Effect == policy.RequireEffect:
		return is.Conditions.None() && is.Expression == ""
	default:
		return is.Effect == was.Effect && looser(was, is)
	}
}

// among reports whether whoever is a principal is surely among many.
func among(many []string, p string) bool {
	kind, _, _ := strings.Cut(p, ":")
	wider := []string{p, "anyone"}
	switch kind {
	case "user", "domain", "idp":
		wider = append(wider, "people", "authenticated")
	case "serviceAccount":
		wider = append(wider, "serviceAccounts", "authenticated")
	case "group", "people", "serviceAccounts":
		wider = append(wider, "authenticated")
	}
	return slices.ContainsFunc(wider, func(w string) bool { return slices.Contains(many, w) })
}

// looser reports whether whatever meets b surely meets a.
func looser(a, b *policy.Rule) bool {
	p, q := a.Conditions, b.Conditions
	for _, anyOf := range [][2][]string{
		{p.SourceCIDRs, q.SourceCIDRs}, {p.Countries, q.Countries}, {p.RequiredACR, q.RequiredACR}, {p.IDPs, q.IDPs}, {p.MembersOf, q.MembersOf},
	} {
		if len(anyOf[0]) > 0 && (len(anyOf[1]) == 0 || !subset(anyOf[1], anyOf[0])) {
			return false
		}
	}
	switch {
	case !subset(p.RequiredAMR, q.RequiredAMR),
		p.MaxAuthAge > 0 && (q.MaxAuthAge == 0 || q.MaxAuthAge > p.MaxAuthAge),
		!p.NotBefore.IsZero() && q.NotBefore.Before(p.NotBefore),
		!p.NotAfter.IsZero() && (q.NotAfter.IsZero() || q.NotAfter.After(p.NotAfter)),
		a.Expression != "" && a.Expression != b.Expression:
		return false
	}
	// All else must be the same, or nothing.
	for _, c := range []*policy.Conditions{&p, &q} {
		c.SourceCIDRs, c.Countries, c.RequiredACR, c.IDPs, c.MembersOf, c.RequiredAMR = nil, nil, nil, nil, nil, nil
		c.MaxAuthAge, c.NotBefore, c.NotAfter = 0, time.Time{}, time.Time{}
	}
	return p.None() || reflect.DeepEqual(p, q)
}

func subset(few, many []string) bool {
	return !slices.ContainsFunc(few, func(s string) bool { return !slices.Contains(many, s) })
}

// picks is what a rule picks operations by.
type picks struct {
	names  []string
	access []policy.Access
}

func (s *Site) picksOf(r *policy.Rule) picks {
	all := picks{names: slices.Clone(r.Operations)}
	for _, id := range r.Roles {
		switch i := slices.IndexFunc(s.Source.Roles, func(role *policy.Role) bool { return role.ID == id }); {
		case id == "viewer":
			all.access = append(all.access, policy.Read)
		case id == "user":
			all.access = append(all.access, policy.Read, policy.Write)
		case id == "admin":
			all.names = append(all.names, "*")
		case i >= 0:
			all.names, all.access = append(all.names, s.Source.Roles[i].Operations...), append(all.access, s.Source.Roles[i].Access...)
		}
	}
	return all
}

func (p picks) within(q picks) bool {
	whole := subset([]string{"*"}, q.names) ||
		slices.Contains(q.access, policy.Read) && slices.Contains(q.access, policy.Write) && slices.Contains(q.access, policy.Admin)
	if whole {
		return true
	}
	for _, name := range p.names {
		if !slices.ContainsFunc(q.names, func(wide string) bool {
			prefix, wild := strings.CutSuffix(wide, "*")
			return wide == name || wild && strings.HasPrefix(name, prefix)
		}) {
			return false
		}
	}
	return !slices.ContainsFunc(p.access, func(a policy.Access) bool { return !slices.Contains(q.access, a) })
}
