package expression

import (
	"math/bits"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"github.com/sallyport-iap/sallyport/edge/policy/zone"
)

// text is a literal, a field, or the entry of the loop around.
type text struct {
	kind    textKind
	field   Field
	literal string
}

type textKind uint8

const (
	textLiterally textKind = iota
	textField
	textEntry
)

func (t text) of(s scope) (string, bool) {
	switch t.kind {
	case textField:
		return textOf(s.facts, t.field)
	case textEntry:
		return s.entry, true
	default:
		return t.literal, true
	}
}

// text leaves source.ip to cel-go: writing an address allocates.
func (c compiler) text(e ast.Expr) (t text, ok bool) {
	if s, ok := textLiteral(e); ok {
		return text{literal: s}, true
	}
	if c.entry != "" && e.Kind() == ast.IdentKind && e.AsIdent() == c.entry {
		return text{kind: textEntry}, true
	}
	field, ok := fieldOf(e)
	return text{kind: textField, field: field}, ok && field != SourceIP && variables[field].Type == "string"
}

// texts compiles a list of texts: a field, or literals, which it returns too.
func (c compiler) texts(e ast.Expr) (entries func(scope) ([]string, bool), literals []string) {
	if field, ok := fieldOf(e); ok && variables[field].Type == "list(string)" {
		return func(s scope) ([]string, bool) { return listOf(s.facts, field) }, nil
	}
	if e.Kind() != ast.ListKind {
		return nil, nil
	}
	for _, element := range e.AsList().Elements() {
		s, ok := textLiteral(element)
		if !ok {
			return nil, nil
		}
		literals = append(literals, s)
	}
	return func(scope) ([]string, bool) { return literals, true }, literals
}

type numberFunc func(scope) (int64, bool)

func (c compiler) number(e ast.Expr) numberFunc {
	if n, ok := numberLiteral(e); ok {
		return func(scope) (int64, bool) { return n, true }
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	args := arguments(e.AsCall())
	name := e.AsCall().FunctionName()
	switch {
	case calendar[name] != nil:
		return c.calendar(name, args[0], args[1])
	case name == overloads.Size:
		return c.size(args[0])
	case arithmetic[name] != nil:
		a, b, compute := c.number(args[0]), c.number(args[1]), arithmetic[name]
		if a == nil || b == nil {
			return nil
		}
		return func(s scope) (int64, bool) {
			x, okX := a(s)
			y, okY := b(s)
			n, ok := compute(x, y)
			return n, ok && okX && okY
		}
	}
	return nil
}

func (c compiler) calendar(name string, at, in ast.Expr) numberFunc {
	instant, read := c.time(at), calendar[name]
	text, _ := textLiteral(in)
	clock, ok := zone.Load(text)
	if instant == nil || !ok {
		return nil
	}
	return func(s scope) (int64, bool) {
		t, ok := instant(s)
		return read(clock.Wall(t)), ok
	}
}

func (c compiler) size(of ast.Expr) numberFunc {
	if t, ok := c.text(of); ok {
		return func(s scope) (int64, bool) {
			v, ok := t.of(s)
			return int64(utf8.RuneCountInString(v)), ok
		}
	}
	entries, _ := c.texts(of)
	if entries == nil {
		return nil
	}
	return func(s scope) (int64, bool) {
		v, ok := entries(s)
		return int64(len(v)), ok
	}
}

// arithmetic is of numbers that may overflow, which is an error in CEL.
var arithmetic = map[string]func(x, y int64) (n int64, ok bool){
	operators.Add: func(x, y int64) (int64, bool) {
		n := x + y
		return n, (n > x) == (y > 0)
	},
	operators.Subtract: func(x, y int64) (int64, bool) {
		n := x - y
		return n, (n < x) == (y > 0)
	},
	operators.Multiply: func(x, y int64) (int64, bool) {
		high, low := bits.Mul64(magnitude(x), magnitude(y))
		negative := (x < 0) != (y < 0)
		if negative {
			return -int64(low), high == 0 && low <= 1<<63
		}
		return int64(low), high == 0 && low < 1<<63
	},
}

func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

func numberLiteral(e ast.Expr) (int64, bool) {
	if e.Kind() != ast.LiteralKind {
		return 0, false
	}
	n, ok := e.AsLiteral().(types.Int)
	return int64(n), ok
}

func textLiteral(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}
