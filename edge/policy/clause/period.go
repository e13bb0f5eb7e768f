package clause

import (
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/problem"
	"github.com/sallyport-iap/sallyport/edge/policy/truth"
	"github.com/sallyport-iap/sallyport/edge/policy/window"
)

// start is "not_before".
type start struct{ at time.Time }

func (c *start) eval(f *Facts) truth.Value {
	return f.Before(c.at).Not()
}

func (*start) Field() string        { return "conditions.not_before" }
func (c *start) Wanted() string     { return "at or after " + instantText(c.at) }
func (*start) Seen(f *Facts) string { return nowText(f) }

// end is "not_after".
type end struct{ at time.Time }

func (c *end) eval(f *Facts) truth.Value {
	return f.Before(c.at)
}

func (*end) Field() string        { return "conditions.not_after" }
func (c *end) Wanted() string     { return "before " + instantText(c.at) }
func (*end) Seen(f *Facts) string { return nowText(f) }

func nowText(f *Facts) string {
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

// windows is "time_windows".
type windows struct {
	windows *window.Windows
	src     []window.Window
}

func (c *windows) eval(f *Facts) truth.Value {
	if f.Now.IsZero() {
		return truth.Unknown
	}
	f.changes(c.windows.Next(f.Now))
	return truth.Of(c.windows.Contains(f.Now))
}

func (*windows) Field() string        { return "conditions.time_windows" }
func (*windows) Seen(f *Facts) string { return nowText(f) }

func (c *windows) Wanted() string {
	texts := make([]string, len(c.src))
	for i, w := range c.src {
		texts[i] = w.String()
	}
	return "in " + AnyOf(texts)
}

func (c *Compiler) windows(list []window.Window, at problem.Path) Clause {
	const field = "conditions.time_windows"
	if len(list) == 0 {
		if list != nil {
			c.Problems.Add(at, field, problem.Required, problem.Empty)
		}
		return nil
	}
	compiled, problems := window.Parse(list)
	for _, p := range problems {
		where := field
		if p.Window >= 0 {
			where = problem.Item(field, p.Window)
			if p.Field != "" {
				where += "." + p.Field
			}
		}
		c.Problems.Suggest(at, where, p.Suggestion, "%s", p.Message)
	}
	if compiled == nil {
		return nil
	}
	return &windows{compiled, list}
}

func (c *Compiler) notBefore(at time.Time) Clause {
	if at.IsZero() {
		return nil
	}
	return &start{at}
}

func (c *Compiler) notAfter(from, until time.Time, at problem.Path, field string) Clause {
	if until.IsZero() {
		return nil
	}
	if !from.Before(until) {
		c.Problems.Add(at, field, problem.Invalid, "not_after is later than not_before")
	}
	return &end{until}
}
