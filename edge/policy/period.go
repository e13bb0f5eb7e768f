package policy

import (
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// periodCondition is "not_before" and "not_after".
type periodCondition struct{ from, until time.Time } // zero: open on that side

func (c *periodCondition) eval(f *facts) Truth {
	if f.Now.IsZero() {
		return Unknown
	}
	f.changes(c.from)
	f.changes(c.until)
	early := !c.from.IsZero() && f.Now.Before(c.from)
	late := !c.until.IsZero() && !f.Now.Before(c.until)
	return truthOf(!early && !late)
}

func (c *periodCondition) field() string {
	if c.from.IsZero() {
		return "conditions.not_after"
	}
	return "conditions.not_before"
}

func (*periodCondition) reason() Reason { return RequireTime }

func (c *periodCondition) wanted() string {
	var parts []string
	if !c.from.IsZero() {
		parts = append(parts, "from "+instantText(c.from))
	}
	if !c.until.IsZero() {
		parts = append(parts, "before "+instantText(c.until))
	}
	return strings.Join(parts, " and ")
}

func (*periodCondition) seen(f *facts) string { return instantText(f.Now) }

func instantText(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (c *compiler) period(from, until time.Time, at path) condition {
	if from.IsZero() && until.IsZero() {
		return nil
	}
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		c.report(at, "conditions.not_after", ProblemInvalid, "not_after is later than not_before")
	}
	return &periodCondition{from, until}
}

// windowCondition is "time_windows".
type windowCondition struct {
	windows *window.Windows
	src     []window.Window
}

func (c *windowCondition) eval(f *facts) Truth {
	if f.Now.IsZero() {
		return Unknown
	}
	f.changes(c.windows.Next(f.Now))
	return truthOf(c.windows.Contains(f.Now))
}

func (*windowCondition) field() string        { return "conditions.time_windows" }
func (*windowCondition) reason() Reason       { return RequireTime }
func (*windowCondition) seen(f *facts) string { return instantText(f.Now) }

func (c *windowCondition) wanted() string {
	texts := make([]string, len(c.src))
	for i, w := range c.src {
		texts[i] = w.String()
	}
	return "in " + anyOf(texts)
}

func (c *compiler) windows(list []window.Window, at path) condition {
	const field = "conditions.time_windows"
	if len(list) == 0 {
		if list != nil {
			c.report(at, field, ProblemRequired, emptyList)
		}
		return nil
	}
	compiled, problems := window.Parse(list)
	for _, p := range problems {
		where := field
		if p.Window >= 0 {
			where = item(field, p.Window)
			if p.Field != "" {
				where += "." + p.Field
			}
		}
		c.suggest(at, where, p.Suggestion, "%s", p.Message)
	}
	if compiled == nil {
		return nil
	}
	return &windowCondition{compiled, list}
}
