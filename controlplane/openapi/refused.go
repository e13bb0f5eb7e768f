package openapi

import "fmt"

// Problem is why a document is refused, and where.
type Problem struct {
	Line    int    // 0: the document as a whole
	At      string // such as `GET /users/{id}`, or ""
	Message string
}

// String says where and what.
func (p Problem) String() string {
	text := p.Message
	if p.At != "" {
		text = p.At + ": " + text
	}
	if p.Line > 0 {
		text = fmt.Sprintf("line %d: %s", p.Line, text)
	}
	return text
}

// Refused is the error of this package. It has at least one problem and at most maxProblems.
type Refused struct {
	Problems []Problem
}

func (r *Refused) Error() string {
	text := r.Problems[0].String()
	if more := len(r.Problems) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// maxProblems is as many as anybody reads.
const maxProblems = 100

func refusal(format string, args ...any) *Refused {
	return &Refused{Problems: []Problem{{Message: fmt.Sprintf(format, args...)}}}
}

// Note is something that a document holds and an app does not get, or gets otherwise than it might be thought.
type Note struct {
	Line    int
	At      string
	Message string
	Warning bool // rather than a hint
}
