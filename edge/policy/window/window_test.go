package window

import (
	"archive/zip"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// location is the test's own way to a zone, from the same data.
func location(t testing.TB, name string) *time.Location {
	t.Helper()
	archive, err := zip.OpenReader("../zone/zoneinfo.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	file, err := archive.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func parse(t testing.TB, windows ...Window) *Windows {
	t.Helper()
	w, problems := Parse(windows)
	if problems != nil {
		t.Fatal(problems)
	}
	return w
}

// naive is doc.go's definition, word by word.
func naive(w Window, zone *time.Location, t time.Time) bool {
	wall := t.In(zone)
	clock := wall.Format("15:04")
	listed := func(day time.Weekday) bool {
		return len(w.Days) == 0 || slices.Contains(w.Days, strings.ToUpper(day.String()))
	}
	today, yesterday := listed(wall.Weekday()), listed((wall.Weekday()+6)%7)
	if w.Start < w.End {
		return today && w.Start <= clock && clock < w.End
	}
	return today && w.Start <= clock || yesterday && clock < w.End
}

// TestMinuteByMinute walks through every kind of change of clocks and asks, at each minute, both questions.
func TestMinuteByMinute(t *testing.T) {
	t.Parallel()
	for name, days := range map[string][]string{
		"Europe/Berlin":        {"2026-03-29", "2026-10-25", "2028-02-29", "2028-12-31", "2099-12-31", "2104-12-31", "2038-03-28"},
		"America/New_York":     {"2026-03-08", "2026-11-01", "2028-02-29", "2028-12-31"},
		"America/St_Johns":     {"2006-10-29", "2007-03-11", "2026-03-08", "2026-11-01"}, // until 2011 at 00:01
		"America/Havana":       {"2026-03-08", "2026-11-01"},                             // at midnight, over the edge of the day
		"America/Scoresbysund": {"2024-03-31"},
		"Australia/Lord_Howe":  {"2026-04-05", "2026-10-04"}, // by 30 minutes
		"Asia/Kathmandu":       {"1985-12-31", "2028-02-29"}, // +05:30 became +05:45
		"Africa/Casablanca":    {"2026-02-15", "2026-03-22", "2087-05-11"},
		"Africa/Cairo":         {"2010-08-11", "2010-09-10"}, // stopped for Ramadan
		"Asia/Pyongyang":       {"2015-08-14", "2018-05-04"},
		"Asia/Gaza":            {"2026-03-28", "2026-10-24"},
		"Europe/Dublin":        {"2026-03-29", "2026-10-25"},
		"Pacific/Apia":         {"2011-12-30"},               // was not
		"Pacific/Kwajalein":    {"1993-08-21"},               // was not
		"Antarctica/Troll":     {"2026-03-29", "2026-10-25"}, // by two hours
		"Antarctica/Casey":     {"2009-10-18", "2010-03-04"},
		"UTC":                  {"2028-02-29", "2016-12-31"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := location(t, name)
			random := rand.New(rand.NewPCG(uint64(len(name)), uint64(name[0])))
			for _, day := range days {
				middle, err := time.Parse(time.DateOnly, day)
				if err != nil {
					t.Fatal(err)
				}
				for _, windows := range [][]Window{
					{{Start: "02:00", End: "02:30", Zone: name}},
					{{Start: "02:30", End: "04:00", Zone: name}},
					{{Start: "22:00", End: "06:00", Zone: name}},
					{{Start: "00:00", End: "24:00", Zone: name, Days: []string{strings.ToUpper(middle.Weekday().String())}}},
					{{Start: "23:30", End: "00:30", Zone: name}, {Start: "00:30", End: "02:15", Zone: name}},
					chance(random, name), chance(random, name), chance(random, name),
				} {
					walk(t, windows, zone, middle.Add(-2*24*time.Hour), 5*24*60)
				}
			}
		})
	}
}

func chance(random *rand.Rand, zone string) []Window {
	var windows []Window
	clock := func() string {
		minute := random.IntN(24 * 60)
		if random.IntN(3) == 0 {
			minute -= minute % 30
		}
		return time.Unix(int64(minute)*60, 0).UTC().Format("15:04")
	}
	for range 1 + random.IntN(4) {
		w := Window{Start: clock(), End: clock(), Zone: zone}
		for day := range 7 {
			if random.IntN(3) == 0 {
				w.Days = append(w.Days, strings.ToUpper(time.Weekday(day).String()))
			}
		}
		windows = append(windows, w)
	}
	return windows
}

func walk(t *testing.T, windows []Window, zone *time.Location, from time.Time, minutes int) {
	t.Helper()
	w := parse(t, windows...)
	want := make([]bool, minutes)
	for m := range want {
		at := from.Add(time.Duration(m) * time.Minute)
		want[m] = slices.ContainsFunc(windows, func(w Window) bool { return naive(w, zone, at) })
	}
	next := minutes // not seen
	for m := minutes - 1; m >= 0; m-- {
		if m+1 < minutes && want[m] != want[m+1] {
			next = m + 1
		}
		// Any second of the minute, and any part of it.
		at := from.Add(time.Duration(m)*time.Minute + time.Duration(m%60)*(time.Second+999*time.Millisecond/60))
		if got := w.Contains(at); got != want[m] {
			t.Fatalf("%v at %v: %v, want %v", windows, at.In(zone), got, want[m])
		}
		got, end := w.Next(at), from.Add(time.Duration(next)*time.Minute)
		switch {
		case next < minutes && !got.Equal(end):
			t.Fatalf("%v at %v: changes at %v, want %v", windows, at.In(zone), got.In(zone), end.In(zone))
		case next == minutes && !got.IsZero() && got.Before(end):
			t.Fatalf("%v at %v: changes at %v, want %v or later", windows, at.In(zone), got.In(zone), end.In(zone))
		}
	}
}

// TestSeveralZones follows office hours around the world, the last windows meeting only while both sides have summer time.
func TestSeveralZones(t *testing.T) {
	t.Parallel()
	berlin, newYork := location(t, "Europe/Berlin"), location(t, "America/New_York")
	windows := []Window{
		{Start: "06:00", End: "18:00", Zone: "Europe/Berlin"},
		{Start: "12:00", End: "24:00", Zone: "America/New_York"},
	}
	w := parse(t, windows...)
	for _, day := range []string{"2026-02-01", "2026-03-05", "2026-03-26", "2026-10-22", "2026-10-29"} {
		from, _ := time.Parse(time.DateOnly, day)
		for m := range 6 * 24 * 60 {
			at := from.Add(time.Duration(m) * time.Minute)
			if got, want := w.Contains(at), naive(windows[0], berlin, at) || naive(windows[1], newYork, at); got != want {
				t.Fatalf("at %v: %v, want %v", at, got, want)
			}
		}
	}
	// From 8 March on New York has summer time, Berlin not yet: the hour from 05:00 in Berlin is in neither.
	change := time.Date(2026, 3, 9, 4, 0, 0, 0, time.UTC)
	if got := w.Next(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)); !got.Equal(change) {
		t.Errorf("changes at %v, want %v", got, change)
	}
	// From far off it takes more steps than it may, and names a time to ask again.
	far := time.Date(2025, 11, 10, 0, 0, 0, 0, time.UTC)
	if got := w.Next(far); !got.After(far.Add(7*24*time.Hour)) || got.After(change) || !w.Contains(got) {
		t.Errorf("changes at %v, want some time before %v", got, change)
	}
}

