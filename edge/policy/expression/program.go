package expression

import (
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// plan makes what cel-go runs. The optimizer compiles patterns and constants once.
//
// Counting the cost takes longer than most of what is counted, so cel-go does it
// for loops in loops only: else steps are bounded by [maxNodes] squared, however
// wrong an estimate should be.
func plan(env *cel.Env, checked *cel.Ast, nested bool) (cel.Program, error) {
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if nested {
		options = append(options, cel.CostLimit(MaxCost))
	}
	return env.Program(checked, options...)
}

func run(p cel.Program, f Facts) Truth {
	out, _, err := p.Eval(&activation{f})
	if err != nil {
		return Unknown
	}
	b, ok := out.(types.Bool)
	return known(bool(b), ok)
}

// activation answers cel-go's questions for variables, with values of its own
// types so that nothing is converted by reflection.
type activation struct{ facts Facts }

// unknown is what a missing fact is to cel-go, which never changes it.
var unknown = types.NewUnknown(0, nil)

func (a *activation) Parent() cel.Activation { return nil }

func (a *activation) ResolveName(name string) (any, bool) {
	field, ok := fieldByName[name]
	if !ok {
		return nil, false
	}
	if v := a.value(field); v != nil {
		return v, true
	}
	return unknown, true
}

// value returns nil if the fact is unknown.
func (a *activation) value(field Field) ref.Val {
	switch field {
	case PrincipalGroups:
		return &membership{a.facts}
	case SourceIP:
		if v, ok := addressOf(a.facts); ok {
			return types.String(v.String())
		}
	case SessionAMR, DevicePosture:
		if v, ok := listOf(a.facts, field); ok {
			return types.NewStringList(types.DefaultTypeAdapter, v)
		}
	case DeviceManaged, DeviceCompliant:
		if v, ok := a.facts.Flag(field); ok {
			return types.Bool(v)
		}
	case Now, SessionAuthTime, DeviceReportedAt:
		if v, ok := timeOf(a.facts, field); ok {
			return types.Timestamp{Time: v}
		}
	default:
		if v, ok := textOf(a.facts, field); ok {
			return types.String(v)
		}
	}
	return nil
}

// membership is principal.groups: a container of which only membership is known.
type membership struct{ facts Facts }

func (m *membership) Contains(id ref.Val) ref.Val {
	name, ok := id.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(id)
	}
	switch m.facts.InGroup(string(name)) {
	case True:
		return types.True
	case False:
		return types.False
	default:
		return unknown
	}
}

func (m *membership) ConvertToNative(reflect.Type) (any, error) { return m, nil }
func (m *membership) ConvertToType(ref.Type) ref.Val            { return types.NoSuchOverloadErr() }
func (m *membership) Equal(ref.Val) ref.Val                     { return types.NoSuchOverloadErr() }
func (m *membership) Type() ref.Type                            { return groupsType }
func (m *membership) Value() any                                { return m }
