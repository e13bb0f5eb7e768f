package policytest

import (
	"fmt"
	"slices"
	"time"
)

// Dice gives a number from 0 to n-1. With a seeded source, worlds can be made
// again; with one that shrinks, they get smaller.
type Dice func(n int) int

// RandomWorld makes a world that compiles without a problem. Its universe is
// small, so that rules meet.
func (d Dice) RandomWorld() *World {
	w := &World{
		Apps: []*App{
			{ID: "app", Operations: []Operation{{"read", "READ"}, {"write", "WRITE"}, {"inv.read", "READ"}, {"inv.pay", "ADMIN"}}, Labels: d.labels()},
			{ID: "off", Disabled: d.one(3), Closed: d.one(6), Labels: d.labels()},
			{ID: "other", Labels: d.labels()},
		},
		Roles:           []*Role{{ID: "own", Operations: []string{"inv.*"}, Access: []string{"WRITE"}}},
		Providers:       []string{"i0", "i1"},
		ServiceAccounts: []string{"s0", "s1"},
	}
	for g := range 4 {
		w.Groups = append(w.Groups, d.group(g))
	}
	for _, user := range someUsers {
		if d.one(2) {
			w.Memberships = append(w.Memberships, &Membership{User: user, Groups: d.some(someGroups, 1, 2)})
		}
	}
	for p := range 1 + d(4) {
		w.Policies = append(w.Policies, d.policy(fmt.Sprintf("p%d", p)))
	}
	if d.one(16) {
		d.widen(w)
	}
	for g := range d(3) {
		if d.one(2) {
			w.Grants = append(w.Grants, d.grant(fmt.Sprintf("x%d", g)))
		}
	}
	return w
}

var (
	somePrincipals = []string{
		"anyone", "authenticated", "people", "people", "serviceAccounts", "group:g0", "group:g1", "group:g2", "group:g3",
		"user:a@x.test", "user:b@y.test", "domain:x.test", "domain:y.test", "idp:i0", "idp:i1", "serviceAccount:s0", "serviceAccount:s1",
	}
	someOperations = []string{"read", "write", "inv.read", "inv.pay", "inv.*", "*"}
	someRoles      = []string{"viewer", "user", "admin", "own"}
	someGroups     = []string{"g0", "g1", "g2", "g3"}
	someValues     = []string{"v0", "v1", "v2"}
	someIDPs       = []string{"i0", "i1"}
	someAccounts   = []string{"s0", "s1"}
	someUsers      = []string{"a@x.test", "b@y.test"}
	someNetworks   = []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "::/0", "2001:db8::/32", "::ffff:10.0.0.0/104"}
	someCountries  = []string{"DE", "FR", "US", "unknown"}
	someWindows    = []Window{
		{[]string{"MONDAY", "TUESDAY"}, "00:00", "24:00", "UTC"},
		{nil, "02:00", "09:00", "Europe/Berlin"},
		{[]string{"SUNDAY"}, "22:00", "06:00", "America/New_York"},
		{nil, "12:00", "12:00", "Asia/Kathmandu"},
	}
	someACR     = []string{"gold", "silver"}
	someAMR     = []string{"otp", "hwk"}
	somePosture = []string{"disk", "firewall"}
	someAges    = []time.Duration{5 * time.Minute, time.Hour, 3 * time.Hour}
)

// widen adds so many groups and rules that an index has several words of each.
func (d Dice) widen(w *World) {
	for g := range 40 + d(60) {
		w.Groups = append(w.Groups, &Group{ID: fmt.Sprintf("w%02d", g), Members: []Member{{User: fmt.Sprintf("u%d@w.test", d(100))}, {Group: pick(d, someGroups)}}})
	}
	p := &Policy{ID: "wide", Mode: "ENFORCED", Apps: []string{"app"}}
	for i := range 40 + d(160) {
		r := Rule{ID: fmt.Sprintf("r%03d", i), Effect: "ALLOW", Operations: d.some(someOperations, 1, 1)}
		r.Principals = []string{fmt.Sprintf("user:u%d@w.test", d(100)), "group:" + w.Groups[d(len(w.Groups))].ID}[:1+d(2)]
		for range d(3) {
			d.condition(&r)
		}
		if d.one(8) && len(r.Principals) == 1 {
			r.Effect = pick(d, []string{"DENY", "REQUIRE"})
			d.condition(&r)
		}
		p.Rules = append(p.Rules, r)
	}
	w.Policies = append(w.Policies, p)
}

// one is true once in n times.
func (d Dice) one(n int) bool { return d(n) == 0 }

func pick[T any](d Dice, list []T) T { return list[d(len(list))] }

// some picks from..to different ones, in any order.
func (d Dice) some(list []string, from, to int) []string {
	return pickSome(d, list, from, to)
}

func pickSome[T any](d Dice, list []T, from, to int) []T {
	picked, left := []T{}, slices.Clone(list)
	for range from + d(to-from+1) {
		i := d(len(left))
		picked, left = append(picked, left[i]), slices.Delete(left, i, i+1)
	}
	return picked
}

