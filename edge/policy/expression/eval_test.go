package expression

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func compile(t testing.TB, source string) *Expression {
	t.Helper()
	e, issues := Compile(source)
	if issues != nil {
		t.Fatalf("%s: %v", source, issues)
	}
	return e
}

// closures say what both evaluators are to say: fast as they are, and slow by cel-go.
func TestEval(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]Truth{
		`true`:  True,
		`false`: False,
		// Text.
		`principal.kind == "person"`:                                    True,
		`principal.kind != "person"`:                                    False,
		`principal.email.endsWith("@example.com")`:                      True,
		`principal.domain in ["example.org", "example.com"]`:            True,
		`principal.domain in ["example.org"]`:                           False,
		`principal.service_account == ""`:                               True,
		`request.path.startsWith("/api/") && request.method == "GET"`:   True,
		`request.path.matches("^/api/pages/[0-9]+$")`:                   True,
		`request.path.matches("pages")`:                                 True,
		`request.path.matches("^pages")`:                                False,
		`request.path.contains("..")`:                                   False,
		`size(request.path) == 12 && request.path.size() < 13`:          True,
		`principal.email == principal.id`:                               False,
		`session.acr >= "phr" && session.acr < "phs"`:                   True,
		".principal.kind == \"person\" && principal.`kind` == 'person'": True,
		// Lists and groups.
		`"hwk" in session.amr`:                                             True,
		`"sms" in session.amr`:                                             False,
		`session.amr.exists(m, m.startsWith("hw"))`:                        True,
		`session.amr.all(m, m in ["pwd", "otp"])`:                          False,
		`["wiki.", "docs."].exists(h, request.host.startsWith(h))`:         True,
		`device.posture.size() == 2`:                                       True,
		`"staff" in principal.groups`:                                      True,
		`"contractors" in principal.groups`:                                False,
		`"elsewhere" in principal.groups`:                                  Unknown,
		`"elsewhere" in principal.groups || "staff" in principal.groups`:   True,
		`!("elsewhere" in principal.groups)`:                               Unknown,
		`"elsewhere" in principal.groups && principal.kind == "anonymous"`: False,
		// Network, device.
		`inCIDR(source.ip, "10.0.0.0/8")`:                          True,
		`inCIDR(source.ip, "2001:db8::/32")`:                       False,
		`device.managed && !device.compliant`:                      True,
		`device.managed == true`:                                   True,
		`device.compliant ? source.country == "DE" : true`:         True,
		`(device.managed ? "a" : "b") == "a"`:                      True,
		`now - device.reported_at <= duration("5m")`:               True,
		`device.reported_at + duration("4m59s") >= now`:            False,
		`session.auth_time > now - duration("1h")`:                 False,
		`now < timestamp("2026-03-03T09:30:00+01:00")`:             False,
		`now == timestamp("2026-03-03T09:30:00+01:00")`:            True,
		`timestamp("2026-01-01T00:00:00Z") + duration("1h") < now`: True,
		// The clock on the wall.
		`now.getHours("Europe/Berlin") == 9`:                                                                   True,
		`now.getHours("UTC") * 60 + now.getMinutes("UTC") - 510 == 0`:                                          True,
		`now.getDayOfWeek("Europe/Berlin") in [1, 2, 3, 4, 5]`:                                                 True,
		`now.getFullYear("UTC") == 2026 && now.getMonth("UTC") == 2 && now.getDate("UTC") == 3`:                True,
		`now.getMinutes("Asia/Kathmandu") == 15`:                                                               True,
		`now.getFullYear("UTC") * 9223372036854775807 > 0`:                                                     Unknown, // overflow is an error
		`now + duration("2562047h") > now && now + duration("2562047h") + duration("2562047h") > now`:          True,
		`timestamp("9999-12-31T00:00:00Z") + duration("48h") > now`:                                            Unknown,
		`timestamp("9999-12-31T00:00:00Z") - timestamp("0001-01-01T00:00:00Z") > duration("1h")`:               Unknown,
		`timestamp("9999-12-31T00:00:00Z") - timestamp("0001-01-01T00:00:00Z") > duration("1h") || "a" == "a"`: True,
		// What only cel-go does.
		`"pages." + "read" == request.operation`:            True,
		`source.ip == "10.1.2.3"`:                           True,
		`source.ip.startsWith("10.")`:                       True,
		`session.amr == ["pwd", "hwk"]`:                     True,
		`principal.id + principal.idp in ["u-1okta"]`:       True,
		`session.amr.all(a, ["sms", "kba"].all(b, a != b))`: True,
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			e := compile(t, source)
			if got := e.Eval(alice()); got != want {
				t.Errorf("%v, want %v", got, want)
			}
			if got := run(slow(t, source), alice()); got != want {
				t.Errorf("cel-go: %v, want %v", got, want)
			}
		})
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]Truth{
		`principal.email == "alice@example.com"`:            Unknown,
		`principal.email != "alice@example.com"`:            Unknown,
		`!(principal.email == "alice@example.com")`:         Unknown,
		`principal.email in ["alice@example.com"]`:          Unknown,
		`principal.email == principal.email`:                Unknown,
		`"hwk" in session.amr`:                              Unknown,
		`session.amr.exists(m, true)`:                       Unknown,
		`session.amr.all(m, true)`:                          Unknown,
		`["a"].exists(m, m == session.acr || m == "a")`:     True,
		`["a"].all(m, m == session.acr)`:                    Unknown,
		`["a", "b"].all(m, m == session.acr && m == "b")`:   False,
		`size(session.amr) >= 0`:                            Unknown,
		`inCIDR(source.ip, "0.0.0.0/0")`:                    Unknown,
		`source.ip == "10.1.2.3"`:                           Unknown,
		`device.managed`:                                    Unknown,
		`device.managed ? true : true`:                      Unknown,
		`device.managed == device.managed`:                  Unknown,
		`device.managed || true`:                            True,
		`true || device.managed`:                            True,
		`device.managed && false`:                           False,
		`device.managed && true`:                            Unknown,
		`now < timestamp("2100-01-01T00:00:00Z")`:           Unknown,
		`now - session.auth_time < duration("1h")`:          Unknown,
		`now.getHours("UTC") < 25`:                          Unknown,
		`request.path.matches(".*")`:                        Unknown,
		`"staff" in principal.groups`:                       Unknown,
		`"a" + principal.email == "a"`:                      Unknown,
		`"a" + principal.email == "a" || "b" + "c" == "bc"`: True,
		`session.amr == ["a"] && "a" + "b" == "c"`:          False,
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			if got := compile(t, source).Eval(nobody); got != want {
				t.Errorf("%v, want %v", got, want)
			}
			if got := run(slow(t, source), nobody); got != want {
				t.Errorf("cel-go: %v, want %v", got, want)
			}
		})
	}
}

