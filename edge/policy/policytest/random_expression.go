package policytest

import "fmt"

// someClauses are expressions on every variable, true for some facts and false
// for others.
var someClauses = []string{
	`principal.kind == "person"`, `principal.kind != "anonymous"`, `principal.id == "s-a"`, `principal.email == "a@x.test"`,
	`principal.email.endsWith("@x.test")`, `principal.email.startsWith("b@")`, `principal.email.contains("x")`, `principal.domain == "y.test"`,
	`principal.domain in ["x.test", "z.test"]`, `principal.idp == "i0"`, `principal.idp != "i1"`, `"g0" in principal.groups`, `"g3" in principal.groups`,
	`principal.service_account == "s0"`, `principal.email.matches("^[ab]@")`,
	`session.acr == "gold"`, `session.acr in ["gold", "silver"]`, `"otp" in session.amr`, `session.amr.exists(m, m == "hwk")`, `session.amr.size() > 1`,
	`session.auth_time > timestamp("2026-11-23T11:00:00Z")`,
	`request.method == "GET"`, `request.host == "app.test"`, `request.path.startsWith("/admin")`, `request.operation == "read"`,
	`request.path.size() < 4`, `request.operation.startsWith("inv.")`,
	`source.ip == "10.0.0.1"`, `inCIDR(source.ip, "10.0.0.0/8")`, `inCIDR(source.ip, "2001:db8::/32")`, `source.country == "DE"`, `source.country != "FR"`,
	`source.country in ["DE", "US"]`,
	`device.managed`, `device.compliant == false`, `"disk" in device.posture`, `device.reported_at < timestamp("2026-11-23T12:00:00Z")`,
	`now > timestamp("2026-11-23T13:00:00Z")`, `now.getHours("Europe/Berlin") < 14`, `now - session.auth_time < duration("1h")`, `true`,
	`request.path.size() * 9223372036854775807 > 0`,
}

// Expression makes an expression of a few clauses.
func (d Dice) Expression() string {
	a, b, c := pick(d, someClauses), pick(d, someClauses), pick(d, someClauses)
	switch d(8) {
	case 0:
		return fmt.Sprintf("%s && %s", a, b)
	case 1:
		return fmt.Sprintf("%s || %s", a, b)
	case 2:
		return fmt.Sprintf("!(%s)", a)
	case 3:
		return fmt.Sprintf("(%s) ? (%s) : (%s)", a, b, c)
	case 4:
		return fmt.Sprintf("!(%s && %s) || %s", a, b, c)
	default:
		return a
	}
}
