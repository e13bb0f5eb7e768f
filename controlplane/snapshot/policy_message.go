package snapshot

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/controlplane"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
)

// An enum value of the API that is not known here becomes "unspecified", which closes the app at the edge; but for the
// mode, where that is the usual one.

// unknownMode is no mode.
const unknownMode edgev1.PolicyMode = -1

func policyMessage(r *controlplane.Resource, p *controlplane.Policy) *edgev1.Policy {
	policy := &edgev1.Policy{Id: r.ID, Uid: string(r.UID), Apps: p.Apps}
	switch p.Mode {
	case "", "POLICY_MODE_ENFORCED":
	case controlplane.ShadowMode:
		policy.Mode = edgev1.PolicyMode_POLICY_MODE_SHADOW
	default:
		policy.Mode = unknownMode
	}
	for _, requirement := range p.Selector {
		m := &edgev1.LabelRequirement{Key: requirement.Key, Values: requirement.Values, Unset: edgev1.UnsetLabel_UNSET_LABEL_MATCH}
		if requirement.Unset != "" {
			m.Unset = edgev1.UnsetLabel(edgev1.UnsetLabel_value[requirement.Unset])
		}
		policy.Selector = append(policy.Selector, m)
	}
	for _, exemption := range p.Exemptions {
		policy.Exemptions = append(policy.Exemptions, &edgev1.Exemption{
			Id: exemption.ID, Principals: exemption.Principals, Apps: exemption.Apps, NotAfter: timestamp(exemption.NotAfter),
		})
	}
	for _, rule := range p.Rules {
		policy.Rules = append(policy.Rules, &edgev1.Rule{
			Id: rule.ID, Effect: edgev1.Effect(edgev1.Effect_value[rule.Effect]),
			Principals: rule.Principals, Roles: rule.Roles, Operations: rule.Operations, Remediation: rule.Remediation,
			Conditions: conditionsMessage(rule.Conditions), Expression: rule.Expression,
		})
	}
	return policy
}

func conditionsMessage(c *controlplane.Conditions) *edgev1.Conditions {
	if c == nil {
		return nil
	}
	m := &edgev1.Conditions{
		SourceCidrs: c.SourceCIDRs, Countries: c.Countries, NotBefore: timestamp(c.NotBefore), NotAfter: timestamp(c.NotAfter),
		MaxAuthAge: optional(c.MaxAuthAge), RequiredAcr: c.RequiredACR, RequiredAmr: c.RequiredAMR, Idps: c.IDPs, MembersOf: c.MembersOf,
	}
	for _, window := range c.TimeWindows {
		w := &edgev1.TimeWindow{Start: window.Start, End: window.End, Zone: window.Zone}
		for _, day := range window.Days {
			w.Days = append(w.Days, edgev1.DayOfWeek(edgev1.DayOfWeek_value[day]))
		}
		m.TimeWindows = append(m.TimeWindows, w)
	}
	if d := c.Device; d != nil {
		m.Device = &edgev1.DeviceCondition{Managed: d.Managed, Compliant: d.Compliant, Posture: d.Posture, MaxReportAge: optional(d.MaxReportAge)}
	}
	return m
}

func optional(d *controlplane.Duration) *durationpb.Duration {
	if d == nil {
		return nil
	}
	return durationpb.New(time.Duration(*d))
}
