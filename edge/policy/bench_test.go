package policy

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

func compiled(b *testing.B, s Source) *Program {
	b.Helper()
	program, problems := Compile(s)
	if len(problems) > 0 {
		b.Fatalf("%+v", problems)
	}
	return program
}

func BenchmarkDecide(b *testing.B) {
	for _, size := range []struct{ apps, rules int }{{1, 10}, {1, 1000}, {10000, 10}} {
		b.Run(fmt.Sprintf("apps=%d/rules=%d", size.apps, size.rules), func(b *testing.B) {
			program := compiled(b, corpus(size.apps, size.rules))
			benchmarkDecide(b, program, requests(b, program, size.apps))
		})
	}
}

// What an expression adds is the difference to apps=1/rules=10.
func BenchmarkExpression(b *testing.B) {
	for name, text := range map[string]string{
		"closure": `request.method in ["GET", "HEAD"] && principal.email.endsWith("@acme.test") && !("g198" in principal.groups) && source.country != "KP"`,
		"cel":     `principal.email + ":" + request.method != "root@acme.test:POST" && ["GET", "HEAD"].exists(m, m == request.method)`,
	} {
		b.Run(name, func(b *testing.B) {
			s := corpus(1, 10)
			s.Policies = append(s.Policies, &Policy{ID: "x", Apps: []string{"app00000"}, Rules: []Rule{{
				ID: "x", Effect: RequireEffect, Principals: []string{"anyone"}, Operations: []string{"*"}, Expression: text,
			}}})
			program := compiled(b, s)
			benchmarkDecide(b, program, requests(b, compiled(b, corpus(1, 10)), 1))
		})
	}
}

func benchmarkDecide(b *testing.B, program *Program, list []asked) {
	b.Helper()
	for i := range list {
		list[i].Principal = program.Resolve(*list[i].Principal.Identity())
	}
	took := durations(program, list)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r := &list[i%len(list)]
		program.Decide(r.app, &r.Request)
		i++
	}
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
}

// durations is how long each request takes, in ascending order: the median of its times in rounds over all of them, so that
// what the machine did meanwhile is not counted, less what asking the clock takes. Between two times of one request lie all
// others, so that it finds the caches as they leave them.
func durations(program *Program, list []asked) []time.Duration {
	const rounds = 31
	times := make([][rounds]time.Duration, len(list))
	var clock [1001]time.Duration
	for round := range rounds {
		for i := range list {
			r := &list[i]
			start := time.Now()
			program.Decide(r.app, &r.Request)
			times[i][round] = time.Since(start)
		}
	}
	for i := range clock {
		start := time.Now()
		clock[i] = time.Since(start)
	}
	slices.Sort(clock[:])
	took := make([]time.Duration, len(list))
	for i := range times {
		slices.Sort(times[i][:])
		took[i] = max(0, times[i][rounds/2]-clock[len(clock)/2])
	}
	slices.Sort(took)
	return took
}

func BenchmarkExplain(b *testing.B) {
	program := compiled(b, corpus(1, 10))
	list := requests(b, program, 1)
	i := 0
	for b.Loop() {
		program.Explain("app00000", &list[i%len(list)].Request)
		i++
	}
}

func BenchmarkCompile(b *testing.B) {
	empty := liveMiB()
	source := corpus(10000, 10)
	before := liveMiB()
	program := compiled(b, source)
	with := liveMiB()
	b.ReportAllocs()
	for b.Loop() {
		program, _ = Compile(source)
	}
	b.ReportMetric(with-before, "program-MiB")
	b.ReportMetric(with-empty, "with-source-MiB")
	runtime.KeepAlive(program)
}

// liveMiB is the memory that is in use after garbage is collected.
func liveMiB() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

func BenchmarkRecompile(b *testing.B) {
	source := corpus(10000, 10)
	for i := range 100_000 {
		source.Memberships = append(source.Memberships, &Membership{User: fmt.Sprintf("m%06d@acme.test", i), Groups: []string{"g001", "g002"}})
	}
	program := compiled(b, source)
	b.Run("app", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			program.Recompile(changed(source, 4321))
		}
	})
	b.Run("policy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := source
			s.Policies = slices.Clone(s.Policies)
			p := new(*s.Policies[4321])
			p.Rules = slices.Clone(p.Rules)
			p.Rules[0].Principals = []string{"user:new@acme.test"}
			s.Policies[4321] = p
			program.Recompile(s)
		}
	})
	b.Run("membership", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := source
			s.Memberships = slices.Clone(s.Memberships)
			s.Memberships[54321] = &Membership{User: s.Memberships[54321].User, Groups: []string{"g003"}}
			program.Recompile(s)
		}
	})
	b.Run("rail", func(b *testing.B) {
		for b.Loop() {
			s := source
			s.Policies = slices.Clone(s.Policies)
			s.Policies[len(s.Policies)-1] = new(*s.Policies[len(s.Policies)-1])
			program.Recompile(s)
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	program := compiled(b, corpus(1, 1000))
	id := Identity{
		Kind: Person, IDP: "idp", Email: "u3@acme.test", EmailVerified: true, EmailDomainOwned: true, GroupsComplete: true,
		Groups: []string{"v1", "v2", "v3", "v14", "v25", "v36", "v47", "nothing"},
	}
	b.ReportAllocs()
	for b.Loop() {
		program.Resolve(id)
	}
}
