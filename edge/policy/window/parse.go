package window

import (
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/zone"
)

// Max is how many windows one list may have.
const Max = 64

// Window is hours of some days of the week.
type Window struct {
	Days  []string // "MONDAY" to "SUNDAY", on which it starts; none is all
	Start string   // "HH:MM", of the clocks in Zone
	End   string   // "HH:MM" or "24:00", exclusive; up to Start is the day after
	Zone  string   // IANA name, such as "Europe/Berlin"
}

// String is for people.
func (w Window) String() string {
	days := "every day"
	if len(w.Days) > 0 {
		days = strings.Join(w.Days, " ")
	}
	return fmt.Sprintf("%s %s-%s %s", days, w.Start, w.End, w.Zone)
}

// Problem is something in a list of windows that cannot be meant.
type Problem struct {
	Window     int    // index, or -1: the list
	Field      string // "days", "start", "end" or "zone"; "" is all of it
	Message    string // a clause, without "did you mean"
	Suggestion string // what was probably meant, or ""
}

// Parse compiles windows. If there is a problem, there are no Windows.
func Parse(windows []Window) (*Windows, []Problem) {
	switch n := len(windows); {
	case n == 0:
		return nil, []Problem{{Window: -1, Message: "no windows: nothing would ever be in one"}}
	case n > Max:
		return nil, []Problem{{Window: -1, Message: fmt.Sprintf("%d windows, and %d is the limit", n, Max)}}
	}
	var problems []Problem
	var weeks []*minutes // of each zone, in order of appearance
	for i, w := range windows {
		bad := func(field, suggestion, format string, args ...any) {
			problems = append(problems, Problem{i, field, fmt.Sprintf(format, args...), suggestion})
		}
		days := parseDays(w.Days, bad)
		start, ok := parseMinute(w.Start)
		if !ok || start == dayMinutes {
			bad("start", "", "%.20q is no time such as 09:00", w.Start)
		}
		end, ok := parseMinute(w.End)
		if !ok {
			bad("end", "", "%.20q is no time such as 17:00 or 24:00", w.End)
		}
		clock, ok := zone.Load(w.Zone)
		if !ok {
			bad("zone", zone.Nearest(w.Zone), "%.64q is no time zone such as Europe/Berlin", w.Zone)
		}
		if len(problems) == 0 {
			weeks = mark(weeks, clock, days, start, end)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	compiled := &Windows{}
	for _, m := range weeks {
		compiled.weeks = append(compiled.weeks, m.compile())
	}
	return compiled, nil
}

// minutes says of every minute of a week whether it is in.
type minutes struct {
	clock *zone.Clock
	in    [weekMinutes]bool
}

func mark(weeks []*minutes, clock *zone.Clock, days [7]bool, start, end int) []*minutes {
	var week *minutes
	for _, m := range weeks {
		if m.clock == clock {
			week = m
		}
	}
	if week == nil {
		week = &minutes{clock: clock}
		weeks = append(weeks, week)
	}
	if end <= start {
		end += dayMinutes
	}
	for day, listed := range days {
		for m := start; listed && m < end; m++ {
			week.in[(day*dayMinutes+m)%weekMinutes] = true
		}
	}
	return weeks
}

func (m *minutes) compile() week {
	before := m.in[weekMinutes-1]
	w := week{clock: m.clock, first: before}
	for minute, in := range m.in {
		if in != before {
			w.edges = append(w.edges, int32(minute*60))
		}
		before = in
	}
	return w
}

func parseDays(names []string, bad func(field, suggestion, format string, args ...any)) (days [7]bool) {
	if len(names) == 0 {
		return [7]bool{true, true, true, true, true, true, true}
	}
next:
	for _, name := range names {
		for day := range days {
			full := strings.ToUpper(time.Weekday(day).String())
			switch {
			case name != full:
				continue
			case days[day]:
				bad("days", "", "%s is there twice", full)
			}
			days[day] = true
			continue next
		}
		bad("days", nearestDay(name), "%.20q is no day such as MONDAY", name)
	}
	return days
}

func nearestDay(name string) string {
	name = strings.ToUpper(name)
	for day := range 7 {
		full := strings.ToUpper(time.Weekday(day).String())
		if len(name) >= 2 && len(name) <= 12 && strings.HasPrefix(name, full[:2]) {
			return full
		}
	}
	return ""
}

// parseMinute reads "HH:MM", from 00:00 to 24:00.
func parseMinute(s string) (minute int, ok bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		base := 10
		if i == 3 {
			base = 6
		}
		minute = minute*base + int(s[i]-'0')
		if i == 3 && s[i] > '5' {
			return 0, false
		}
	}
	return minute, minute <= dayMinutes
}
