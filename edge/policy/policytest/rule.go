package policytest

import (
	"slices"
	"strings"
)

// addTo changes a copy of a policy: worlds share what they point to.
func (b *builder) addTo(policy, app string, change func(*Policy)) {
	i := slices.IndexFunc(b.Policies, func(p *Policy) bool { return p.ID == policy })
	if i < 0 {
		i = len(b.Policies)
		b.Policies = append(b.Policies, &Policy{ID: policy, Mode: "ENFORCED", Apps: list(app)})
	}
	p := *b.Policies[i]
	p.Rules, p.Exemptions = slices.Clone(p.Rules), slices.Clone(p.Exemptions)
	change(&p)
	b.Policies[i] = &p
}

// addRule reads: EFFECT PRINCIPALS OPERATIONS [CONDITION]… [expr=] [say=] [app=].
func (b *builder) addRule(policy, id string, fields []string) {
	if len(fields) < 3 {
		b.fail("a rule has an effect, principals and operations")
		return
	}
	r := Rule{ID: id, Effect: fields[0], Principals: list(fields[1])}
	r.Roles, r.Operations = operations(fields[2])
	app := "api"
	for _, f := range fields[3:] {
		switch key, value, _ := strings.Cut(f, "="); key {
		case "expr":
			r.Expression = b.unquote(value)
		case "say":
			r.Remediation = b.unquote(value)
		case "app":
			app = value
		default:
			b.condition(&r.Conditions, key, value)
		}
	}
	b.addTo(policy, app, func(p *Policy) { p.Rules = append(p.Rules, r) })
}

// operations tells roles, which are written @name, from operations.
func operations(text string) (roles, names []string) {
	if text == "[]" {
		return nil, []string{}
	}
	for _, name := range list(text) {
		role, isRole := strings.CutPrefix(name, "@")
		switch {
		case !isRole:
			names = append(names, name)
		case role == "":
			roles = []string{}
		default:
			roles = append(roles, role)
		}
	}
	return roles, names
}

func (b *builder) condition(c *Conditions, key, value string) {
	switch key {
	case "cidr":
		c.SourceCIDRs = list(value)
	case "country":
		c.Countries = list(value)
	case "window":
		if value == "[]" {
			c.TimeWindows = []Window{}
		} else {
			c.TimeWindows = append(c.TimeWindows, b.window(value))
		}
	case "from":
		c.NotBefore = b.instant(value, noon)
	case "to":
		c.NotAfter = b.instant(value, noon)
	case "age":
		c.MaxAuthAge = b.duration(value)
	case "acr":
		c.RequiredACR = list(value)
	case "amr":
		c.RequiredAMR = list(value)
	case "idp":
		c.IDPs = list(value)
	case "in":
		c.MembersOf = list(value)
	case "device", "reported":
		if c.Device == nil {
			c.Device = &DeviceCondition{}
		}
		b.deviceCondition(c.Device, key, value)
	default:
		b.fail("there is no condition %q", key)
	}
}

func (b *builder) deviceCondition(d *DeviceCondition, key, value string) {
	if key == "reported" {
		d.MaxReportAge = b.duration(value)
		return
	}
	for _, want := range list(value) {
		name, isPosture := strings.CutPrefix(want, "posture:")
		switch {
		case want == "managed":
			d.Managed = true
		case want == "compliant":
			d.Compliant = true
		case isPosture:
			d.Posture = append(d.Posture, name)
		default:
			b.fail("there is no device condition %q", want)
		}
	}
}

// addExemption reads: PRINCIPALS [app=…] [to=…].
func (b *builder) addExemption(policy, id string, fields []string) {
	e := Exemption{ID: id, Principals: list(fields[0])}
	for _, f := range fields[1:] {
		switch key, value, _ := strings.Cut(f, "="); key {
		case "app":
			e.Apps = list(value)
		case "to":
			e.NotAfter = b.instant(value, noon)
		default:
			b.fail("what is %q of an exemption?", f)
		}
	}
	b.addTo(policy, "", func(p *Policy) { p.Exemptions = append(p.Exemptions, e) })
}

// addGrant reads: PRINCIPALS OPERATIONS [from=…] to=… [app=…].
func (b *builder) addGrant(id string, fields []string) {
	if len(fields) < 2 {
		b.fail("a grant has principals and operations")
		return
	}
	g := &Grant{ID: id, App: "api", Principals: list(fields[0])}
	g.Roles, g.Operations = operations(fields[1])
	for _, f := range fields[2:] {
		switch key, value, _ := strings.Cut(f, "="); key {
		case "from":
			g.NotBefore = b.instant(value, noon)
		case "to":
			g.NotAfter = b.instant(value, noon)
		case "app":
			g.App = value
		default:
			b.fail("what is %q of a grant?", f)
		}
	}
	b.Grants = append(b.Grants, g)
}
