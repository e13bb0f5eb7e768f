package expression

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// scope is what a closure reads: the facts, and inside of a loop its entry.
type scope struct {
	facts Facts
	entry string
}

// truthFunc is a compiled condition.
type truthFunc func(scope) Truth

// compiler makes closures. Each method returns nil (or false) for what only
// cel-go can do. The checks have been before, so nothing here is wrong.
type compiler struct {
	entry string // name of the loop's variable, or ""
}

func (c compiler) truth(e ast.Expr) truthFunc {
	switch e.Kind() {
	case ast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			value := truthOf(bool(b))
			return func(scope) Truth { return value }
		}
	case ast.IdentKind:
		if field, ok := fieldOf(e); ok && variables[field].Type == "bool" {
			return func(s scope) Truth { return known(s.facts.Flag(field)) }
		}
	case ast.ComprehensionKind:
		return c.loop(e.AsComprehension())
	case ast.CallKind:
		args := arguments(e.AsCall())
		switch name := e.AsCall().FunctionName(); name {
		case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional:
			return c.logic(name, args)
		case operators.In:
			return c.in(args[0], args[1])
		case "inCIDR":
			return c.network(args[1])
		case overloads.Matches:
			return c.matches(args[0], args[1])
		default:
			if holds := textTests[name]; holds != nil {
				return c.textTest(args[0], args[1], holds)
			}
			if holds := comparisons[name]; holds != nil {
				return c.comparison(args[0], args[1], holds)
			}
		}
	}
	return nil
}

// arguments are a call's, the receiver first.
func arguments(call ast.CallExpr) []ast.Expr {
	if call.IsMemberFunction() {
		return slices.Concat([]ast.Expr{call.Target()}, call.Args())
	}
	return call.Args()
}

func (c compiler) logic(operator string, args []ast.Expr) truthFunc {
	operands := make([]truthFunc, len(args))
	for i, arg := range args {
		if operands[i] = c.truth(arg); operands[i] == nil {
			return nil
		}
	}
	switch operator {
	case operators.LogicalAnd:
		return func(s scope) Truth {
			left := operands[0](s)
			if left == False {
				return False
			}
			return min(left, operands[1](s))
		}
	case operators.LogicalOr:
		return func(s scope) Truth {
			left := operands[0](s)
			if left == True {
				return True
			}
			return max(left, operands[1](s))
		}
	case operators.LogicalNot:
		return func(s scope) Truth { return operands[0](s).Not() }
	default:
		return func(s scope) Truth {
			switch operands[0](s) {
			case True:
				return operands[1](s)
			case False:
				return operands[2](s)
			default:
				return Unknown
			}
		}
	}
}

// loop compiles what exists and all expand to: a step of "accumulator || test"
// or "accumulator && test", over a list of texts.
func (c compiler) loop(e ast.ComprehensionExpr) truthFunc {
	entries, _ := c.texts(e.IterRange())
	step := e.LoopStep().AsCall()
	if c.entry != "" || entries == nil || len(step.Args()) != 2 {
		return nil
	}
	test := compiler{entry: e.IterVar()}.truth(step.Args()[1])
	if test == nil {
		return nil
	}
	var decisive Truth // ends the loop
	var combine func(a, b Truth) Truth
	switch step.FunctionName() {
	case operators.LogicalOr:
		decisive, combine = True, func(a, b Truth) Truth { return max(a, b) }
	case operators.LogicalAnd:
		decisive, combine = False, func(a, b Truth) Truth { return min(a, b) }
	default:
		return nil
	}
	return func(s scope) Truth {
		list, ok := entries(s)
		if !ok {
			return Unknown
		}
		result := decisive.Not()
		for _, s.entry = range list {
			if result = combine(result, test(s)); result == decisive {
				break
			}
		}
		return result
	}
}

func (c compiler) in(element, list ast.Expr) truthFunc {
	if isField(list, PrincipalGroups) {
		id, _ := textLiteral(element)
		return func(s scope) Truth { return s.facts.InGroup(id) }
	}
	if text, ok := c.text(element); ok {
		entries, literals := c.texts(list)
		switch {
		case entries == nil:
			return nil
		case literals != nil:
			set := map[string]bool{}
			for _, l := range literals {
				set[l] = true
			}
			return func(s scope) Truth {
				v, ok := text.of(s)
				return known(set[v], ok)
			}
		}
		return func(s scope) Truth {
			v, okV := text.of(s)
			all, ok := entries(s)
			return known(slices.Contains(all, v), ok && okV)
		}
	}
	number := c.number(element)
	if number == nil || list.Kind() != ast.ListKind {
		return nil
	}
	var set []int64
	for _, e := range list.AsList().Elements() {
		n, ok := numberLiteral(e)
		if !ok {
			return nil
		}
		set = append(set, n)
	}
	return func(s scope) Truth {
		v, ok := number(s)
		return known(slices.Contains(set, v), ok)
	}
}

var textTests = map[string]func(s, part string) bool{
	overloads.StartsWith: strings.HasPrefix,
	overloads.EndsWith:   strings.HasSuffix,
	overloads.Contains:   strings.Contains,
}

func (c compiler) textTest(subject, part ast.Expr, holds func(s, part string) bool) truthFunc {
	a, okA := c.text(subject)
	b, okB := c.text(part)
	if !okA || !okB {
		return nil
	}
	return func(s scope) Truth {
		x, okX := a.of(s)
		y, okY := b.of(s)
		return known(holds(x, y), okX && okY)
	}
}

func (c compiler) matches(subject, pattern ast.Expr) truthFunc {
	a, ok := c.text(subject)
	text, _ := textLiteral(pattern)
	re, err := compilePattern(text)
	if !ok || err != nil {
		return nil
	}
	return func(s scope) Truth {
		v, ok := a.of(s)
		return known(ok && re.MatchString(v), ok)
	}
}