func (d Dice) labels() map[string]string {
	labels := map[string]string{}
	for _, key := range []string{"tier", "zone"} {
		if v := d(3); v > 0 {
			labels[key] = fmt.Sprint(v)
		}
	}
	return labels
}

// group has only groups before it as members, so there is no cycle.
func (d Dice) group(g int) *Group {
	group := &Group{ID: fmt.Sprintf("g%d", g)}
	for range d(4) {
		var m Member
		switch kind := d(5); {
		case kind == 0:
			m.User = pick(d, someUsers)
		case kind == 1:
			m.ServiceAccount = pick(d, someAccounts)
		case kind == 2 && g > 0:
			m.Group = fmt.Sprintf("g%d", d(g))
		default:
			m.IDPGroup = IDPGroup{pick(d, someIDPs), pick(d, someValues)}
		}
		group.Members = append(group.Members, m)
	}
	return group
}

func (d Dice) policy(id string) *Policy {
	p := &Policy{ID: id, Mode: "ENFORCED"}
	if d.one(4) {
		p.Mode = "SHADOW"
	}
	effects := []string{"ALLOW", "ALLOW", "ALLOW", "DENY", "REQUIRE"}
	if rail := d.one(3); rail {
		effects = []string{"DENY", "REQUIRE"}
		p.Selector = d.selector()
		for e := range d(3) {
			x := Exemption{ID: fmt.Sprintf("e%d", e), Principals: d.some(somePrincipals[1:], 1, 2)}
			if d.one(3) {
				x.Apps = []string{"other"}
			}
			if d.one(3) {
				x.NotAfter = d.instant()
			}
			p.Exemptions = append(p.Exemptions, x)
		}
	} else {
		p.Apps = append([]string{"app"}, d.some([]string{"off", "other"}, 0, 2)...) // app has every operation that rules name
	}
	for r := range 1 + d(4) {
		p.Rules = append(p.Rules, d.Rule(fmt.Sprintf("r%d", r), pick(d, effects)))
	}
	if last := len(p.Rules) - 1; last > 0 && d.one(4) { // many rules require the same
		if like := &p.Rules[0]; p.Rules[last].Effect != "REQUIRE" || like.Effect == "REQUIRE" {
			p.Rules[last].Conditions, p.Rules[last].Expression = like.Conditions, like.Expression
		}
	}
	return p
}

func (d Dice) selector() (selector []LabelRequirement) {
	for _, key := range pickSome(d, []string{"tier", "zone"}, 1, 2) {
		selector = append(selector, LabelRequirement{Key: key, Values: d.some([]string{"1", "2"}, 1, 2), Unset: pick(d, []string{"MATCH", "NO_MATCH"})})
	}
	return selector
}

// Rule makes a rule that fits the app "app" of a random world.
func (d Dice) Rule(id, effect string) Rule {
	r := Rule{ID: id, Effect: effect, Principals: d.some(somePrincipals, 1, 3)}
	if d.one(2) {
		r.Roles = d.some(someRoles, 1, 2)
	} else {
		r.Operations = d.some(someOperations, 1, 2)
	}
	for range d(3) {
		d.condition(&r)
	}
	if effect == "REQUIRE" {
		d.condition(&r)
	}
	if d.one(3) {
		r.Remediation = "Do this about " + id + "."
	}
	return r
}

func (d Dice) condition(r *Rule) {
	c := &r.Conditions
	switch d(12) {
	case 0:
		c.SourceCIDRs = d.some(someNetworks, 1, 3)
	case 1:
		c.Countries = d.some(someCountries, 1, 2)
	case 2:
		c.TimeWindows = pickSome(d, someWindows, 1, 2)
	case 3:
		c.NotBefore = noon.Add(time.Duration(d(6)) * time.Hour)
	case 4:
		c.NotAfter = noon.Add(time.Duration(6+d(6)) * time.Hour)
	case 5:
		c.Device = &DeviceCondition{Managed: d.one(2), Compliant: d.one(2), MaxReportAge: pick(d, append(someAges, 0))}
		if c.Device.Posture = d.some(somePosture, 0, 2); len(c.Device.Posture) == 0 {
			c.Device.Posture, c.Device.Managed = nil, true
		}
	case 6:
		c.MaxAuthAge = pick(d, someAges)
	case 7:
		c.RequiredACR = d.some(someACR, 1, 2)
	case 8:
		c.RequiredAMR = d.some(someAMR, 1, 2)
	case 9:
		c.IDPs = d.some(someIDPs, 1, 1)
	case 10:
		c.MembersOf = d.some(someGroups, 1, 2)
	default:
		r.Expression = d.Expression()
	}
}

func (d Dice) grant(id string) *Grant {
	return &Grant{
		ID: id, App: pick(d, []string{"app", "app", "off"}), Principals: d.some(somePrincipals[1:], 1, 2), Operations: d.some([]string{"read", "write"}, 1, 2),
		NotBefore: pick(d, []time.Time{{}, noon.Add(-time.Hour), noon.Add(2 * time.Hour)}), NotAfter: noon.Add(time.Duration(3+d(6)) * time.Hour),
	}
}
