package policytest

import (
	"io/fs"
	"strconv"
	"strings"
)

// Refusal is a world and what is refused about it when it is written.
type Refusal struct {
	Title    string
	Line     int
	World    *World
	Problems []Problem // all of them, in order
	Closed   []string  // apps that an edge closes if the world reaches it all the same
}

// Problem is one thing that cannot be meant.
type Problem struct {
	Line       int
	Field      string
	Reason     string
	Message    string // a part of it
	Suggestion string
	Pins       string
}

// LoadRefusals reads a file of sections that are worlds of their own, with lines
//
//	! FIELD REASON "part of the message" ["suggestion"]   ; the rule that it pins
//	closed APP…
func LoadRefusals(fsys fs.FS, file string) (all []Refusal, err error) {
	b := newBuilder(&reader{file: file})
	err = b.lines(fsys, file, func(text string) {
		if title, ok := strings.CutPrefix(text, "## "); ok {
			b = newBuilder(b.reader)
			all = append(all, Refusal{Title: title, Line: b.line})
			return
		}
		if len(all) == 0 {
			b.fail("a file of refusals begins with a section")
			return
		}
		last := &all[len(all)-1]
		switch {
		case strings.HasPrefix(text, "! "):
			last.Problems = append(last.Problems, b.problem(text[2:]))
		case strings.HasPrefix(text, "closed "):
			last.Closed = strings.Fields(text)[1:]
		case !b.add(text):
			b.fail("what is this? %s", text)
		}
		last.World = &b.World
	})
	return all, err
}

func (b *builder) problem(text string) Problem {
	text, pins, _ := cut(text, " ; ")
	p := Problem{Line: b.line, Pins: strings.TrimSpace(pins)}
	fields := words(text)
	if len(fields) < 3 || p.Pins == "" {
		b.fail("a problem has a field, a reason, a message and what it pins")
		return p
	}
	p.Field, p.Reason = fields[0], fields[1]
	for i, f := range fields[2:] {
		s, err := strconv.Unquote(f)
		switch {
		case err != nil:
			b.fail("%s is not quoted", f)
		case i == 0:
			p.Message = s
		default:
			p.Suggestion = s
		}
	}
	return p
}
