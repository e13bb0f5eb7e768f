package zone

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A new toolchain may bring a new database, and whoever moves to it would forget ours.
func TestDatabaseIsTheToolchains(t *testing.T) {
	t.Parallel()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip")
	want, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(archive, want) {
		t.Errorf("zoneinfo.zip is another: cp %s edge/policy/zone/", theirs)
	}
}

// TestClocks compares each clock of the world with time.Location, at chance instants and around each change.
func TestClocks(t *testing.T) {
	t.Parallel()
	if n := len(files()); n < 500 {
		t.Fatalf("%d zones: the database does not open", n)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for name := range files() {
		c, ok := Load(name)
		if !ok {
			t.Errorf("%s: does not load", name)
			continue
		}
		compare := func(sec int64) {
			t.Helper()
			_, want := time.Unix(sec, 0).In(c.location).Zone()
			got, until := c.Offset(sec)
			if got != want {
				t.Fatalf("%s at %d: %d s ahead of UTC, want %d", name, sec, got, want)
			}
			if until <= sec {
				t.Fatalf("%s at %d: ends before, at %d", name, sec, until)
			}
			last := min(until-1, timeEnd)
			for _, inside := range []int64{last, sec + random.Int64N(last-sec+1)} {
				if _, same := time.Unix(inside, 0).In(c.location).Zone(); same != want {
					t.Fatalf("%s at %d: is not the same up to %d: it is %d at %d", name, sec, until, same, inside)
				}
			}
		}
		for range 100 {
			compare(random.Int64N(tableEnd))
			compare(timeStart + random.Int64N(timeEnd-timeStart))
		}
		for _, change := range c.changes {
			compare(change.at - 1)
			compare(change.at)
		}
	}
}

// Here time.Location.ZoneBounds ends before it begins: who goes from end to end would go round for ever.
func TestLastDayOfLeapYear(t *testing.T) {
	t.Parallel()
	for _, year := range []int{2028, 2096, 2104, 9996} {
		c, _ := Load("America/New_York")
		at := time.Date(year, time.December, 31, 12, 0, 0, 0, time.UTC).Unix()
		offset, until := c.Offset(at)
		if offset != -5*3600 || until <= at {
			t.Errorf("%d: %d s ahead of UTC up to %d, asked at %d", year, offset, until, at)
		}
	}
}

func TestBeyondTime(t *testing.T) {
	t.Parallel()
	c, _ := Load("Europe/Berlin")
	for _, sec := range []int64{math.MinInt64, timeStart - 1, timeEnd, math.MaxInt64 - 1} {
		if _, until := c.Offset(sec); until != Never {
			t.Errorf("at %d: up to %d, want never", sec, until)
		}
	}
}

func TestWall(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Asia/Kathmandu":      "2026-07-01 17:45:06",
		"Australia/Lord_Howe": "2026-07-01 22:30:06",
		"America/St_Johns":    "2026-07-01 09:30:06",
		"UTC":                 "2026-07-01 12:00:06",
	} {
		c, ok := Load(name)
		if !ok {
			t.Fatalf("%s: not there", name)
		}
		at := time.Date(2026, time.July, 1, 14, 0, 6, 0, time.FixedZone("", 2*3600))
		if got := c.Wall(at).Format(time.DateTime); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	for name, suggestion := range map[string]string{
		"":                       "",
		"Local":                  "",
		"localtime":              "",
		"Factory":                "",
		"../Europe/Berlin":       "Europe/Berlin",
		"/etc/localtime":         "",
		"right/Europe/Berlin":    "",
		"europe/berlin":          "Europe/Berlin",
		"Berlin":                 "Europe/Berlin",
		"Europe/Berln":           "Europe/Berlin",
		"America/New York":       "America/New_York",
		"Buenos Aires":           "America/Buenos_Aires",
		"Mars/Olympus_Mons":      "",
		"UTC+2":                  "",
		strings.Repeat("x", 4e6): "",
	} {
		if _, ok := Load(name); ok {
			t.Errorf("%.40q loads", name)
		}
		if got := Nearest(name); got != suggestion {
			t.Errorf("%.40q: did you mean %q, want %q", name, got, suggestion)
		}
	}
}

func TestLoadShares(t *testing.T) {
	t.Parallel()
	a, _ := Load("Africa/Casablanca")
	b, _ := Load("Africa/Casablanca")
	if a != b {
		t.Error("two clocks for one zone")
	}
}

func BenchmarkOffset(b *testing.B) {
	c, _ := Load("Europe/Berlin")
	for n := int64(0); b.Loop(); n++ {
		c.Offset(1790000000 + n%10000*3600)
	}
}
