package clause

import (
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/expression"
	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
)

// expr is "expression".
type expr struct {
	compiled *expression.Expression
	timely   bool // it reads the time
}

// An expression that reads the time may change its mind at any moment, and is
// asked again after so long.
const expressionAge = 60 * time.Second

func (c *expr) eval(f *Facts) truth.Value {
	if c.timely && !f.Now.IsZero() {
		f.changes(f.Now.Add(expressionAge))
	}
	r := f.Lender.get(f)
	t := c.compiled.Eval(r)
	f.Lender.put(r)
	return t
}

func (*expr) Field() string    { return "expression" }
func (c *expr) Wanted() string { return "such that " + c.compiled.String() }

// Seen lists the facts that the expression reads.
func (c *expr) Seen(f *Facts) string {
	r := &expressionFacts{Request: f.Request, who: f.Who}
	var parts []string
	for _, field := range c.compiled.Reads() {
		if field == expression.PrincipalGroups {
			continue
		}
		parts = append(parts, field.String()+" "+r.show(field))
	}
	for _, id := range c.compiled.Groups() {
		parts = append(parts, word(r.InGroup(id), "in "+id))
	}
	return "the request (" + strings.Join(parts, ", ") + ")"
}

func (c *Compiler) expression(text string, at problem.Path) Clause {
	const field = "expression"
	if text == "" {
		return nil
	}
	compiled := c.expressions[text]
	if compiled == nil {
		var issues []expression.Issue
		compiled, issues = expression.Compile(text)
		for _, issue := range issues {
			c.reportIssue(at, field, issue)
		}
		if len(issues) > 0 {
			return nil
		}
		if c.expressions == nil {
			c.expressions = map[string]*expression.Expression{}
		}
		c.expressions[text] = compiled
	}
	for _, id := range compiled.Groups() {
		c.Group(id, at, field, -1)
	}
	return &expr{compiled, compiled.UsesTime()}
}

func (c *Compiler) reportIssue(at problem.Path, field string, issue expression.Issue) {
	text := issue.Message
	if issue.Line > 0 {
		text = fmt.Sprintf("line %d, column %d: %s", issue.Line, issue.Column, text)
	}
	meant, one := strings.CutPrefix(issue.Hint, "did you mean ")
	switch {
	case one:
		c.Problems.Suggest(at, field, strings.TrimSuffix(meant, "?"), "%s", text)
	case issue.Hint != "":
		c.Problems.Add(at, field, problem.Invalid, "%s (%s)", text, issue.Hint)
	default:
		c.Problems.Add(at, field, problem.Invalid, "%s", text)
	}
}
