package expression

import (
	"testing"

	"cel.dev/cel-go/cel"
)

// slow compiles an expression for cel-go, whether or not there is a closure.
func slow(t testing.TB, source string) cel.Program {
	t.Helper()
	checked, env, _, issues := check(source)
	if issues != nil {
		t.Fatalf("%s: %v", source, issues)
	}
	p, err := plan(env, checked, true)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return p
}
