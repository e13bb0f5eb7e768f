package policy

import (
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// startCondition is "not_before".
type startCondition struct{ at time.Time }

func (c *startCondition) eval(f *facts) Truth {
	if f.Now.IsZero() {
		return Unknown
	}
	f.changes(c.at)
	return truthOf(!f.Now.Before(c.at))
}

func (*startCondition) field() string        { return "conditions.not_before" }
func (*startCondition) reason() Reason       { return RequireTime }
func (c *startCondition) wanted() string     { return "at or after " + instantText(c.at) }
func (*startCondition) seen(f *facts) string { return nowText(f) }

// endCondition is "not_after".
type endCondition struct{ at time.Time }

func (c *endCondition) eval(f *facts) Truth {
	if f.Now.IsZero() {
		return Unknown
	}
	f.changes(c.at)
	return truthOf(f.Now.Before(c.at))
}

func (*endCondition) field() string        { return "conditions.not_after" }
func (*endCondition) reason() Reason       { return RequireTime }
func (c *endCondition) wanted() string     { return "before " + instantText(c.at) }
func (*endCondition) seen(f *facts) string { return nowText(f) }

func nowText(f *facts) string {
	if f.Now.IsZero() {
		return "an unknown time"
	}
	return "the time " + instantText(f.Now)
}

func instantText(t time.Time) string {
	return t.UTC().Format(time.RFC3339Nano)
}

// durationText is 1h instead of 1h0m0s.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
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
func (*windowCondition) seen(f *facts) string { return nowText(f) }

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

func (c *compiler) notBefore(at time.Time) condition {
	if at.IsZero() {
		return nil
	}
	return &startCondition{at}
}

func (c *compiler) notAfter(start, end time.Time, at path, field string) condition {
	if end.IsZero() {
		return nil
	}
	if !start.Before(end) {
		c.report(at, field, ProblemInvalid, "not_after is later than not_before")
	}
	return &endCondition{end}
}
