package lint

import (
	"context"
	"fmt"
)

// maxTries is how many comparisons one Check makes, a path that is tried being several: a second or two, and more than a
// tenant of 10,000 apps with ten operations and ten rules each needs.
const maxTries = 10_000_000

// What is dearer than to compare two names.
const (
	tryPath    = 5
	tryNetwork = 10
	tell       = 100
)

// budget is what is left of it.
type budget struct {
	ctx  context.Context //nolint:containedctx // of one Check
	left int
	next int // at which the context is asked again
	err  error
	at   Finding // where it ended, if it did
	over bool
}

// spend reports whether there is so much left. If not, nothing that hangs on it may be said.
func (l *linter) spend(tries int) bool {
	if l.over {
		return false
	}
	l.left -= tries
	if l.left < l.next {
		l.next = l.left - 10_000
		l.err = l.ctx.Err()
	}
	l.over = l.left < 0 || l.err != nil
	return !l.over
}

// incomplete says that not everything was looked at. It is a warning: who wants none must not take silence for one.
func (l *linter) incomplete() Finding {
	f := l.at
	f.Severity, f.Code = Warning, "not-looked-further"
	f.Message = fmt.Sprintf("there is more to compare than lint does at a time (%d comparisons): from here on nothing was looked at", maxTries)
	f.Advice = "Give operations fewer paths, and rules fewer names."
	return f
}
