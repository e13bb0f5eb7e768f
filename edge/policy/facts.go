package policy

import "time"

// facts is what rules are evaluated on. It also notes when that has to be done
// again because time has passed.
type facts struct {
	Request // a copy: expressions keep theirs on the heap, and where a pointer leads would be there too
	app     string
	who     *Principal
	lending *lending // of expressions
	until   time.Time
}

func (f *facts) stranger() bool { return f.who.identity.Kind == Anonymous }
func (f *facts) person() bool   { return f.who.identity.Kind == Person }
func (f *facts) machine() bool  { return f.who.identity.Kind == Machine }

// changes notes an instant at which a clause that was looked at may change.
func (f *facts) changes(at time.Time) {
	if at.After(f.Now) && (f.until.IsZero() || at.Before(f.until)) {
		f.until = at
	}
}

// within says whether something that was at an instant is at most so old. What
// lies in the future was just now: clocks differ.
func (f *facts) within(at time.Time, most time.Duration) Truth {
	if at.IsZero() || f.Now.IsZero() {
		return Unknown
	}
	end := at.Add(most)
	f.changes(end.Add(1)) // end itself is still within
	return truthOf(!f.Now.After(end))
}
