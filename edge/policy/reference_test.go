package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The reference evaluator: the decision procedure as it is written down, with
// no index, no numbers and no care for speed. It shares no code with the engine
// but the types and the canonical form of addresses.

type verdict int

const (
	no verdict = iota
	unknown
	yes
)

func verdictOf(b bool) verdict { return map[bool]verdict{false: no, true: yes}[b] }

type referee struct {
	Source
	id Identity
	r  Request
}

func reference(s Source, appID string, id Identity, r Request) Decision {
	i := slices.IndexFunc(s.Apps, func(a *App) bool { return a.ID == appID })
	if i < 0 {
		return Decision{Reason: DenyNoPolicy}
	}
	app := s.Apps[i]
	if app.Operations == nil {
		app.Operations = []Operation{{"read", Read}, {"write", Write}}
	}
	o := slices.IndexFunc(app.Operations, func(o Operation) bool { return o.ID == r.Operation })
	switch {
	case app.Closed:
		return Decision{Reason: DenyAppClosed}
	case app.Disabled:
		return Decision{Reason: DenyAppDisabled}
	case !slices.ContainsFunc(s.Policies, func(p *Policy) bool { return slices.Contains(p.Apps, appID) }):
		return Decision{Reason: DenyNoPolicy}
	case o < 0 && id.Kind == Anonymous:
		return Decision{Outcome: Authenticate, Reason: IdentityNone}
	case o < 0:
		return Decision{Reason: DenyNoOperation}
	}
	e := referee{s, id, r}
	return e.decide(e.rulesFor(appID, app.Operations[o]))
}

type placed struct {
	policy string
	Rule
}

// rulesFor returns the rules of an operation, in reporting order.
func (e referee) rulesFor(app string, op Operation) (rules []placed) {
	for _, p := range e.Policies {
		for _, r := range p.Rules {
			if slices.Contains(p.Apps, app) && e.covers(r, op) {
				rules = append(rules, placed{p.ID, r})
			}
		}
	}
	slices.SortFunc(rules, func(a, b placed) int {
		return 2*strings.Compare(a.policy, b.policy) + strings.Compare(a.ID, b.ID)
	})
	return rules
}

func (e referee) covers(r Rule, op Operation) bool {
	names, access := slices.Clone(r.Operations), []Access{}
	predefined := []*Role{{ID: "viewer", Access: []Access{Read}}, {ID: "user", Access: []Access{Read, Write}}, {ID: "admin", Operations: []string{"*"}}}
	for _, role := range slices.Concat(e.Roles, predefined) {
		if slices.Contains(r.Roles, role.ID) {
			names, access = append(names, role.Operations...), append(access, role.Access...)
		}
	}
	return slices.Contains(access, op.Access) || slices.ContainsFunc(names, func(n string) bool {
		return n == op.ID || n == "*" || strings.HasSuffix(n, ".*") && strings.HasPrefix(op.ID, n[:len(n)-1])
	})
}

func (e referee) decide(rules []placed) (d Decision) {
	stranger := e.id.Kind == Anonymous
	say := func(o Outcome, why Reason, r placed) Decision {
		d.Outcome, d.Reason, d.Policy, d.Rule = o, why, r.policy, r.ID
		if o == Deny && !stranger {
			d.Remediation = r.Remediation
		}
		return d
	}
	for _, r := range rules {
		for _, at := range []time.Time{r.Conditions.NotBefore, r.Conditions.NotAfter} {
			if !e.r.Now.IsZero() && at.After(e.r.Now) && (d.ValidUntil.IsZero() || at.Before(d.ValidUntil)) {
				d.ValidUntil = at
			}
		}
	}
	for _, r := range rules { // 2
		if r.Effect == DenyEffect && min(e.inScope(r), e.network(r), e.time(r), e.provider(r), e.member(r)) != no {
			return say(Deny, DenyRule, r)
		}
	}
	for _, r := range rules { // 3
		if r.Effect == RequireEffect && e.inScope(r) != no && min(e.network(r), e.time(r)) != yes {
			return say(Deny, whyNot(e.network(r), RequireNetwork, e.time(r), RequireTime), r)
		}
	}
	unmet := slices.IndexFunc(rules, func(r placed) bool {
		return r.Effect == RequireEffect && e.inScope(r) != no && min(e.provider(r), e.member(r)) != yes
	})
	for _, r := range rules { // 4
		if r.Effect == AllowEffect && unmet < 0 && min(e.inScope(r), e.network(r), e.time(r), e.provider(r), e.member(r)) == yes {
			return say(Allow, map[bool]Reason{true: AllowPublic, false: AllowRule}[slices.Contains(r.Principals, "anyone")], r)
		}
	}
	if stranger { // 5
		d.Outcome, d.Reason = Authenticate, IdentityNone
		return d
	}
	if unmet >= 0 { // 7
		r := rules[unmet]
		return say(Deny, whyNot(e.provider(r), RequireIDP, e.member(r), RequireGroup), r)
	}
	d.Reason = DenyNoRule
	for _, r := range rules {
		if r.Effect == AllowEffect && d.Remediation == "" {
			d.Remediation = r.Remediation
		}
	}
	return d
}

