package expression

import (
	"math"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

type (
	timeFunc     func(scope) (time.Time, bool)
	durationFunc func(scope) (time.Duration, bool)
)

func (c compiler) time(e ast.Expr) timeFunc {
	if field, ok := fieldOf(e); ok && variables[field].Type == "timestamp" {
		return func(s scope) (time.Time, bool) { return timeOf(s.facts, field) }
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	args := arguments(e.AsCall())
	switch e.AsCall().FunctionName() {
	case overloads.TypeConvertTimestamp:
		t, ok := timeLiteral(args[0])
		return func(scope) (time.Time, bool) { return t, ok }
	case operators.Add:
		if t, d := c.time(args[0]), c.duration(args[1]); t != nil && d != nil {
			return shifted(t, d, false)
		}
		if d, t := c.duration(args[0]), c.time(args[1]); t != nil && d != nil {
			return shifted(t, d, false)
		}
	case operators.Subtract:
		if t, d := c.time(args[0]), c.duration(args[1]); t != nil && d != nil {
			return shifted(t, d, true)
		}
	}
	return nil
}

func shifted(t timeFunc, by durationFunc, back bool) timeFunc {
	return func(s scope) (time.Time, bool) {
		at, okT := t(s)
		d, ok := by(s)
		if back {
			ok = ok && d != math.MinInt64
			d = -d
		}
		at = at.Add(d)
		return at, ok && okT && inRange(at)
	}
}

func (c compiler) duration(e ast.Expr) durationFunc {
	if e.Kind() != ast.CallKind {
		return nil
	}
	args := arguments(e.AsCall())
	switch e.AsCall().FunctionName() {
	case overloads.TypeConvertDuration:
		d, ok := durationLiteral(args[0])
		return func(scope) (time.Duration, bool) { return d, ok }
	case operators.Subtract:
		if a, b := c.time(args[0]), c.time(args[1]); a != nil && b != nil {
			return between(a, b)
		}
	}
	return nil
}

func between(a, b timeFunc) durationFunc {
	const maxSeconds = math.MaxInt64 / int64(time.Second)
	return func(s scope) (time.Duration, bool) {
		x, okX := a(s)
		y, okY := b(s)
		d := x.Sub(y) // stops at the longest there is
		seconds := x.Unix() - y.Unix()
		return d, okX && okY && -maxSeconds <= seconds && seconds <= maxSeconds && y.Add(d).Equal(x)
	}
}

// timeLiteral reads what stands in timestamp("..."), as CEL does.
func timeLiteral(e ast.Expr) (time.Time, bool) {
	s, isText := textLiteral(e)
	t, ok := types.String(s).ConvertToType(types.TimestampType).(types.Timestamp)
	return t.Time, isText && ok
}

// durationLiteral reads what stands in duration("..."), as CEL does.
func durationLiteral(e ast.Expr) (time.Duration, bool) {
	s, isText := textLiteral(e)
	d, ok := types.String(s).ConvertToType(types.DurationType).(types.Duration)
	return d.Duration, isText && ok
}
