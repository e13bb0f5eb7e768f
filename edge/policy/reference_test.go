package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The reference evaluator: the decision procedure as it is written down, with
// no index, no numbers and no care for speed. It shares no code with the engine
// but the types and the canonical forms of addresses.

type verdict int

const (
	no verdict = iota
	unknown
	yes
)

func verdictOf(b bool) verdict {
	if b {
		return yes
	}
	return no
}

type referee struct {
	source Source
	id     Identity
	r      Request
}

func reference(s Source, appID string, id Identity, r Request) Decision {
	e := referee{s, id, r}
	i := slices.IndexFunc(s.Apps, func(a App) bool { return a.ID == appID })
	if i < 0 {
		return Decision{Reason: DenyNoPolicy}
	}
	app := s.Apps[i]
	rules := e.rulesFor(app)
	switch {
	case app.Closed:
		return Decision{Reason: DenyAppClosed}
	case app.Disabled:
		return Decision{Reason: DenyAppDisabled}
	case !slices.ContainsFunc(s.Policies, func(p Policy) bool { return slices.Contains(p.Apps, appID) }):
		return Decision{Reason: DenyNoPolicy}
	case !slices.ContainsFunc(operationsOf(app), func(o Operation) bool { return o.ID == r.Operation }):
		if id.Kind == Anonymous {
			return Decision{Outcome: Authenticate, Reason: IdentityNone}
		}
		return Decision{Reason: DenyNoOperation}
	}
	return e.decide(rules)
}

type placed struct {
	policy string
	Rule
}

// rulesFor returns the rules of the request's operation, in reporting order.
func (e referee) rulesFor(app App) (rules []placed) {
	for _, p := range e.source.Policies {
		for _, r := range p.Rules {
			if slices.Contains(p.Apps, app.ID) && e.covers(r, app) {
				rules = append(rules, placed{p.ID, r})
			}
		}
	}
	slices.SortFunc(rules, func(a, b placed) int {
		return 2*strings.Compare(a.policy, b.policy) + strings.Compare(a.ID, b.ID)
	})
	return rules
}

func operationsOf(app App) []Operation {
	if len(app.Operations) == 0 {
		return []Operation{{"read", Read}, {"write", Write}}
	}
	return app.Operations
}

func (e referee) covers(r Rule, app App) bool {
	roles := slices.Concat(e.source.Roles, []Role{
		{ID: "viewer", Access: []Access{Read}}, {ID: "user", Access: []Access{Read, Write}}, {ID: "admin", Operations: []string{"*"}}})
	names, access := slices.Clone(r.Operations), []Access{}
	for _, role := range roles {
		if slices.Contains(r.Roles, role.ID) {
			names, access = append(names, role.Operations...), append(access, role.Access...)
		}
	}
	for _, op := range operationsOf(app) {
		if op.ID != e.r.Operation {
			continue
		}
		for _, n := range names {
			if n == op.ID || n == "*" || strings.HasSuffix(n, ".*") && strings.HasPrefix(op.ID, n[:len(n)-1]) {
				return true
			}
		}
		return slices.Contains(access, op.Access)
	}
	return false
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
		if r.Effect == DenyEffect && min(e.inScope(r.Rule), e.lasting(r), e.bySignIn(r)) != no {
			return say(Deny, DenyRule, r)
		}
	}
	for _, r := range rules { // 3
		if r.Effect == RequireEffect && e.inScope(r.Rule) != no && e.lasting(r) != yes {
			return say(Deny, e.why(e.network(r), RequireNetwork, e.time(r), RequireTime), r)
		}
	}
	unmet := slices.IndexFunc(rules, func(r placed) bool {
		return r.Effect == RequireEffect && e.inScope(r.Rule) != no && e.bySignIn(r) != yes
	})
	for _, r := range rules { // 4
		if r.Effect == AllowEffect && unmet < 0 && min(e.inScope(r.Rule), e.lasting(r), e.bySignIn(r)) == yes {
			if slices.Contains(r.Principals, "anyone") {
				return say(Allow, AllowPublic, r)
			}
			return say(Allow, AllowRule, r)
		}
	}
	switch {
	case stranger: // 5
		d.Outcome, d.Reason = Authenticate, IdentityNone
		return d
	case unmet >= 0: // 7
		r := rules[unmet]
		return say(Deny, e.why(e.provider(r), RequireIDP, e.member(r), RequireGroup), r)
	}
	d.Reason = DenyNoRule
	for _, r := range rules {
		if r.Effect == AllowEffect && d.Remediation == "" {
			d.Remediation = r.Remediation
		}
	}
	return d
}

func (e referee) why(a verdict, ifA Reason, b verdict, ifB Reason) Reason {
	switch {
	case a == no:
		return ifA
	case b == no:
		return ifB
	}
	return RequireUnknown
}

func (e referee) lasting(r placed) verdict  { return min(e.network(r), e.time(r)) }
func (e referee) bySignIn(r placed) verdict { return min(e.provider(r), e.member(r)) }

func (e referee) network(r placed) verdict {
	if r.Conditions.SourceCIDRs == nil {
		return yes
	}
	if !e.r.SourceIP.IsValid() {
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
	switch {
	case from.IsZero() && until.IsZero():
		return yes
	case e.r.Now.IsZero():
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
	return e.any(r.Conditions.MembersOf, e.inGroup)
}

func (e referee) any(names []string, is func(string) verdict) verdict {
	v := no
	for _, n := range names {
		v = max(v, is(n))
	}
	return v
}

func (e referee) inScope(r Rule) verdict { return e.any(r.Principals, e.is) }

func (e referee) is(principal string) verdict {
	kind, name, _ := strings.Cut(principal, ":")
	email, _ := CanonicalEmail(e.id.Email)
	switch person, machine := e.id.Kind == Person, e.id.Kind == Machine; kind {
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

func (e referee) inGroup(id string) verdict {
	if e.id.Kind == Anonymous {
		return no
	}
	v := no
	for _, g := range e.source.Groups {
		for _, m := range g.Members {
			switch {
			case g.ID != id:
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
	}
	return v
}