func whyNot(a verdict, ifA Reason, b verdict, ifB Reason) Reason {
	switch {
	case a == no:
		return ifA
	case b == no:
		return ifB
	}
	return RequireUnknown
}

func (e referee) network(r placed) verdict {
	switch {
	case r.Conditions.SourceCIDRs == nil:
		return yes
	case !e.r.SourceIP.IsValid():
		return unknown
	}
	return verdictOf(slices.ContainsFunc(r.Conditions.SourceCIDRs, func(s string) bool {
		p := netip.MustParsePrefix(s)
		if p.Addr().Is4In6() {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Contains(e.r.SourceIP.Unmap().WithZone(""))
	}))
}

func (e referee) time(r placed) verdict {
	from, until := r.Conditions.NotBefore, r.Conditions.NotAfter
	if e.r.Now.IsZero() && !(from.IsZero() && until.IsZero()) {
		return unknown
	}
	return verdictOf((from.IsZero() || !e.r.Now.Before(from)) && (until.IsZero() || e.r.Now.Before(until)))
}

func (e referee) provider(r placed) verdict {
	return verdictOf(r.Conditions.IDPs == nil || e.id.Kind == Person && slices.Contains(r.Conditions.IDPs, e.id.IDP))
}

func (e referee) member(r placed) verdict {
	if r.Conditions.MembersOf == nil {
		return yes
	}
	return anyVerdict(r.Conditions.MembersOf, e.inGroup)
}

func anyVerdict(names []string, is func(string) verdict) (v verdict) {
	for _, n := range names {
		v = max(v, is(n))
	}
	return v
}

func (e referee) inScope(r placed) verdict { return anyVerdict(r.Principals, e.is) }

func (e referee) is(principal string) verdict {
	email, _ := CanonicalEmail(e.id.Email)
	person, machine := e.id.Kind == Person, e.id.Kind == Machine
	switch kind, name, _ := strings.Cut(principal, ":"); kind {
	case "anyone":
		return yes
	case "authenticated":
		return verdictOf(person || machine)
	case "people":
		return verdictOf(person)
	case "serviceAccounts":
		return verdictOf(machine)
	case "serviceAccount":
		return verdictOf(machine && e.id.ServiceAccount == name)
	case "idp":
		return verdictOf(person && e.id.IDP == name)
	case "group":
		return e.inGroup(name)
	case "user":
		return e.address(email == strings.ToLower(name))
	default: // domain
		return e.address(strings.HasSuffix(email, "@"+strings.ToLower(name)))
	}
}

func (e referee) address(matches bool) verdict {
	switch {
	case e.id.Kind != Person || !matches:
		return no
	case e.id.EmailVerified && e.id.EmailDomainOwned:
		return yes
	}
	return unknown
}

func (e referee) inGroup(id string) (v verdict) {
	i := slices.IndexFunc(e.Groups, func(g *Group) bool { return g.ID == id })
	for _, m := range e.Groups[i].Members {
		switch {
		case m.User != "":
			v = max(v, e.is("user:"+m.User))
		case m.ServiceAccount != "":
			v = max(v, e.is("serviceAccount:"+m.ServiceAccount))
		case m.Group != "":
			v = max(v, e.inGroup(m.Group))
		case e.id.Kind != Person || e.id.IDP != m.IDPGroup.IDP:
		case slices.Contains(e.id.Groups, m.IDPGroup.Name):
			v = yes
		case !e.id.GroupsComplete && !slices.Contains(e.id.GroupsAbsent, m.IDPGroup.Name):
			v = max(v, unknown)
		}
	}
	return v
}
