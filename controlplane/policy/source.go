package policy

import (
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
)

// Source is what edges make of the same resources.
func Source(resources []*controlplane.Resource) policy.Source {
	var source policy.Source
	for _, r := range resources {
		switch spec := r.Spec.(type) {
		case *controlplane.App:
			source.Apps = append(source.Apps, appOf(r.ID, spec))
		case *controlplane.Role:
			source.Roles = append(source.Roles, &policy.Role{ID: r.ID, Operations: spec.Operations, Access: accessOf(spec.Access)})
		case *controlplane.Group:
			source.Groups = append(source.Groups, groupOf(r.ID, spec))
		case *controlplane.Policy:
			source.Policies = append(source.Policies, policyOf(r.ID, spec))
		case *controlplane.IdentityProvider:
			source.Providers = append(source.Providers, r.ID)
		case *controlplane.ServiceAccount:
			source.ServiceAccounts = append(source.ServiceAccounts, r.ID)
		}
	}
	return source
}

func appOf(id string, spec *controlplane.App) *policy.App {
	app := &policy.App{ID: id, Disabled: spec.Disabled}
	for _, o := range spec.Operations {
		access := policy.Access(strings.TrimPrefix(o.Access, "ACCESS_CLASS_"))
		if o.Access == "" {
			access = policy.DefaultAccess(o.Methods)
		}
		app.Operations = append(app.Operations, policy.Operation{ID: o.ID, Access: access})
	}
	return app
}

func accessOf(classes []string) []policy.Access {
	var access []policy.Access
	for _, c := range classes {
		access = append(access, policy.Access(strings.TrimPrefix(c, "ACCESS_CLASS_")))
	}
	return access
}

func groupOf(id string, spec *controlplane.Group) *policy.Group {
	group := &policy.Group{ID: id}
	for _, m := range spec.Members {
		member := policy.Member{User: m.User, ServiceAccount: m.ServiceAccount, Group: m.Group}
		if m.IDPGroup != nil {
			member.IDPGroup = policy.IDPGroup{IDP: m.IDPGroup.IDP, Name: m.IDPGroup.Name}
		}
		group.Members = append(group.Members, member)
	}
	return group
}

func policyOf(id string, spec *controlplane.Policy) *policy.Policy {
	p := &policy.Policy{ID: id, Apps: spec.Apps}
	for _, r := range spec.Rules {
		p.Rules = append(p.Rules, policy.Rule{
			ID: r.ID, Effect: policy.Effect(strings.TrimPrefix(r.Effect, "EFFECT_")),
			Principals: r.Principals, Roles: r.Roles, Operations: r.Operations,
			Conditions: conditionsOf(r.Conditions), Remediation: r.Remediation,
		})
	}
	return p
}

func conditionsOf(c *controlplane.Conditions) policy.Conditions {
	if c == nil {
		return policy.Conditions{}
	}
	return policy.Conditions{
		SourceCIDRs: c.SourceCIDRs, IDPs: c.IDPs, MembersOf: c.MembersOf,
		NotBefore: instant(c.NotBefore), NotAfter: instant(c.NotAfter),
	}
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