// A fact that is larger than the cost counted on is not known.
func TestOversize(t *testing.T) {
	t.Parallel()
	for source, change := range map[string]func(w *world, n int){
		`request.path.startsWith("/")`: func(w *world, n int) { w.texts[RequestPath] = "/" + strings.Repeat("a", 8<<10-2+n) },
		`"x" + request.path != ""`:     func(w *world, n int) { w.texts[RequestPath] = "/" + strings.Repeat("a", 8<<10-2+n) },
		`session.amr.all(m, m == "")`:  func(w *world, n int) { w.lists[SessionAMR] = make([]string, maxEntries-1+n) },
		`session.amr != ["b"]`:         func(w *world, n int) { w.lists[SessionAMR] = []string{strings.Repeat("a", maxEntry-1+n)} },
		`now.getHours("UTC") == 23`:    func(w *world, n int) { w.times[Now] = time.Unix(253402300799-1+int64(n), 0) },
	} {
		w := alice()
		change(w, 1)
		if got := compile(t, source).Eval(w); got != True {
			t.Errorf("%s: %v at the limit", source, got)
		}
		change(w, 2)
		if got := compile(t, source).Eval(w); got != Unknown {
			t.Errorf("%s: %v beyond the limit", source, got)
		}
	}
}

func TestExpression(t *testing.T) {
	t.Parallel()
	const source = `"b" in principal.groups || "a" in principal.groups && now - session.auth_time < duration("1h") && "b" in principal.groups`
	e := compile(t, source)
	if diff := cmp.Diff([]string{"a", "b"}, e.Groups()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Field{PrincipalGroups, SessionAuthTime, Now}, e.Reads()); diff != "" {
		t.Error(diff)
	}
	if !e.UsesTime() || !e.Fast() || e.String() != source || e.Cost() == 0 {
		t.Errorf("uses time %v, fast %v, cost %d, %q", e.UsesTime(), e.Fast(), e.Cost(), e)
	}
	if e := compile(t, `session.auth_time < timestamp("2026-01-01T00:00:00Z")`); e.UsesTime() {
		t.Error("a sign-in does not change as time goes by")
	}
	for _, f := range e.Reads() {
		if variables[f].Field != f || f.String() != variables[f].Name {
			t.Errorf("%v is not where it belongs", f)
		}
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]Place{
		`device.managed`:                              {1, 1},
		`true && device.managed`:                      {1, 9},
		"true &&\n  !device.managed":                  {2, 4},
		`"ü" == "ü" && (device.managed)`:              {1, 16},
		`["a"].exists(a, a == "b" || device.managed)`: {1, 29},
		`device . managed || device.managed`:          {1, 1},
		"device.`managed`":                            {1, 1},
	} {
		if got, ok := compile(t, source).Place(DeviceManaged); !ok || got != want {
			t.Errorf("%s: %v %v, want %v", source, got, ok, want)
		}
	}
	if _, ok := compile(t, `true`).Place(DeviceManaged); ok {
		t.Error("a field that is not named has a place")
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	all := Variables()
	for i, v := range all {
		if int(v.Field) != i || v.Field.String() != v.Name || v.Doc == "" {
			t.Errorf("%d: %+v", i, v)
		}
	}
	all[0].Name = "changed"
	if Variables()[0].Name == "changed" || Field(200).String() != "unknown field" {
		t.Error("the environment can be changed from outside")
	}
}
