package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/expression"
)

// expressionCondition is "expression".
type expressionCondition struct {
	compiled *expression.Expression
	timely   bool // it reads the time
}

// An expression that reads the time may change its mind at any moment, and is
// asked again after so long.
const expressionAge = 60 * time.Second

func (c *expressionCondition) eval(f *facts) Truth {
	if c.timely && !f.Now.IsZero() {
		f.changes(f.Now.Add(expressionAge))
	}
	r := f.lending.get(f)
	t := c.compiled.Eval(r)
	f.lending.put(r)
	return t
}

func (*expressionCondition) field() string    { return "expression" }
func (*expressionCondition) reason() Reason   { return RequireExpression }
func (c *expressionCondition) wanted() string { return "such that " + c.compiled.String() }

// seen lists the facts that the expression reads.
func (c *expressionCondition) seen(f *facts) string {
	r := &expressionFacts{f.Request, f.who}
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

func (c *compiler) expression(text string, at path) condition {
	const field = "expression"
	if text == "" {
		return nil
	}
	compiled, issues := expression.Compile(text)
	for _, issue := range issues {
		c.reportIssue(at, field, issue)
	}
	if len(issues) > 0 {
		return nil
	}
	for _, id := range compiled.Groups() {
		c.groupNamed(id, at, field, -1)
	}
	return &expressionCondition{compiled, compiled.UsesTime()}
}

func (c *compiler) reportIssue(at path, field string, issue expression.Issue) {
	text := issue.Message
	if issue.Line > 0 {
		text = fmt.Sprintf("line %d, column %d: %s", issue.Line, issue.Column, text)
	}
	meant, one := strings.CutPrefix(issue.Hint, "did you mean ")
	switch {
	case one:
		c.suggest(at, field, strings.TrimSuffix(meant, "?"), "%s", text)
	case issue.Hint != "":
		c.report(at, field, ProblemInvalid, "%s (%s)", text, issue.Hint)
	default:
		c.report(at, field, ProblemInvalid, "%s", text)
	}
}
