package snapshot

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/policy/window"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// source is what policies depend on. What is as it was before is the same list, so that the program is made again only of
// what is not.
func (c *config) makeSource(prev *config, shut map[string]bool, all bool) {
	s := &c.source
	for _, r := range c.lane.of("App") {
		app := r.form.(*policy.App)
		if all || shut[app.ID] || r.app.Closed {
			shutApp := *app
			shutApp.Closed = true
			app = &shutApp
		}
		s.Apps = append(s.Apps, app)
	}
	if prev == nil {
		prev = &config{lane: &lane{}}
	}
	s.Roles = forms(prev.source.Roles, prev.lane, c.lane, "Role")
	s.Groups = forms(prev.source.Groups, prev.lane, c.lane, "Group")
	s.Memberships = forms(prev.source.Memberships, prev.lane, c.lane, "Membership")
	s.Policies = forms(prev.source.Policies, prev.lane, c.lane, "Policy")
	s.Grants = forms(prev.source.Grants, prev.lane, c.lane, "Grant")
	s.Providers = idsOf(c.lane.of("IdentityProvider"))
	s.ServiceAccounts = idsOf(c.lane.of("ServiceAccount"))
}

func forms[F any](before []F, from, to *lane, kind string) []F {
	if same(from, to, kind) {
		return before
	}
	resources := to.of(kind)
	list := make([]F, len(resources))
	for i, r := range resources {
		list[i] = r.form.(F)
	}
	return list
}

// same reports whether two lanes have the very same resources of a kind.
func same(a, b *lane, kind string) bool { return slices.Equal(a.of(kind), b.of(kind)) }

func idsOf(resources []*resource) []string {
	list := make([]string, len(resources))
	for i, r := range resources {
		list[i] = r.GetId()
	}
	return list
}

func appOf(m *edgev1.App) *policy.App {
	app := &policy.App{ID: m.GetId(), Labels: m.GetLabels(), Disabled: m.GetDisabled()}
	for _, op := range m.GetOperations() {
		app.Operations = append(app.Operations, policy.Operation{ID: op.GetId(), Access: access(op.GetAccess())})
	}
	return app
}

func roleOf(m *edgev1.Role) *policy.Role {
	role := &policy.Role{ID: m.GetId(), Operations: m.GetOperations()}
	for _, a := range m.GetAccess() {
		role.Access = append(role.Access, access(a))
	}
	return role
}

// groupOf gives a group that is not understood a member that is none, which makes it unknown who is in it.
func groupOf(m *edgev1.Group, understood bool) *policy.Group {
	group := &policy.Group{ID: m.GetId()}
	for _, member := range m.GetMembers() {
		group.Members = append(group.Members, policy.Member{
			User: member.GetUser(), ServiceAccount: member.GetServiceAccount(), Group: member.GetGroup(),
			IDPGroup: policy.IDPGroup{IDP: member.GetIdpGroup().GetIdp(), Name: member.GetIdpGroup().GetName()},
		})
	}
	if !understood {
		group.Members = append(group.Members, policy.Member{})
	}
	return group
}

func policyOf(m *edgev1.Policy) *policy.Policy {
	p := &policy.Policy{ID: m.GetId(), Mode: policy.Enforced, Apps: m.GetApps()}
	if mode := m.GetMode(); mode != edgev1.PolicyMode_POLICY_MODE_UNSPECIFIED {
		p.Mode = policy.Mode(strings.TrimPrefix(mode.String(), "POLICY_MODE_"))
	}
	for _, l := range m.GetSelector() {
		p.Selector = append(p.Selector, policy.LabelRequirement{
			Key: l.GetKey(), Values: l.GetValues(), Unset: policy.Unset(strings.TrimPrefix(l.GetUnset().String(), "UNSET_LABEL_")),
		})
	}
	for _, e := range m.GetExemptions() {
		p.Exemptions = append(p.Exemptions, policy.Exemption{ID: e.GetId(), Principals: e.GetPrincipals(), Apps: e.GetApps(), NotAfter: instant(e.GetNotAfter())})
	}
	for _, r := range m.GetRules() {
		p.Rules = append(p.Rules, policy.Rule{
			ID: r.GetId(), Effect: effect(r.GetEffect()), Principals: r.GetPrincipals(), Roles: r.GetRoles(),
			Operations: r.GetOperations(), Conditions: conditionsOf(r.GetConditions()), Expression: r.GetExpression(), Remediation: r.GetRemediation(),
		})
	}
	return p
}

func grantOf(m *edgev1.Grant) *policy.Grant {
	return &policy.Grant{
		ID: m.GetId(), App: m.GetApp(), Principals: m.GetPrincipals(), Roles: m.GetRoles(), Operations: m.GetOperations(),
		NotBefore: instant(m.GetNotBefore()), NotAfter: instant(m.GetNotAfter()),
	}
}

func conditionsOf(m *edgev1.Conditions) policy.Conditions {
	c := policy.Conditions{
		SourceCIDRs: m.GetSourceCidrs(), Countries: m.GetCountries(), NotBefore: instant(m.GetNotBefore()), NotAfter: instant(m.GetNotAfter()),
		MaxAuthAge: m.GetMaxAuthAge().AsDuration(), RequiredACR: m.GetRequiredAcr(), RequiredAMR: m.GetRequiredAmr(),
		IDPs: m.GetIdps(), MembersOf: m.GetMembersOf(),
	}
	for _, w := range m.GetTimeWindows() {
		hours := window.Window{Start: w.GetStart(), End: w.GetEnd(), Zone: w.GetZone()}
		for _, day := range w.GetDays() {
			hours.Days = append(hours.Days, strings.TrimPrefix(day.String(), "DAY_OF_WEEK_"))
		}
		c.TimeWindows = append(c.TimeWindows, hours)
	}
	if d := m.GetDevice(); d != nil {
		c.Device = &policy.DeviceCondition{
			Managed: d.GetManaged(), Compliant: d.GetCompliant(), Posture: d.GetPosture(), MaxReportAge: d.GetMaxReportAge().AsDuration(),
		}
	}
	return c
}

// access and effect, and the modes, days and unset labels above, translate what is not known to what policy.Compile
// refuses.
func access(a edgev1.Access) policy.Access {
	switch a {
	case edgev1.Access_ACCESS_READ:
		return policy.Read
	case edgev1.Access_ACCESS_WRITE:
		return policy.Write
	case edgev1.Access_ACCESS_ADMIN:
		return policy.Admin
	default:
		return policy.Access(a.String())
	}
}

func effect(e edgev1.Effect) policy.Effect {
	switch e {
	case edgev1.Effect_EFFECT_ALLOW:
		return policy.AllowEffect
	case edgev1.Effect_EFFECT_DENY:
		return policy.DenyEffect
	case edgev1.Effect_EFFECT_REQUIRE:
		return policy.RequireEffect
	default:
		return policy.Effect(e.String())
	}
}

func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
