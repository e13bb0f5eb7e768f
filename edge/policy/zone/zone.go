// Package zone knows what the clocks on the wall show, anywhere in the world,
// from a tz database of its own.
//
// "09:00 in Europe/Berlin" has to be the same instant at every edge, in the
// control plane and in a test. time.LoadLocation asks the machine first, whose
// files may be older, newer or missing, and which has names ("localtime",
// "right/...") that mean something else elsewhere. So this package carries the
// Go project's copy of the database, and it must never ask the machine: no
// files, no environment, no time.Local, no clock.
//
// # Why not time.Location alone
//
// Where a rule, not a table, says when clocks change (which is so for every
// year from now on), time.Location parses that rule at each question, and its
// ZoneBounds can end before it begins: on 31 December of a leap year. A [Clock]
// has the changes of [1970, 2100) in a table; outside of it, it is only slower.
package zone

import (
	"archive/zip"
	"bytes"
	_ "embed" // the database
	"io"
	"math"
	"sort"
	"sync"
	"time"
)

// archive is lib/time/zoneinfo.zip of the Go toolchain in go.mod (a test says
// so). The tz database is in the public domain.
//
//go:embed zoneinfo.zip
var archive []byte

// Never is the second at which nothing changes any more.
const Never int64 = math.MaxInt64

const (
	day = 24 * 60 * 60

	tableStart, tableEnd int64 = 0, 4102444800 // 1970, 2100
	// Years 1 and 10,000, which are what a protobuf Timestamp can say. Beyond
	// them, arithmetic on seconds would have to fear overflow.
	timeStart, timeEnd int64 = -62135596800, 253402300800
)

// Clock shows the local time of one zone. It is immutable.
type Clock struct {
	location *time.Location
	changes  []change // the first at tableStart
}

type change struct {
	at     int64 // Unix seconds
	offset int32 // seconds east of UTC from then on
}

// made are the clocks that were asked for, by name. They are many KiB each, and
// the same for all: a tenant with 10,000 windows in one zone has one.
var made sync.Map

// Load returns the clock of an IANA zone, such as "Europe/Berlin"; ok says
// whether there is one. Names are case-sensitive, as in the database.
func Load(name string) (c *Clock, ok bool) {
	if c, ok := made.Load(name); ok {
		return c.(*Clock), true
	}
	file, ok := files()[name]
	if !ok {
		return nil, false
	}
	c, err := read(name, file)
	if err != nil {
		return nil, false // a test reads all of them
	}
	shared, _ := made.LoadOrStore(name, c)
	return shared.(*Clock), true
}

var files = sync.OnceValue(func() map[string]*zip.File {
	byName := map[string]*zip.File{}
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return byName
	}
	for _, f := range r.File {
		byName[f.Name] = f
	}
	delete(byName, "Factory") // the database's word for "nobody has said which"
	return byName
})

func read(name string, file *zip.File) (*Clock, error) {
	r, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	location, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		return nil, err
	}
	c := &Clock{location: location}
	for at := tableStart; at < tableEnd; {
		offset, until := c.look(at)
		// The database also has changes of the name only (EST, EWT).
		if n := len(c.changes); n == 0 || c.changes[n-1].offset != int32(offset) {
			c.changes = append(c.changes, change{at, int32(offset)})
		}
		at = until
	}
	return c, nil
}

// Name is the zone's.
func (c *Clock) Name() string { return c.location.String() }

// Offset returns how many seconds the clock is ahead of UTC at a Unix second,
// and a later second up to which (exclusive) that holds, or [Never].
func (c *Clock) Offset(sec int64) (seconds int, until int64) {
	if sec < tableStart || sec >= tableEnd {
		return c.look(sec)
	}
	i := sort.Search(len(c.changes), func(i int) bool { return c.changes[i].at > sec })
	until = tableEnd
	if i < len(c.changes) {
		until = c.changes[i].at
	}
	return int(c.changes[i-1].offset), until
}

// look asks the database, and is careful about what it answers: see above.
func (c *Clock) look(sec int64) (seconds int, until int64) {
	t := time.Unix(min(max(sec, timeStart), timeEnd), 0).In(c.location)
	_, seconds = t.Zone()
	if sec < timeStart || sec >= timeEnd {
		return seconds, Never
	}
	_, end := t.ZoneBounds()
	if end.IsZero() {
		return seconds, Never
	}
	until = end.Unix()
	if until <= sec {
		// 31 December of a leap year. Rules are applied by years of UTC.
		until = sec - modulo(sec, day) + day
	}
	return seconds, until
}

// Wall returns t as the clock shows it, labelled as UTC: right to read the
// weekday and the hour from, and nothing else.
func (c *Clock) Wall(t time.Time) time.Time {
	offset, _ := c.Offset(t.Unix())
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// modulo is never negative.
func modulo(a, b int64) int64 { return (a%b + b) % b }
