package expression

import "time"

// Function is something that expressions can call.
type Function struct {
	Name      string
	Signature string // how it is written
	Doc       string // a phrase
}

// Functions returns all functions and macros. Beside them there are the
// operators && || ! ?: == != < <= > >= in + - *.
func Functions() []Function { return append([]Function(nil), functions[:]...) }

var functions = [...]Function{
	{"startsWith", `string.startsWith("prefix")`, "whether a text starts so"},
	{"endsWith", `string.endsWith("suffix")`, "whether a text ends so"},
	{"contains", `string.contains("part")`, "whether a text has the part anywhere"},
	{"matches", `string.matches("^pattern$")`, "whether a text has what the pattern says (RE2) anywhere; ^ and $ tie it to both ends"},
	{"size", "size(string) or size(list)", "how many characters or entries there are"},
	{"exists", `list.exists(m, m == "hwk")`, "whether the condition holds for some entry"},
	{"all", `list.all(m, m != "sms")`, "whether the condition holds for every entry"},
	{"inCIDR", `inCIDR(source.ip, "10.0.0.0/8")`, "whether the client's address is in the network"},
	{"timestamp", `timestamp("2026-12-31T23:00:00Z")`, "a point in time (RFC 3339)"},
	{"duration", `duration("8h30m")`, "a length of time, in h, m and s"},
	{"getFullYear", `now.getFullYear("Europe/Berlin")`, "the year, as clocks in the zone show it"},
	{"getMonth", `now.getMonth("Europe/Berlin")`, "the month there: January is 0"},
	{"getDate", `now.getDate("Europe/Berlin")`, "the day of the month there: the first is 1"},
	{"getDayOfWeek", `now.getDayOfWeek("Europe/Berlin")`, "the weekday there: Sunday is 0"},
	{"getHours", `now.getHours("Europe/Berlin")`, "the hour there, 0 to 23"},
	{"getMinutes", `now.getMinutes("Europe/Berlin")`, "the minute there, 0 to 59"},
}

// calendar is what the functions on times read off a clock on the wall. CEL
// counts months and weekdays from 0, and days of the month here from 1.
var calendar = map[string]func(wall time.Time) int64{
	"getFullYear":  func(wall time.Time) int64 { return int64(wall.Year()) },
	"getMonth":     func(wall time.Time) int64 { return int64(wall.Month()) - 1 },
	"getDate":      func(wall time.Time) int64 { return int64(wall.Day()) },
	"getDayOfWeek": func(wall time.Time) int64 { return int64(wall.Weekday()) },
	"getHours":     func(wall time.Time) int64 { return int64(wall.Hour()) },
	"getMinutes":   func(wall time.Time) int64 { return int64(wall.Minute()) },
}

// signature returns how a function is written, if there is such a one.
func signature(name string) (string, bool) {
	for _, f := range functions {
		if f.Name == name {
			return f.Signature, true
		}
	}
	return "", false
}
