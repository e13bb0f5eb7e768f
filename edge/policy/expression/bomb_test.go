package expression

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// bombs are all refused, with the limit named, in bounded time and memory.
var bombs = map[string]struct {
	source string
	says   string // in the first issue
}{
	"10 MB":             {strings.Repeat("true || ", 10<<20/8) + "true", "4096 is the limit"},
	"just too long":     {strings.Repeat("a", MaxSource+1), "4096 is the limit"},
	"(":                 {strings.Repeat("(", MaxSource), "limit exceeded: 32"},
	"( )":               {strings.Repeat("(", 2000) + "true" + strings.Repeat(")", 2000), "limit exceeded: 32"},
	"[":                 {strings.Repeat("[", MaxSource), "limit exceeded: 32"},
	"{":                 {strings.Repeat("{", MaxSource), "limit exceeded: 32"},
	"([{":               {strings.Repeat("([{", MaxSource/3), "limit exceeded: 32"},
	"a(":                {strings.Repeat("a(", MaxSource/2), ""},
	"a[":                {strings.Repeat("a[", MaxSource/2), "limit exceeded: 32"},
	"brackets in texts": {strings.Repeat(`(")))))"==`, MaxSource/10), "limit exceeded: 32"},
	"!":                 {strings.Repeat("!", MaxSource-4) + "true", ""},
	"-":                 {strings.Repeat("-", MaxSource-1) + "1", ""},
	"!-":                {strings.Repeat("!-", MaxSource/2), ""},
	"?:":                {strings.Repeat("true?", 700) + "true", ""},
	"? :":               {strings.Repeat("true?true:", 400) + "true", "limit"},
	".":                 {"a" + strings.Repeat(".a", 2000), ""},
	"+":                 {"1" + strings.Repeat("+1", 2000), "exceeded: 32"},
	"<":                 {"1" + strings.Repeat("<1", 2000), "exceeded: 32"},
	"()()":              {"a" + strings.Repeat("()", 2000), ""},
	"quotes":            {strings.Repeat(`"`, MaxSource), ""},
	"triple quotes":     {`"""` + strings.Repeat(`\"`, 2000), ""},
	"backslashes":       {`"` + strings.Repeat(`\`, 4000) + `"`, ""},
	"comments":          {strings.Repeat("//\n", 1000), ""},
	"garbage":           {strings.Repeat("@#$%", 1000), ""},
	"commas":            {"[" + strings.Repeat("1,", 2000) + "1] == []", "limit"},
	"a list of strings": {`principal.id in [` + strings.Repeat(`"",`, 1300) + `""]`, ""},
	"a long literal":    {`request.path == "` + strings.Repeat("a", MaxSource) + `"`, "4096 is the limit"},
	"nested loops": {
		`session.amr.all(a, session.amr.all(b, session.amr.all(c, session.amr.all(d, a + b + c + d == ""))))`, "10000 is the limit",
	},
	"loops over literals": {strings.Repeat("["+strings.Repeat("1,", 99)+"1].all(x, ", 4) + "true" + strings.Repeat(")", 4), "10000 is the limit"},
	"long texts":          {"size(" + strings.Repeat("request.path + ", 200) + `"") > 1`, "exceeded: 32"},
	"longer texts":        {"size(" + strings.Repeat("request.path + ", 30) + `"") > 1`, "10000 is the limit"},
	"regex: repeated":     {`request.path.matches("(a{1,1000}b{1,1000}c{1,1000})")`, "2000 is the limit"},
	"regex: classes":      {`request.path.matches("(` + strings.Repeat(`\\pL`, 60) + `){1000}")`, "2000 is the limit"},
	"regex: too long":     {`request.path.matches("` + strings.Repeat("a", 257) + `")`, "256 is the limit"},
	"regex: nested":       {`request.path.matches("` + strings.Repeat("(", 120) + strings.Repeat(")*", 120) + `")`, ""},
	"regex: over a path":  {`request.path.matches("` + strings.Repeat("a?", 128) + `")`, "10000 is the limit"},
}

func TestBombs(t *testing.T) {
	t.Parallel()
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			e, issues := Compile(bomb.source)
			took := time.Since(began)
			t.Logf("%v: %.200v", took, issues)
			// Milliseconds on a machine that does nothing else.
			if took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if bomb.says == "" {
				return // refused or not: it ended
			}
			if e != nil || !strings.Contains(issues[0].Message, bomb.says) {
				t.Errorf("%v, want %q", issues, bomb.says)
			}
		})
	}
}

// TestBombMemory is not parallel, or it would count what others allocate.
func TestBombMemory(t *testing.T) {
	var before, after runtime.MemStats
	for name, bomb := range bombs {
		runtime.ReadMemStats(&before)
		Compile(bomb.source)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s: %d MiB", name, used>>20)
		}
	}
}
