package expression

import (
	"fmt"
	"strings"
	"testing"
)

// What a pattern costs is the largest text times what RE2 does at each byte of it, however the pattern is written.
func TestPatternCost(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		"", "^/a", "^/api/pages/[0-9]+$", "(?i)^/(admin|internal|debug)/", "^/api/v[0-9]+/users/[^/]+$", "(a?){20}#", "(a?){250}#$", "[^/]{40}#",
		"((a{1,5}){1,5}){1,5}", "(a|b|c|d)*#", "[abcdefghijklmnopqrstuvwxyz]",
	} {
		source := fmt.Sprintf("request.path.matches(%q)", pattern)
		worst := float64(variables[RequestPath].Max*instructions(pattern)) * matchFactor
		e, issues := Compile(source)
		switch {
		case worst > MaxCost && (e != nil || !strings.Contains(issues[0].Message, "10000 is the limit")):
			t.Errorf("%s can take %v units, and is not refused: %v", source, worst, issues)
		case worst <= MaxCost && (e == nil || float64(e.Cost()) < worst):
			t.Errorf("%s is refused (%v) or has a cost less than %v", source, issues, worst)
		}
	}
	if _, issues := Compile(`principal.email.matches("^(a|b|c){20}@acme[.]test$")`); issues != nil {
		t.Error("a pattern for a short text:", issues)
	}
}

// Ways to have much done for few units.
func TestCheapCallsAreCounted(t *testing.T) {
	t.Parallel()
	for source, least := range map[string]uint64{
		`request.path.matches("(a?){25}") || request.path.matches("(b?){25}")`:                2000,
		`session.amr.exists(m, m.matches("(a?){20}#"))`:                                       64 * 10,
		`session.amr.all(m, now.getHours("Europe/Berlin") < 18)`:                              64 * calendarCost,
		`["a", "b", "c"].exists(x, (x + request.host).matches("^(a|b)$"))`:                    100,
		`device.posture.all(p, inCIDR(source.ip, "10.0.0.0/8") || inCIDR(source.ip, "::/0"))`: 64 * 2 * networkCost,
	} {
		e, issues := Compile(source)
		if e == nil {
			if !strings.Contains(issues[0].Message, "is the limit") {
				t.Errorf("%s: %v", source, issues)
			}
		} else if e.Cost() < least {
			t.Errorf("%s costs %d units, and at least %d is what it can take", source, e.Cost(), least)
		}
	}
}
