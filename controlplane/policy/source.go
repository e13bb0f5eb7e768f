package policy

import (
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/policy/window"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// Enum values of the API are the evaluator's behind a prefix. One that is not known there, compiling refuses.

func appOf(r *controlplane.Resource, spec *controlplane.App) *policy.App {
	app := &policy.App{ID: r.ID, Labels: r.Labels, Disabled: spec.Disabled}
	for _, o := range Operations(spec) {
		app.Operations = append(app.Operations, policy.Operation{ID: o.ID, Access: accessClass(o.Access)})
	}
	return app
}

// Operations are what can be done in an app, defaults filled in: of an app that declares none, `read` is GET and HEAD, and
// `write` is everything else; what declares no access class is READ if none of its methods changes anything.
func Operations(app *controlplane.App) []controlplane.Operation {
	if len(app.Operations) == 0 {
		everywhere := []string{"/**"}
		return []controlplane.Operation{
			{ID: route.DefaultRead, Methods: []string{"GET"}, Paths: everywhere, Access: accessPrefix + string(policy.Read)},
			{ID: route.DefaultWrite, Methods: []string{"*", route.WebSocket}, Paths: everywhere, Access: accessPrefix + string(policy.Write)},
		}
	}
	operations := make([]controlplane.Operation, len(app.Operations))
	for i, o := range app.Operations {
		if o.Access == "" || o.Access == accessPrefix+"UNSPECIFIED" {
			o.Access = accessPrefix + string(policy.DefaultAccess(o.Methods))
		}
		operations[i] = o
	}
	return operations
}

const accessPrefix = "ACCESS_CLASS_"

func accessClass(class string) policy.Access {
	return policy.Access(strings.TrimPrefix(class, accessPrefix))
}

func accessOf(classes []string) []policy.Access {
	var access []policy.Access
	for _, c := range classes {
		access = append(access, accessClass(c))
	}
	return access
}

// groupOf leaves people out: see [Site.enrol].
func groupOf(id string, spec *controlplane.Group) *policy.Group {
	group := &policy.Group{ID: id}
	for _, m := range spec.Members {
		if _, ok := policy.CanonicalEmail(m.User); ok {
			continue
		}
		member := policy.Member{User: m.User, ServiceAccount: m.ServiceAccount, Group: m.Group}
		if m.IDPGroup != nil {
			member.IDPGroup = policy.IDPGroup{IDP: m.IDPGroup.IDP, Name: m.IDPGroup.Name}
		}
		group.Members = append(group.Members, member)
	}
	return group
}

func policyOf(id string, spec *controlplane.Policy) *policy.Policy {
	p := &policy.Policy{ID: id, Apps: spec.Apps, Mode: policy.Enforced}
	if spec.Mode != "" {
		p.Mode = policy.Mode(strings.TrimPrefix(spec.Mode, "POLICY_MODE_"))
	}
	p.Selector = selectorOf(spec.Selector)
	for _, e := range spec.Exemptions {
		p.Exemptions = append(p.Exemptions, policy.Exemption{ID: e.ID, Principals: e.Principals, Apps: e.Apps, NotAfter: instant(e.NotAfter)})
	}
	for _, r := range spec.Rules {
		p.Rules = append(p.Rules, policy.Rule{
			ID: r.ID, Effect: policy.Effect(strings.TrimPrefix(r.Effect, "EFFECT_")),
			Principals: r.Principals, Roles: r.Roles, Operations: r.Operations,
			Conditions: conditionsOf(r.Conditions), Expression: r.Expression,
			Description: r.Description, Remediation: r.Remediation,
		})
	}
	return p
}

func selectorOf(requirements []controlplane.LabelRequirement) []policy.LabelRequirement {
	var selector []policy.LabelRequirement
	for _, l := range requirements {
		requirement := policy.LabelRequirement{Key: l.Key, Values: l.Values, Unset: policy.UnsetMatches}
		if l.Unset != "" {
			requirement.Unset = policy.Unset(strings.TrimPrefix(l.Unset, "UNSET_LABEL_"))
		}
		selector = append(selector, requirement)
	}
	return selector
}

func grantOf(id string, spec *controlplane.Grant) *policy.Grant {
	return &policy.Grant{
		ID: id, App: spec.App, Principals: spec.Principals, Roles: spec.Roles, Operations: spec.Operations,
		NotBefore: instant(spec.NotBefore), NotAfter: instant(spec.NotAfter),
	}
}

func conditionsOf(c *controlplane.Conditions) policy.Conditions {
	if c == nil {
		return policy.Conditions{}
	}
	conditions := policy.Conditions{
		SourceCIDRs: c.SourceCIDRs, Countries: c.Countries, NotBefore: instant(c.NotBefore), NotAfter: instant(c.NotAfter),
		MaxAuthAge: length(c.MaxAuthAge), RequiredACR: c.RequiredACR, RequiredAMR: c.RequiredAMR, IDPs: c.IDPs, MembersOf: c.MembersOf,
	}
	for _, w := range c.TimeWindows {
		hours := window.Window{Start: w.Start, End: w.End, Zone: w.Zone}
		for _, day := range w.Days {
			hours.Days = append(hours.Days, strings.TrimPrefix(day, "DAY_OF_WEEK_"))
		}
		conditions.TimeWindows = append(conditions.TimeWindows, hours)
	}
	if d := c.Device; d != nil {
		conditions.Device = &policy.DeviceCondition{Managed: d.Managed, Compliant: d.Compliant, Posture: d.Posture, MaxReportAge: length(d.MaxReportAge)}
	}
	return conditions
}

func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func length(d *controlplane.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}
