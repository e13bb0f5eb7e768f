package expression

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// dice turn bytes into choices: the first ones when the bytes have run out, so
// that what is chosen ends.
type dice struct{ bytes []byte }

func (d *dice) roll(sides int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	v := int(d.bytes[0]) % sides
	d.bytes = d.bytes[1:]
	return v
}

func choose[T any](d *dice, from ...T) T { return from[d.roll(len(from))] }

// Few values, so that facts and literals often are the same.
var (
	someTexts = []string{"", "a", "b", "ab", "ä", "/a/b", "example.com", "\xff"}
	someTimes = []time.Time{
		time.Date(2026, 3, 29, 0, 59, 59, 999, time.UTC), time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),
		time.Date(2028, 2, 29, 23, 30, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(1733, 1, 1, 0, 0, 0, 500, time.UTC),
	}
	someDurations = []string{"0s", "1s", "1h", "-1h30m", "24h", "2562047h47m16.854775807s", "-2562047h47m16.854775808s"}
	someZones     = []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"}
	someNetworks  = []string{"10.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32", "::/0"}
	someAddresses = []string{"10.1.2.3", "192.0.2.1", "2001:db8::1", "::ffff:10.1.2.3", "fe80::1%eth0"}
	someNumbers   = []string{"0", "1", "-1", "9", "60", "2026", "9223372036854775807", "-9223372036854775808"}
	someGroups    = []string{"a", "b"}
)

// writer writes random expressions that are of the right types.
type writer struct {
	dice
	entry bool // inside of a loop over texts, whose entry is e
	plain bool // nothing that only cel-go does
}

func (w *writer) fieldOf(kind string) string {
	var names []string
	for _, v := range variables {
		if v.Type == kind && v.Field != SourceIP {
			names = append(names, v.Name)
		}
	}
	return choose(&w.dice, names...)
}

func (w *writer) truth(depth int) string {
	if depth <= 0 {
		return choose(&w.dice, w.fieldOf("bool"), "true", "false")
	}
	d := depth - 1
	switch w.roll(14) {
	case 0:
		return w.fieldOf("bool")
	case 1:
		return fmt.Sprintf("(%s && %s)", w.truth(d), w.truth(d))
	case 2:
		return fmt.Sprintf("(%s || %s)", w.truth(d), w.truth(d))
	case 3:
		return "!" + w.truth(d)
	case 4:
		return fmt.Sprintf("(%s ? %s : %s)", w.truth(d), w.truth(d), w.truth(d))
	case 5:
		return fmt.Sprintf("(%s %s %s)", w.truth(d), choose(&w.dice, "==", "!="), w.truth(d))
	case 6:
		left, right := w.pair(d)
		return fmt.Sprintf("(%s %s %s)", left, choose(&w.dice, "==", "!=", "<", "<=", ">", ">="), right)
	case 7:
		return fmt.Sprintf("(%s in %s)", w.text(d), w.list(d))
	case 8:
		return fmt.Sprintf("(%q in principal.groups)", choose(&w.dice, someGroups...))
	case 9:
		return fmt.Sprintf("%s.%s(%s)", w.text(d), choose(&w.dice, "startsWith", "endsWith", "contains"), w.text(d))
	case 10:
		return fmt.Sprintf("%s.matches(%q)", w.text(d), choose(&w.dice, "", "^a", "b$", "^.$", "a|/", `\pL`))
	case 11:
		return fmt.Sprintf("inCIDR(source.ip, %q)", choose(&w.dice, someNetworks...))
	case 12:
		return fmt.Sprintf("(%s in [%s, %s])", w.number(d), choose(&w.dice, someNumbers...), choose(&w.dice, someNumbers...))
	default:
		if w.entry && w.plain {
			return w.fieldOf("bool")
		}
		list, name := w.list(d), "e"
		inner := &writer{dice: w.dice, entry: true, plain: w.plain}
		if w.entry {
			name = "f"
		}
		loop := fmt.Sprintf("%s.%s(%s, %s)", list, choose(&inner.dice, "exists", "all"), name, inner.truth(d))
		w.dice = inner.dice
		return loop
	}
}

// pair writes two values that can be compared.
func (w *writer) pair(depth int) (left, right string) {
	switch w.roll(4) {
	case 0:
		return w.number(depth), w.number(depth)
	case 1:
		return w.time(depth), w.time(depth)
	case 2:
		return w.duration(depth), w.duration(depth)
	default:
		return w.text(depth), w.text(depth)
	}
}

