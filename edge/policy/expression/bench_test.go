package expression

import "testing"

// What policies are made of, and what is left for cel-go.
var benchmarks = map[string]string{
	"text":      `principal.domain == "example.com" && request.path.startsWith("/api/")`,
	"group":     `"staff" in principal.groups || "ops" in principal.groups`,
	"set":       `source.country in ["DE", "FR", "AT", "CH", "NL", "BE", "LU", "IT", "ES"]`,
	"network":   `inCIDR(source.ip, "10.0.0.0/8") && device.managed`,
	"clock":     `now.getHours("Europe/Berlin") * 60 + now.getMinutes("Europe/Berlin") < 570`,
	"age":       `now - session.auth_time < duration("8h")`,
	"loop":      `device.posture.exists(p, p.startsWith("fire"))`,
	"pattern":   `request.path.matches("^/api/pages/[0-9]+$")`,
	"cel/join":  `principal.idp + "/" + principal.domain == "okta/example.com" && request.method == "GET"`,
	"cel/value": `(device.managed ? "phr" : "phrh") == session.acr`,
	"cel/ip":    `source.ip.startsWith("10.")`,
	"cel/loop":  `session.amr.exists(m, m + "" == "hwk")`,
}

func BenchmarkEval(b *testing.B) {
	for name, source := range benchmarks {
		b.Run(name, func(b *testing.B) {
			e := compile(b, source)
			facts := fixed{now: alice().times[Now]}
			b.ReportAllocs()
			for b.Loop() {
				e.Eval(&facts)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for name, source := range benchmarks {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				compile(b, source)
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	for name, source := range benchmarks {
		e := compile(t, source)
		facts := fixed{now: alice().times[Now]}
		limit := 0.0
		if !e.Fast() {
			limit = 12
		}
		if n := testing.AllocsPerRun(100, func() { e.Eval(&facts) }); n > limit {
			t.Errorf("%s: %v allocations, and %v is the limit", name, n, limit)
		}
	}
}
