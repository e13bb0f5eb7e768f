package policytest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// noon is the instant of a row that names none: a Monday.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// row reads a case.
func (b *builder) row(text string) (c Case) {
	c.Text = text
	text, c.Pins, _ = cut(text, " ; ")
	c.Pins = strings.TrimSpace(c.Pins)
	parts := split(text, " | ")
	if len(parts) != 3 || c.Pins == "" {
		b.fail("neither a world's line nor a row: %s", text)
		return c
	}
	w := b.clone()
	w.addItems(parts[0])
	// A policy without rules is a heading that this row does not use.
	w.Policies = slices.DeleteFunc(w.Policies, func(p *Policy) bool { return len(p.Rules) == 0 })
	c.World = &w.World
	c.Request = w.request(parts[1])
	c.Want, c.Shadow = w.answer(parts[2])
	return c
}

// addItems reads rules, exemptions and grants joined by " + ".
func (b *builder) addItems(text string) {
	if text == "-" {
		return
	}
	for i, item := range split(text, " + ") {
		name, rest, named := strings.Cut(item, ": ")
		if !named || strings.Contains(name, " ") {
			name, rest = fmt.Sprintf("p.r%d", i+1), item
			if strings.HasPrefix(item, "GRANT ") {
				name = fmt.Sprintf("g%d", i+1)
			}
		}
		fields := words(rest)
		policy, id, _ := strings.Cut(name, ".")
		switch {
		case len(fields) < 2:
			b.fail("not a rule: %q", item)
		case fields[0] == "GRANT":
			b.addGrant(name, fields[1:])
		case fields[0] == "EXEMPT":
			b.addExemption(policy, id, fields[1:])
		default:
			b.addRule(policy, id, fields)
		}
	}
}

// request reads: WHO OPERATION FACTS.
func (b *builder) request(text string) Request {
	fields := words(text)
	q := Request{App: "api", Method: "GET", Host: "api.acme.test", Path: "/", SourceIP: netip.MustParseAddr("192.0.2.1"), Now: noon}
	if len(fields) < 2 {
		b.fail("a request has somebody and an operation")
		return q
	}
	who, known := b.people[fields[0]]
	if !known && fields[0] != "stranger" {
		b.fail("nobody is called %q", fields[0])
	}
	q.Who, q.Operation = who, strings.TrimPrefix(fields[1], "-")
	facts := fields[2:]
	if i := slices.IndexFunc(facts, func(f string) bool { return strings.HasPrefix(f, "at=") }); i >= 0 {
		q.Now = b.instant(facts[i][3:], noon)
	}
	for _, f := range facts {
		key, value, _ := strings.Cut(f, "=")
		b.fact(&q, key, b.long(value))
	}
	return q
}

func (b *builder) fact(q *Request, key, value string) {
	now := q.Now
	if now.IsZero() {
		now = noon
	}
	if b.sessionFact(&q.Who, key, value, now) {
		return
	}
	known := strings.TrimPrefix(value, "?")
	switch key {
	case "at":
	case "app":
		q.App = value
	case "ip":
		q.SourceIP = netip.Addr{}
		if known != "" {
			addr, err := netip.ParseAddr(value)
			if err != nil {
				b.fail("%v", err)
			}
			q.SourceIP = addr
		}
	case "country":
		q.Country = known
	case "method":
		q.Method = known
	case "host":
		q.Host = known
	case "path":
		q.Path = known
	case "device":
		if q.Device = device(known, q.Device); value == "?" {
			q.Device = nil
		}
	case "reported":
		q.Device = device("", q.Device)
		q.Device.ReportedAt = b.instant(value, now)
	default:
		b.fail("there is no fact %q", key)
	}
}

// device reads what is known: managed, !compliant, posture names.
func device(text string, d *Device) *Device {
	if d == nil {
		d = &Device{}
	}
	for _, fact := range list(text) {
		name, isFalse := strings.CutPrefix(fact, "!")
		value := !isFalse
		switch name {
		case "managed":
			d.Managed = &value
		case "compliant":
			d.Compliant = &value
		default:
			if d.Posture == nil {
				d.Posture = map[string]bool{}
			}
			d.Posture[name] = value
		}
	}
	return d
}

// answer reads: OUTCOME reason [policy.rule|grants/ID] ["remediation"] [need] [until=] [shadow=].
func (b *builder) answer(text string) (d Decision, shadow []Shadowed) {
	fields := words(text)
	if len(fields) < 2 || !slices.Contains([]string{"ALLOW", "DENY", "AUTHENTICATE", "STEP_UP"}, fields[0]) {
		b.fail("an answer is an outcome and a reason")
		return d, nil
	}
	d.Outcome, d.Reason = fields[0], fields[1]
	var need []string
	for _, f := range fields[2:] {
		key, value, _ := strings.Cut(f, "=")
		grant, isGrant := strings.CutPrefix(f, "grants/")
		switch {
		case f[0] == '"':
			d.Remediation = b.unquote(f)
		case isGrant:
			d.Grant = grant
		case key == "until":
			d.ValidUntil = b.instant(value, noon)
		case key == "age":
			need = append(need, "age="+b.duration(value).String())
		case key == "acr" || key == "amr":
			need = append(need, f)
		case key == "shadow":
			part := append(strings.Split(value, ":"), "", "", "")
			shadow = append(shadow, Shadowed{Policy: part[0], Outcome: part[1], Reason: part[2], Rule: part[3]})
		case value != "":
			b.fail("what is %q of an answer?", f)
		default:
			d.Policy, d.Rule, _ = strings.Cut(f, ".")
		}
	}
	d.Need = strings.Join(need, " ")
	return d, shadow
}