func (w *writer) text(depth int) string {
	if w.entry && w.roll(3) == 0 {
		return "e"
	}
	switch n := w.roll(8); {
	case n == 0 && !w.plain && depth > 0:
		return fmt.Sprintf("(%s + %s)", w.text(depth-1), w.text(depth-1))
	case n == 1 && !w.plain && depth > 0:
		return fmt.Sprintf("(%s ? %s : %s)", w.truth(depth-1), w.text(depth-1), w.text(depth-1))
	case n == 2 && !w.plain:
		return "source.ip"
	case n < 5:
		return fmt.Sprintf("%q", strings.ToValidUTF8(choose(&w.dice, someTexts...), "?"))
	default:
		return w.fieldOf("string")
	}
}

func (w *writer) list(depth int) string {
	switch w.roll(3) {
	case 0:
		return w.fieldOf("list(string)")
	case 1:
		return fmt.Sprintf("[%q]", strings.ToValidUTF8(choose(&w.dice, someTexts...), "?"))
	default:
		if !w.plain {
			return fmt.Sprintf("[%s, %s]", w.text(depth-1), w.text(depth-1))
		}
		return fmt.Sprintf(`["a", %q]`, strings.ToValidUTF8(choose(&w.dice, someTexts...), "?"))
	}
}

func (w *writer) number(depth int) string {
	switch w.roll(5) {
	case 0:
		return fmt.Sprintf("size(%s)", w.text(depth))
	case 1:
		return w.list(depth) + ".size()"
	case 2:
		name := choose(&w.dice, "getFullYear", "getMonth", "getDate", "getDayOfWeek", "getHours", "getMinutes")
		return fmt.Sprintf("%s.%s(%q)", w.time(depth), name, choose(&w.dice, someZones...))
	case 3:
		if depth > 0 {
			return fmt.Sprintf("(%s %s %s)", w.number(depth-1), choose(&w.dice, "+", "-", "*"), w.number(depth-1))
		}
	}
	return choose(&w.dice, someNumbers...)
}

func (w *writer) time(depth int) string {
	switch n := w.roll(5); {
	case n == 0:
		return fmt.Sprintf("timestamp(%q)", choose(&w.dice, someTimes...).Format(time.RFC3339Nano))
	case n == 1 && depth > 0:
		return fmt.Sprintf("(%s %s %s)", w.time(depth-1), choose(&w.dice, "+", "-"), w.duration(depth-1))
	case n == 2 && depth > 0:
		return fmt.Sprintf("(%s + %s)", w.duration(depth-1), w.time(depth-1))
	default:
		return w.fieldOf("timestamp")
	}
}

func (w *writer) duration(depth int) string {
	switch n := w.roll(3); {
	case n == 0 && depth > 0:
		return fmt.Sprintf("(%s - %s)", w.time(depth-1), w.time(depth-1))
	case n == 1 && depth > 0 && !w.plain:
		return fmt.Sprintf("(%s %s %s)", w.duration(depth-1), choose(&w.dice, "+", "-"), w.duration(depth-1))
	default:
		return fmt.Sprintf("duration(%q)", choose(&w.dice, someDurations...))
	}
}

// facts makes up facts, of which about a quarter is unknown or too large.
func (d *dice) facts() *world {
	w := &world{
		texts: map[Field]string{}, lists: map[Field][]string{}, flags: map[Field]bool{}, times: map[Field]time.Time{}, groups: map[string]Truth{},
	}
	for _, v := range variables {
		how := d.roll(8)
		if how == 1 {
			continue
		}
		switch v.Type {
		case "string":
			w.texts[v.Field] = choose(d, someTexts...)
			if how == 2 {
				w.texts[v.Field] = strings.Repeat("a", v.Max+d.roll(2))
			}
		case "list(string)":
			for range d.roll(4) {
				w.lists[v.Field] = append(w.lists[v.Field], choose(d, someTexts...))
			}
			if _, ok := w.lists[v.Field]; !ok {
				w.lists[v.Field] = nil
			}
			if how == 2 {
				w.lists[v.Field] = append(w.lists[v.Field], strings.Repeat("b", maxEntry+d.roll(2)))
			}
		case "bool":
			w.flags[v.Field] = d.roll(2) == 0
		case "timestamp":
			w.times[v.Field] = choose(d, someTimes...)
			if how == 2 {
				w.times[v.Field] = time.Unix(1<<40, 0)
			}
		}
	}
	if d.roll(4) != 1 {
		w.address = netip.MustParseAddr(choose(d, someAddresses...))
	}
	for _, g := range someGroups {
		w.groups[g] = choose(d, True, False, Unknown)
	}
	return w
}
