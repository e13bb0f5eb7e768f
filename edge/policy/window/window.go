package window

import (
	"sort"
	"time"

	"github.com/sallyport-iap/sallyport/edge/policy/zone"
)

const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
	weekSeconds = weekMinutes * 60
	// The week begins on Sunday, as time.Weekday does; Unix time on a Thursday.
	epochSecond = int64(time.Thursday) * dayMinutes * 60
	// Where windows of several zones follow each other without a gap, each step
	// of Next goes to the end of one of them. It is on the path of a request,
	// and ends here: a step asks all zones.
	maxSteps = 16
)

// Windows is a set of windows, any of which an instant may be in. It is
// immutable and made by [Parse]; its methods allocate nothing.
type Windows struct{ weeks []week }

// week is all windows of one zone.
type week struct {
	clock *zone.Clock
	edges []int32 // seconds of the week at which the answer changes, in order
	first bool    // the answer before the first of them: if there is none, always
}

// Zones is in how many zones windows are: what both questions cost grows with it.
func (w *Windows) Zones() int { return len(w.weeks) }

// Contains says whether t is in one of the windows.
func (w *Windows) Contains(t time.Time) bool { return w.contain(t.Unix()) }

// Next returns the first instant after t at which what [Windows.Contains] says
// is something else, or the zero time if it never is.
//
// Where more than 16 windows of different zones follow each other without a
// gap, it may be an instant before that: a time to ask again.
func (w *Windows) Next(t time.Time) time.Time {
	sec := t.Unix()
	if !w.contain(sec) {
		next := zone.Never
		for i := range w.weeks {
			next = min(next, w.weeks[i].change(sec))
		}
		return instant(next)
	}
	// It is over where the last of the windows that hold there is over, and no
	// other has begun.
	for range maxSteps {
		end := sec
		for i := range w.weeks {
			if w.weeks[i].contains(sec) {
				end = max(end, w.weeks[i].change(sec))
			}
		}
		if end == sec {
			break
		}
		if sec = end; sec == zone.Never {
			break
		}
	}
	return instant(sec)
}

func (w *Windows) contain(sec int64) bool {
	for i := range w.weeks {
		if w.weeks[i].contains(sec) {
			return true
		}
	}
	return false
}

func (w *week) contains(sec int64) bool {
	offset, _ := w.clock.Offset(sec)
	in, _ := w.at(sec + int64(offset))
	return in
}

// change returns the first second after sec at which contains is something else.
func (w *week) change(sec int64) int64 {
	if len(w.edges) == 0 {
		return zone.Never
	}
	for {
		offset, until := w.clock.Offset(sec)
		in, left := w.at(sec + int64(offset))
		if next := sec + left; next < until {
			return next
		}
		// Clocks change first. An edge that they jump over counts, one that they
		// jump back from does not.
		if w.contains(until) != in {
			return until
		}
		sec = until
	}
}

// at says whether a local second is in, and after how many it is not, if clocks
// do not change before.
func (w *week) at(local int64) (in bool, left int64) {
	sec := (local + epochSecond) % weekSeconds
	if sec < 0 {
		sec += weekSeconds
	}
	passed := sort.Search(len(w.edges), func(i int) bool { return int64(w.edges[i]) > sec })
	in = w.first != (passed%2 == 1)
	switch {
	case len(w.edges) == 0:
	case passed == len(w.edges):
		left = int64(w.edges[0]) + weekSeconds - sec
	default:
		left = int64(w.edges[passed]) - sec
	}
	return in, left
}

func instant(sec int64) time.Time {
	if sec == zone.Never {
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}
