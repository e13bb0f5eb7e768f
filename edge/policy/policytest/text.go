package policytest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reader is the place in a file that is read. It stops at the first mistake.
type reader struct {
	file string
	line int
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s:%d: %s", r.file, r.line, fmt.Sprintf(format, args...))
	}
}

// cut is strings.Cut outside of quotes, which are "…" and `…`.
func cut(text, sep string) (before, after string, found bool) {
	var quote byte
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote && (c == '`' || text[i-1] != '\\') {
				quote = 0
			}
		case c == '"' || c == '`':
			quote = c
		case strings.HasPrefix(text[i:], sep):
			return text[:i], text[i+len(sep):], true
		}
	}
	return text, "", false
}

func split(text, sep string) (parts []string) {
	for {
		before, after, found := cut(text, sep)
		parts = append(parts, strings.TrimSpace(before))
		if !found {
			return parts
		}
		text = after
	}
}

// words splits at spaces outside of quotes.
func words(text string) []string {
	return slices.DeleteFunc(split(text, " "), func(w string) bool { return w == "" })
}

func (r *reader) unquote(text string) string {
	s, err := strconv.Unquote(text)
	if err != nil {
		r.fail("%s is not quoted", text)
	}
	return s
}

// long writes out what is repeated: <a*3> is aaa.
func (r *reader) long(text string) string {
	before, rest, found := strings.Cut(text, "<")
	if !found {
		return text
	}
	what, after, closed := strings.Cut(rest, ">")
	star := strings.LastIndexByte(what, '*')
	if !closed || star < 0 {
		r.fail("%s is not closed, or repeats nothing", text)
		return text
	}
	n, err := strconv.Atoi(what[star+1:])
	if err != nil || n < 0 || n > 1<<20 {
		r.fail("%s is repeated how often?", text)
		return text
	}
	return before + strings.Repeat(what[:star], n) + r.long(after)
}

func list(text string) []string {
	switch text {
	case "-", "":
		return nil
	case "[]":
		return []string{}
	}
	return strings.Split(text, ",")
}

// instant reads an instant in full, or relative to now. "?" is unknown.
func (r *reader) instant(text string, now time.Time) time.Time {
	if text == "?" {
		return time.Time{}
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		r.fail("%q is no instant", text)
	}
	return at.UTC()
}

func (r *reader) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		r.fail("%q is no duration", text)
	}
	return d
}

var days = []string{"MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"}

// window reads DAYS@HH:MM-HH:MM@ZONE; DAYS is "*", MON,WED or MON-FRI.
func (r *reader) window(text string) (w Window) {
	parts := strings.Split(text, "@")
	if len(parts) != 3 {
		r.fail("%q is no window", text)
		return w
	}
	w.Start, w.End, _ = strings.Cut(parts[1], "-")
	w.Zone = parts[2]
	if parts[0] == "*" {
		return w
	}
	w.Days = []string{}
	for _, part := range list(parts[0]) {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, to := r.day(first), r.day(last)
		if from < 0 || to < from {
			w.Days = append(w.Days, part)
			continue
		}
		w.Days = append(w.Days, days[from:to+1]...)
	}
	return w
}

// day is -1 for what is none, so that tables can say what is refused.
func (r *reader) day(short string) int {
	return slices.IndexFunc(days, func(d string) bool { return len(short) == 3 && strings.HasPrefix(d, short) })
}
