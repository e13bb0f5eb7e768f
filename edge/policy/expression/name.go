package expression

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// checkNames finds names that the environment does not have. cel-go finds them
// too, but reports `principal.emial` as "undeclared reference to 'principal'".
func checkNames(parsed *ast.AST) *names {
	n := &names{report: report{info: parsed.SourceInfo()}, places: map[Field]Place{}}
	n.walk(parsed.Expr(), nil)
	return n
}

type names struct {
	report
	places map[Field]Place
}

// walk descends; scope is what macros around have named.
func (n *names) walk(e ast.Expr, scope []string) {
	switch e.Kind() {
	case ast.IdentKind, ast.SelectKind:
		n.reference(e, scope)
	case ast.CallKind:
		call := e.AsCall()
		if !n.function(e, call) {
			return
		}
		if call.IsMemberFunction() {
			n.walk(call.Target(), scope)
		}
		for _, arg := range call.Args() {
			n.walk(arg, scope)
		}
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			n.walk(element, scope)
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		n.walk(c.IterRange(), scope)
		if slices.Contains(roots(), c.IterVar()) {
			n.at(e, "", "%s is a fact: give the entries another name", c.IterVar())
			return
		}
		scope = append(slices.Clone(scope), c.IterVar(), c.AccuVar())
		n.walk(c.LoopCondition(), scope)
		n.walk(c.LoopStep(), scope)
		n.walk(c.Result(), scope)
	case ast.MapKind, ast.StructKind:
		n.at(e, "", "there are no maps and no messages here")
	}
}

// function says whether a call is of something that there is.
func (n *names) function(e ast.Expr, call ast.CallExpr) bool {
	name := call.FunctionName()
	switch name {
	case operators.Index:
		n.at(e, "in, exists and all ask the entries of a list", "there is no operator [] here")
		return false
	case operators.Divide, operators.Modulo, operators.Negate:
		n.at(e, "", "there is no operator %s here", symbol(name))
		return false
	}
	if symbol(name) != "" || name == operators.NotStrictlyFalse { // that of macros
		return true
	}
	written, ok := signature(name)
	switch {
	case name == "exists" || name == "all":
		n.at(e, "it is written "+written, "%s wants a name for the entries, and a condition", name)
		return false
	case ok:
		return true
	}
	hint := ""
	switch name {
	case "map", "filter", "exists_one":
		hint = "exists and all ask the entries of a list"
	case "has":
		hint = "a fact that is missing makes the expression unknown by itself"
	default:
		var known []string
		for _, f := range functions {
			known = append(known, f.Name)
		}
		if near := nearest(name, known); near != "" {
			hint, _ = signature(near)
			hint = "did you mean " + hint + "?"
		}
	}
	n.at(e, hint, "there is no function %.64q", name)
	return false
}

// symbol returns how an operator is written, or "".
func symbol(function string) string {
	if function == operators.Conditional {
		return "?:"
	}
	s, _ := operators.FindReverse(function)
	return s
}

// reference checks a name, or names joined by dots.
func (n *names) reference(e ast.Expr, scope []string) {
	path, root := "", e
	for root.Kind() == ast.SelectKind && !root.AsSelect().IsTestOnly() {
		path = "." + root.AsSelect().FieldName() + path
		root = root.AsSelect().Operand()
	}
	if root.Kind() != ast.IdentKind {
		n.walk(root, scope) // a field of what is no name: the type check refuses it
		return
	}
	name := strings.TrimPrefix(root.AsIdent(), ".")
	if slices.Contains(scope, name) {
		return
	}
	path = name + path
	if f, ok := fieldByName[path]; ok {
		n.found(f, root)
		return
	}
	var all, within []string
	for _, v := range variables {
		all = append(all, v.Name)
		if strings.HasPrefix(path, v.Name+".") {
			n.at(root, "", "%s is a %s and has no parts", v.Name, v.Type)
			return
		}
		if rest, ok := strings.CutPrefix(v.Name, name+"."); ok {
			within = append(within, rest)
		}
	}
	var hint string
	if near := nearest(path, all); near != "" {
		hint = "did you mean " + near + "?"
	} else if len(within) > 0 {
		hint = name + " has " + strings.Join(within, ", ")
	} else {
		hint = "facts are of " + strings.Join(roots(), ", ")
	}
	n.at(root, hint, "there is no fact %.64q", path)
}

// found notes where a field stands first. A walk may come to a later place before.
func (n *names) found(f Field, e ast.Expr) {
	at := n.info.GetStartLocation(e.ID())
	here := Place{at.Line(), at.Column() + 1}
	if first, ok := n.places[f]; !ok || here.Line < first.Line || here.Line == first.Line && here.Column < first.Column {
		n.places[f] = here
	}
}

// roots returns the first parts of the variables' names.
func roots() []string {
	var all []string
	for _, v := range variables {
		root, _, _ := strings.Cut(v.Name, ".")
		if !slices.Contains(all, root) {
			all = append(all, root)
		}
	}
	return all
}
