package expression

import (
	"net/netip"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/sallyport-iap/sallyport/edge/policy/zone"
)

// Limits of an expression, beside [MaxSource] and [MaxCost].
const (
	maxNesting = 32   // of brackets, and of what the grammar nests
	maxNodes   = 1500 // of the syntax tree, macros expanded
	maxIssues  = 10   // reported
)

// groupsType is the type of principal.groups, of which nothing but membership is known.
var groupsType = types.NewObjectType("groups", traits.ContainerType)

// environment is built once. It never changes, and an error is a fault of ours
// that any test meets.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(subset())),
		cel.HomogeneousAggregateLiterals(),
		cel.ParserRecursionLimit(maxNesting),
		cel.ParserExpressionSizeLimit(MaxSource),
		cel.ParserErrorRecoveryLimit(4),
		cel.ExpressionNodeLimit(maxNodes),
		cel.Function(operators.In, cel.Overload("in_groups", []*cel.Type{cel.StringType, groupsType}, cel.BoolType)),
		cel.Function("inCIDR", cel.Overload("in_cidr_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(inCIDR))),
	}
	for name, read := range calendar {
		options = append(options, cel.Function(name, cel.MemberOverload("timestamp_"+name, []*cel.Type{cel.TimestampType, cel.StringType}, cel.IntType,
			cel.BinaryBinding(func(at, in ref.Val) ref.Val {
				clock, ok := zone.Load(string(in.(types.String)))
				if !ok {
					return types.NewErr("no such zone") // Compile has refused it
				}
				return types.Int(read(clock.Wall(at.(types.Timestamp).Time)))
			}))))
	}
	kinds := map[string]*cel.Type{
		"string": cel.StringType, "bool": cel.BoolType, "timestamp": cel.TimestampType,
		"list(string)": cel.ListType(cel.StringType), "groups": groupsType,
	}
	for _, v := range variables {
		options = append(options, cel.Variable(v.Name, kinds[v.Type]))
	}
	return cel.NewCustomEnv(options...)
})

// subset is the part of CEL's standard library that [Functions] and the
// operators need.
func subset() *env.LibrarySubset {
	s := env.NewLibrarySubset().AddIncludedMacros("exists", "all")
	for name, ids := range map[string][]string{
		operators.Conditional:      nil,
		operators.LogicalAnd:       nil,
		operators.LogicalOr:        nil,
		operators.LogicalNot:       nil,
		operators.NotStrictlyFalse: nil,
		operators.Equals:           nil,
		operators.NotEquals:        nil,
		operators.In:               {overloads.InList},
		operators.Less:             {overloads.LessInt64, overloads.LessString, overloads.LessTimestamp, overloads.LessDuration},
		operators.LessEquals: {
			overloads.LessEqualsInt64, overloads.LessEqualsString, overloads.LessEqualsTimestamp, overloads.LessEqualsDuration,
		},
		operators.Greater: {overloads.GreaterInt64, overloads.GreaterString, overloads.GreaterTimestamp, overloads.GreaterDuration},
		operators.GreaterEquals: {
			overloads.GreaterEqualsInt64, overloads.GreaterEqualsString, overloads.GreaterEqualsTimestamp, overloads.GreaterEqualsDuration,
		},
		operators.Add: {
			overloads.AddInt64, overloads.AddString, overloads.AddTimestampDuration, overloads.AddDurationTimestamp, overloads.AddDurationDuration,
		},
		operators.Subtract: {
			overloads.SubtractInt64, overloads.SubtractTimestampTimestamp, overloads.SubtractTimestampDuration, overloads.SubtractDurationDuration,
		},
		operators.Multiply:             {overloads.MultiplyInt64},
		overloads.StartsWith:           {overloads.StartsWithString},
		overloads.EndsWith:             {overloads.EndsWithString},
		overloads.Contains:             {overloads.ContainsString},
		overloads.Matches:              {overloads.MatchesString},
		overloads.Size:                 {overloads.SizeString, overloads.SizeStringInst, overloads.SizeList, overloads.SizeListInst},
		overloads.TypeConvertTimestamp: {overloads.StringToTimestamp},
		overloads.TypeConvertDuration:  {overloads.StringToDuration},
	} {
		f := env.NewFunction(name)
		for _, id := range ids {
			f.Overloads = append(f.Overloads, env.NewOverload(id, nil, nil))
		}
		s.AddIncludedFunctions(f)
	}
	return s
}

func inCIDR(address, network ref.Val) ref.Val {
	a, err := netip.ParseAddr(string(address.(types.String)))
	if err != nil {
		return types.WrapErr(err)
	}
	n, err := netip.ParsePrefix(string(network.(types.String)))
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(n.Contains(a))
}
