package problem

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
)

// Reasons of a [Problem].
const (
	Invalid   = "FIELD_INVALID"
	Required  = "FIELD_REQUIRED"
	Reference = "REFERENCE_NOT_FOUND"
)

// Problem is something in a source that cannot be meant.
type Problem struct {
	Field      string // path within the source, such as "policies[api].rules[2].principals[0]"
	Reason     string
	Message    string // a clause, without "did you mean"
	Suggestion string // what was probably meant, or ""
}

// Limits of what is told about a faulty source.
const (
	maxProblems    = 1000
	maxFindings    = 100 // at one place
	maxSuggestions = 100 // each compares a name with all that there are
)

// List is problems by place. The zero value is empty; a copy is made by Clone.
type List struct{ found map[Place][]finding }

// finding is a problem before it is known what was probably meant.
type finding struct {
	Problem
	missing *Missing
}

// Missing is a name of something that does not exist.
type Missing struct {
	Kind Kind
	ID   string
	Apps []string // of an operation: those that do not have it
}

// Clone returns a list that changes on its own.
func (l *List) Clone() *List { return &List{maps.Clone(l.found)} }

// At reports whether there are problems at a place.
func (l *List) At(p Place) bool { return len(l.found[p]) > 0 }

// Forget drops the problems of a place that is looked at again.
func (l *List) Forget(p Place) { delete(l.found, p) }

// Add adds a problem in a field below a path; the field is "" for all of it.
func (l *List) Add(at Path, field, reason, format string, args ...any) {
	l.find(at, field, finding{Problem: Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}})
}

// Suggest is Add of something invalid, and says what was probably meant.
func (l *List) Suggest(at Path, field, suggestion, format string, args ...any) {
	l.find(at, field, finding{Problem: Problem{Reason: Invalid, Message: fmt.Sprintf(format, args...), Suggestion: suggestion}})
}

// Missing adds a reference to something that does not exist.
func (l *List) Missing(at Path, field string, m Missing) {
	text := m.Kind.String() + " " + Quote(m.ID) + " does not exist"
	if m.Kind == Operation {
		text += " in " + some(m.Apps)
	}
	l.find(at, field, finding{missing: &m, Problem: Problem{Reason: Reference, Message: text}})
}

// Length adds a problem if a list is empty and not absent, or too long. It is
// false if it is too long to be looked at.
func (l *List) Length(at Path, field string, list []string, most int) bool {
	if list != nil && len(list) == 0 {
		l.Add(at, field, Required, Empty)
	}
	if len(list) > most {
		l.Add(at, field, Invalid, "there are %d, and at most %d are possible", len(list), most)
	}
	return len(list) <= most
}

// Empty is said of lists.
const Empty = "an empty list is never everything; leave it out or name something"

func (l *List) find(at Path, field string, f finding) {
	f.Field = at.field(field)
	if len(l.found[at.Place]) >= maxFindings {
		return
	}
	if l.found == nil {
		l.found = map[Place][]finding{}
	}
	l.found[at.Place] = append(slices.Clip(l.found[at.Place]), f) // clones share what they had
}

// Problems returns all of them, in order of kind and id. known ranges over all
// names that a missing one could have been.
func (l *List) Problems(known func(*Missing) iter.Seq[string]) []Problem {
	places := slices.SortedFunc(maps.Keys(l.found), func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	var list []Problem
	for _, at := range places {
		for _, f := range l.found[at] {
			if len(list) == maxProblems {
				return list
			}
			if f.missing != nil && len(list) < maxSuggestions {
				f.Suggestion = Nearest(f.missing.ID, known(f.missing))
			}
			list = append(list, f.Problem)
		}
	}
	return list
}

// Quote quotes what somebody wrote, however long it is.
func Quote(s string) string {
	if len(s) > 80 {
		return strconv.Quote(s[:80]) + "…"
	}
	return strconv.Quote(s)
}

func some(apps []string) string {
	const most = 10
	text := ""
	for i, id := range apps {
		switch {
		case i == most:
			return fmt.Sprintf("%s and %d more", text, len(apps)-most)
		case i > 0:
			text += ", "
		}
		text += id
	}
	return text
}
