package expression

import (
	"cmp"
	"net/netip"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// comparisons say for which outcomes of a comparison they hold.
var comparisons = map[string]func(order int) bool{
	operators.Equals:        func(order int) bool { return order == 0 },
	operators.NotEquals:     func(order int) bool { return order != 0 },
	operators.Less:          func(order int) bool { return order < 0 },
	operators.LessEquals:    func(order int) bool { return order <= 0 },
	operators.Greater:       func(order int) bool { return order > 0 },
	operators.GreaterEquals: func(order int) bool { return order >= 0 },
}

func (c compiler) comparison(left, right ast.Expr, holds func(order int) bool) truthFunc {
	if a, ok := c.text(left); ok {
		b, ok := c.text(right)
		if !ok {
			return nil
		}
		return func(s scope) Truth {
			x, okX := a.of(s)
			y, okY := b.of(s)
			return known(holds(strings.Compare(x, y)), okX && okY)
		}
	}
	if a, b := c.number(left), c.number(right); a != nil && b != nil {
		return compared(a, b, cmp.Compare[int64], holds)
	}
	if a, b := c.time(left), c.time(right); a != nil && b != nil {
		return compared(a, b, time.Time.Compare, holds)
	}
	if a, b := c.duration(left), c.duration(right); a != nil && b != nil {
		return compared(a, b, cmp.Compare, holds)
	}
	if a, b := c.truth(left), c.truth(right); a != nil && b != nil {
		return func(s scope) Truth {
			x, y := a(s), b(s)
			return known(holds(int(x-y)), x != Unknown && y != Unknown)
		}
	}
	return nil
}

func compared[T any](a, b func(scope) (T, bool), order func(a, b T) int, holds func(order int) bool) truthFunc {
	return func(s scope) Truth {
		x, okX := a(s)
		y, okY := b(s)
		return known(holds(order(x, y)), okX && okY)
	}
}

func (c compiler) network(network ast.Expr) truthFunc {
	text, _ := textLiteral(network)
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return nil
	}
	return func(s scope) Truth {
		a, ok := addressOf(s.facts)
		return known(prefix.Contains(a), ok)
	}
}