func TestAlways(t *testing.T) {
	t.Parallel()
	for _, windows := range [][]Window{
		{{Start: "00:00", End: "24:00", Zone: "Europe/Berlin"}},
		{{Start: "09:00", End: "09:00", Zone: "Europe/Berlin"}},
		{{Start: "09:00", End: "17:00", Zone: "Europe/Berlin"}, {Start: "17:00", End: "09:00", Zone: "Europe/Berlin"}},
		{{Start: "09:00", End: "10:00", Zone: "Asia/Tokyo"}, {Start: "12:00", End: "12:00", Zone: "Europe/Berlin"}},
	} {
		w := parse(t, windows...)
		at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
		if !w.Contains(at) || !w.Next(at).IsZero() {
			t.Errorf("%v: %v, changes at %v; want always", windows, w.Contains(at), w.Next(at))
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	good := Window{Days: []string{"MONDAY"}, Start: "09:00", End: "17:00", Zone: "Europe/Berlin"}
	for name, test := range map[string]struct {
		change func(*Window)
		want   []Problem
	}{
		"good":         {change: func(*Window) {}},
		"24:00":        {change: func(w *Window) { w.End = "24:00" }},
		"no start":     {change: func(w *Window) { w.Start = "" }, want: []Problem{{0, "start", `"" is no time such as 09:00`, ""}}},
		"one digit":    {change: func(w *Window) { w.Start = "9:00" }, want: []Problem{{0, "start", `"9:00" is no time such as 09:00`, ""}}},
		"start 24:00":  {change: func(w *Window) { w.Start = "24:00" }, want: []Problem{{0, "start", `"24:00" is no time such as 09:00`, ""}}},
		"end 24:01":    {change: func(w *Window) { w.End = "24:01" }, want: []Problem{{0, "end", `"24:01" is no time such as 17:00 or 24:00`, ""}}},
		"end 12:60":    {change: func(w *Window) { w.End = "12:60" }, want: []Problem{{0, "end", `"12:60" is no time such as 17:00 or 24:00`, ""}}},
		"signs":        {change: func(w *Window) { w.End = "+1:-1" }, want: []Problem{{0, "end", `"+1:-1" is no time such as 17:00 or 24:00`, ""}}},
		"no zone":      {change: func(w *Window) { w.Zone = "" }, want: []Problem{{0, "zone", `"" is no time zone such as Europe/Berlin`, ""}}},
		"other zone":   {change: func(w *Window) { w.Zone = "Paris" }, want: []Problem{{0, "zone", `"Paris" is no time zone such as Europe/Berlin`, "Europe/Paris"}}},
		"the machines": {change: func(w *Window) { w.Zone = "Local" }, want: []Problem{{0, "zone", `"Local" is no time zone such as Europe/Berlin`, ""}}},
		"short day":    {change: func(w *Window) { w.Days = []string{"Wed"} }, want: []Problem{{0, "days", `"Wed" is no day such as MONDAY`, "WEDNESDAY"}}},
		"twice":        {change: func(w *Window) { w.Days = []string{"SUNDAY", "SUNDAY"} }, want: []Problem{{0, "days", `SUNDAY is there twice`, ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := good
			test.change(&w)
			windows, problems := Parse([]Window{w})
			if diff := cmp.Diff(test.want, problems); diff != "" {
				t.Error(diff)
			}
			if (windows == nil) != (problems != nil) {
				t.Errorf("windows %v with problems %v", windows, problems)
			}
		})
	}
	if _, problems := Parse(nil); len(problems) != 1 {
		t.Errorf("an empty list: %v", problems)
	}
	if _, problems := Parse(slices.Repeat([]Window{good}, Max+1)); len(problems) != 1 || !strings.Contains(problems[0].Message, "64 is the limit") {
		t.Errorf("too many: %v", problems)
	}
}

// FuzzParse holds that a window either has a problem or answers, and that an answer of Next is later and a change.
func FuzzParse(f *testing.F) {
	f.Add("MONDAY,FRIDAY", "22:00", "06:00", "Europe/Berlin", int64(1774746000))
	f.Add("", "00:00", "24:00", "Pacific/Apia", int64(1325203200))
	f.Add("SUNDAY", "02:30", "02:31", "America/New_York", int64(4105080000))
	f.Fuzz(func(t *testing.T, days, start, end, zone string, sec int64) {
		var list []string
		if days != "" {
			list = strings.Split(days, ",")
		}
		w, problems := Parse([]Window{{list, start, end, zone}})
		if len(problems) > 0 {
			if w != nil {
				t.Fatal("windows in spite of a problem")
			}
			return
		}
		at := time.Unix(sec, 0)
		next := w.Next(at)
		if sec < -62135596800 || sec >= 253402300800-weekSeconds || next.IsZero() {
			return // beyond years 1 to 9999 it only has to return
		}
		if !next.After(at) || w.Contains(next) == w.Contains(at) || w.Contains(next.Add(-time.Second)) != w.Contains(at) {
			t.Fatalf("at %v %v, at %v %v", at, w.Contains(at), next, w.Contains(next))
		}
	})
}

func TestAllocatesNothing(t *testing.T) {
	w := parse(t, Window{Start: "22:00", End: "06:00", Zone: "Europe/Berlin"}, Window{Start: "09:00", End: "12:30", Zone: "Asia/Kathmandu"})
	at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	if n := testing.AllocsPerRun(100, func() {
		at = at.Add(time.Hour)
		w.Contains(at)
		w.Next(at)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkContains(b *testing.B) {
	w := parse(b, Window{Days: []string{"MONDAY", "FRIDAY"}, Start: "09:00", End: "17:00", Zone: "Europe/Berlin"})
	b.ReportAllocs()
	at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	for n := 0; b.Loop(); n++ {
		w.Contains(at.Add(time.Duration(n%10000) * time.Hour))
	}
}

func BenchmarkNext(b *testing.B) {
	w := parse(b, Window{Days: []string{"MONDAY", "FRIDAY"}, Start: "09:00", End: "17:00", Zone: "Europe/Berlin"})
	b.ReportAllocs()
	at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	for n := 0; b.Loop(); n++ {
		w.Next(at.Add(time.Duration(n%10000) * time.Hour))
	}
}
