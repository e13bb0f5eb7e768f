package expression

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
)

const (
	// MaxSource is how long an expression may be, in bytes.
	MaxSource = 4 << 10
	// MaxCost is what an expression may cost at most, in units of CEL.
	MaxCost = 10_000
)

// Expression is a compiled expression. It is immutable.
type Expression struct {
	source  string
	groups  []string
	reads   []Field
	places  map[Field]Place
	cost    uint64
	closure truthFunc   // or nil
	program cel.Program // if there is no closure
}

// Compile parses and checks an expression. With any issue there is no Expression.
func Compile(source string) (*Expression, []Issue) {
	checked, env, places, issues := check(source)
	if len(issues) > 0 {
		return nil, issues
	}
	tree := checked.NativeRep()
	rules := checkRules(tree)
	if len(rules.issues) > 0 {
		return nil, rules.issues
	}
	e := &Expression{source: source, groups: rules.groups, reads: rules.reads, places: places}
	estimate, err := env.EstimateCost(checked, prices{})
	if err != nil {
		return nil, []Issue{{Message: err.Error()}}
	}
	e.cost = estimate.Max
	if slices.Contains(e.reads, DevicePosture) {
		e.cost += maxEntries // it is put in order when it is first asked for
	}
	if e.cost > MaxCost {
		return nil, []Issue{{Message: fmt.Sprintf("it could cost %d units, and %d is the limit", e.cost, MaxCost)}}
	}
	e.closure = compiler{}.truth(tree.Expr())
	if e.closure == nil {
		if e.program, err = plan(env, checked, rules.loops > 1); err != nil {
			return nil, []Issue{{Message: err.Error()}}
		}
	}
	return e, nil
}

// Eval says whether the expression holds. It may be called from several
// goroutines at once.
func (e *Expression) Eval(f Facts) Truth {
	if e.closure != nil {
		return e.closure(scope{facts: f})
	}
	return run(e.program, f)
}

// Fast says whether Eval needs no cel-go, and allocates nothing.
func (e *Expression) Fast() bool { return e.closure != nil }

// Groups returns the groups that the expression names, in order.
func (e *Expression) Groups() []string { return slices.Clone(e.groups) }

// Reads returns the fields that the expression names, in order.
func (e *Expression) Reads() []Field { return slices.Clone(e.reads) }

// Place is where something stands in an expression.
type Place struct{ Line, Column int } // from 1, the column in characters

// Place returns where the expression first names a field that it reads.
func (e *Expression) Place(f Field) (Place, bool) {
	p, ok := e.places[f]
	return p, ok
}

// UsesTime says whether the value may change without any other fact changing.
func (e *Expression) UsesTime() bool { return slices.Contains(e.reads, Now) }

// Cost returns what Eval costs at most, in units of CEL.
func (e *Expression) Cost() uint64 { return e.cost }

// String returns the source.
func (e *Expression) String() string { return e.source }

// check parses and type-checks. Each step is bounded by the ones before.
func check(source string) (*cel.Ast, *cel.Env, map[Field]Place, []Issue) {
	switch n := len(source); {
	case n > MaxSource:
		return nil, nil, nil, []Issue{{Message: fmt.Sprintf("it has %d bytes, and %d is the limit", n, MaxSource)}}
	case strings.TrimSpace(source) == "":
		return nil, nil, nil, []Issue{{Message: "it is empty"}}
	case !utf8.ValidString(source):
		return nil, nil, nil, []Issue{{Message: "it is not UTF-8"}}
	}
	env, err := environment()
	if err != nil {
		return nil, nil, nil, []Issue{{Message: err.Error()}}
	}
	parsed, found := env.Parse(source)
	if found.Err() != nil {
		return nil, nil, nil, celIssues(found, nil)
	}
	names := checkNames(parsed.NativeRep())
	if len(names.issues) > 0 {
		return nil, nil, nil, names.issues
	}
	root := parsed.NativeRep().Expr()
	checked, found := env.Check(parsed)
	if found.Err() != nil {
		return nil, nil, nil, celIssues(found, root)
	}
	if got := checked.OutputType(); !got.IsExactType(cel.BoolType) {
		r := report{info: checked.NativeRep().SourceInfo()}
		r.at(root, "", "it is of type %s; a rule needs true or false", cel.FormatCELType(got))
		return nil, nil, nil, r.issues
	}
	return checked, env, names.places, nil
}
