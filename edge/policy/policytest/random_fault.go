package policytest

import (
	"slices"
	"time"
)

// Spoil puts a fault into a world, of which an engine has to tell, and which must
// not make it allow more.
func (d Dice) Spoil(w *World) *World {
	s := *w
	switch d(8) {
	case 0:
		s.Roles = []*Role{{ID: "own", Operations: []string{"inv*"}}}
	case 1:
		s.Groups = slices.Clone(w.Groups)
		i := d(len(s.Groups))
		faulty := []Member{{User: "nobody"}, {ServiceAccount: "gone"}, {Group: s.Groups[i].ID}, {Group: "gone"}, {IDPGroup: IDPGroup{"gone", "v0"}}, {}}
		s.Groups[i] = &Group{ID: s.Groups[i].ID, Members: append(slices.Clone(s.Groups[i].Members), pick(d, faulty))}
	case 2:
		s.Memberships = append(slices.Clone(w.Memberships), &Membership{User: "nobody", Groups: []string{"g0"}})
	case 3:
		s.Grants = append(slices.Clone(w.Grants), d.grant("z"))
		faulty := *s.Grants[len(s.Grants)-1]
		pick(d, []func(){
			func() { faulty.NotAfter = time.Time{} },
			func() { faulty.Principals = []string{"group:gone"} },
			func() { faulty.Operations = []string{"gone"} },
		})()
		s.Grants[len(s.Grants)-1] = &faulty
	default:
		s.Policies = slices.Clone(w.Policies)
		i := d(len(s.Policies))
		p := *s.Policies[i]
		p.Rules = slices.Clone(p.Rules)
		d.spoilPolicy(&p)
		s.Policies[i] = &p
	}
	return &s
}

func (d Dice) spoilPolicy(p *Policy) {
	r := &p.Rules[d(len(p.Rules))]
	pick(d, []func(){
		func() { p.Mode = "MAYBE" },
		func() {
			p.Exemptions = append(slices.Clone(p.Exemptions), Exemption{ID: "bad", Principals: []string{"group:gone"}})
		},
		func() { r.Principals = []string{"group:gone"} },
		func() { r.Principals = append(slices.Clone(r.Principals), "nobody") },
		func() { r.Effect = "PERMIT" },
		func() { r.Roles, r.Operations = []string{"gone"}, nil },
		func() { r.Roles, r.Operations = nil, []string{"in*"} },
		func() { r.Conditions.SourceCIDRs = []string{"10.0.0.1/8"} },
		func() { r.Conditions.Countries = []string{"de"} },
		func() { r.Conditions.TimeWindows = []Window{{Start: "09:00", End: "17:00", Zone: "Nowhere/At_All"}} },
		func() { r.Conditions.Device = &DeviceCondition{} },
		func() { r.Conditions.MaxAuthAge = -time.Hour },
		func() { r.Conditions.RequiredACR = []string{} },
		func() { r.Conditions.RequiredAMR = []string{} },
		func() { r.Conditions.IDPs = []string{"gone"} },
		func() { r.Conditions.MembersOf = []string{"gone"} },
		func() { r.Conditions.NotBefore, r.Conditions.NotAfter = noon, noon },
		func() { r.Expression = `principal.shoe_size > 43` },
	})()
}
