package snapshot

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport-iap/sallyport/edge/policy"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// source translates what policies depend on. closed says which apps are closed already.
func (d *documents) source(closed func(appID string) bool) policy.Source {
	s := policy.Source{}
	for _, a := range d.apps {
		app := &policy.App{ID: a.GetId(), Disabled: a.GetDisabled(), Closed: closed(a.GetId())}
		for _, op := range a.GetOperations() {
			app.Operations = append(app.Operations, policy.Operation{ID: op.GetId(), Access: access(op.GetAccess())})
		}
		s.Apps = append(s.Apps, app)
	}
	for _, r := range d.roles {
		role := &policy.Role{ID: r.GetId(), Operations: r.GetOperations()}
		for _, a := range r.GetAccess() {
			role.Access = append(role.Access, access(a))
		}
		s.Roles = append(s.Roles, role)
	}
	for _, g := range d.groups {
		group := &policy.Group{ID: g.GetId()}
		for _, m := range g.GetMembers() {
			group.Members = append(group.Members, policy.Member{
				User: m.GetUser(), ServiceAccount: m.GetServiceAccount(), Group: m.GetGroup(),
				IDPGroup: policy.IDPGroup{IDP: m.GetIdpGroup().GetIdp(), Name: m.GetIdpGroup().GetName()},
			})
		}
		s.Groups = append(s.Groups, group)
	}
	for _, p := range d.policies {
		s.Policies = append(s.Policies, policyOf(p))
	}
	for _, p := range d.providers {
		s.Providers = append(s.Providers, p.message.GetId())
	}
	for _, a := range d.accounts {
		s.ServiceAccounts = append(s.ServiceAccounts, a.GetId())
	}
	return s
}

func policyOf(m *edgev1.Policy) *policy.Policy {
	p := &policy.Policy{ID: m.GetId(), Apps: m.GetApps()}
	for _, r := range m.GetRules() {
		c := r.GetConditions()
		p.Rules = append(p.Rules, policy.Rule{
			ID: r.GetId(), Effect: effect(r.GetEffect()), Principals: r.GetPrincipals(), Roles: r.GetRoles(),
			Operations: r.GetOperations(), Remediation: r.GetRemediation(),
			Conditions: policy.Conditions{
				SourceCIDRs: c.GetSourceCidrs(), IDPs: c.GetIdps(), MembersOf: c.GetMembersOf(),
				NotBefore: instant(c.GetNotBefore()), NotAfter: instant(c.GetNotAfter()),
			},
		})
	}
	return p
}

// access and effect translate what is not known to what policy.Compile refuses.
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
