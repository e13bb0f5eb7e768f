package expression

import (
	"fmt"
	"regexp"
	"regexp/syntax"
)

const (
	maxPattern = 256  // bytes
	maxProgram = 2000 // instructions that a pattern may compile to
)

// compilePattern compiles a pattern that is small enough: in 256 bytes one can
// ask RE2 for a program of 100 MB. It is measured before it is compiled.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("the pattern has %d bytes, and %d is the limit", len(pattern), maxPattern)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("not a pattern of RE2: %w", err)
	}
	if size := programSize(tree); size > maxProgram {
		return nil, fmt.Errorf("the pattern repeats too much: it would take %d steps, and %d is the limit", size, maxProgram)
	}
	return regexp.Compile(pattern)
}

// programSize is about how many instructions and ranges of characters a pattern
// compiles to: what is repeated up to n times is there n times.
func programSize(re *syntax.Regexp) int {
	size := 1 + len(re.Rune)/2
	for _, sub := range re.Sub {
		size += programSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(1, re.Min, re.Max)
	}
	return min(size, 1<<40)
}

// instructions is how many instructions a pattern compiles to, of one that [compilePattern] compiles; and at least its
// length, by which cel-go counts.
func instructions(pattern string) int {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return maxProgram
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return maxProgram
	}
	return max(len(program.Inst), len(pattern))
}
