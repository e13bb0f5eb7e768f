package expression

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"github.com/agext/levenshtein"
)

// Issue is something in an expression that cannot be meant.
type Issue struct {
	Line, Column int    // from 1, the column in characters; both 0: the whole
	Message      string // a clause, without "did you mean"
	Hint         string // what was probably meant, or how it is written, or ""
}

func (i Issue) String() string {
	text := i.Message
	if i.Line > 0 {
		text = fmt.Sprintf("%d:%d: %s", i.Line, i.Column, text)
	}
	if i.Hint != "" {
		text += " (" + i.Hint + ")"
	}
	return text
}

// report collects issues at nodes of a syntax tree.
type report struct {
	info   *ast.SourceInfo
	issues []Issue
}

func (r *report) at(e ast.Expr, hint, format string, args ...any) {
	if len(r.issues) >= maxIssues {
		return
	}
	issue := Issue{Message: fmt.Sprintf(format, args...), Hint: hint}
	if where := r.info.GetStartLocation(e.ID()); where.Line() > 0 {
		issue.Line, issue.Column = where.Line(), where.Column()+1
	}
	r.issues = append(r.issues, issue)
}

// celIssues translates what cel-go has to say. root is what was parsed, if it was.
func celIssues(found *cel.Issues, root ast.Expr) []Issue {
	var issues []Issue
	for _, e := range found.Errors() {
		if len(issues) == maxIssues {
			break
		}
		message := strings.TrimPrefix(e.Message, "Syntax error: ")
		message = strings.ReplaceAll(message, " (in container '')", "")
		message, _, _ = strings.Cut(message, " expecting {") // all there could be
		if message == "max recursion depth exceeded" {
			message += fmt.Sprintf(": %d", maxNesting) // its other limits name their number
		}
		issue := Issue{}
		if e.Location.Line() > 0 {
			issue.Line, issue.Column = e.Location.Line(), e.Location.Column()+1
		}
		if name, ok := calledAt(root, e.ExprID); ok {
			if s := symbol(name); s != "" {
				message = strings.ReplaceAll(message, "'"+name+"'", "'"+s+"'")
			}
			issue.Hint, _ = signature(name)
		}
		issue.Message = fmt.Sprintf("%.300s", message)
		issues = append(issues, issue)
	}
	return issues
}

// calledAt returns the name of the function that the node calls.
func calledAt(root ast.Expr, id int64) (name string, ok bool) {
	if root == nil {
		return "", false
	}
	ast.PostOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if e.ID() == id && e.Kind() == ast.CallKind {
			name, ok = e.AsCall().FunctionName(), true
		}
	}))
	return name, ok
}

// nearest returns the known name that a wrong one was probably meant to be, or
// "". Ties go to the name that comes first.
func nearest(name string, known []string) string {
	const longest = 64 // comparing costs the product of both lengths
	if len(name) > longest {
		return ""
	}
	best, distance := "", max(1, min(3, len(name)/3))+1
	for _, k := range known {
		if d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(k), nil); d < distance {
			best, distance = k, d
		}
	}
	return best
}
