package route

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a pattern, so that no policy can make matching slow.
const (
	maxPattern         = 1 << 10 // bytes
	maxPatternSegments = 64
	maxStars           = 4 // in one segment
)

type segmentKind byte

// The kinds in order of specificity; the values are compared in a pattern's
// rank. A pattern that ends here is more specific than one with "**" here.
const (
	rest    segmentKind = '0' // **
	end     segmentKind = '1'
	param   segmentKind = '2' // {name}
	partial segmentKind = '3' // a*b
	literal segmentKind = '4'
)

// pattern is a path pattern; its segments are decoded.
type pattern struct {
	text     string
	segments []segment // a final "**" is left out
	open     bool      // ends with "**"
	rank     string    // a segmentKind per segment; of two patterns for a path, the greater wins
}

type segment struct {
	kind segmentKind
	text string   // of a literal
	glob []string // of a partial: what stands between the stars
}

// patternError is a pattern that cannot be meant, with one that may be.
type patternError struct {
	message    string
	suggestion string
}

func (e *patternError) Error() string { return e.message }

func badPattern(format string, args ...any) error {
	return &patternError{message: fmt.Sprintf(format, args...)}
}

func parsePattern(text string) (pattern, error) {
	if text == "" || text[0] != '/' {
		return pattern{}, &patternError{message: `a path begins with "/"`, suggestion: "/" + text}
	}
	if len(text) > maxPattern {
		return pattern{}, badPattern("a path pattern has at most %d bytes", maxPattern)
	}
	p := pattern{text: text}
	parts := strings.Split(text[1:], "/")
	if len(parts) > maxPatternSegments {
		return pattern{}, badPattern("a path pattern has at most %d segments", maxPatternSegments)
	}
	rank := make([]byte, 0, len(parts)+1)
	for i, part := range parts {
		last := i == len(parts)-1
		if part == "**" && last {
			p.open = true
			break
		}
		s, err := parseSegment(part, last)
		if err != nil {
			return pattern{}, err
		}
		p.segments = append(p.segments, s)
		rank = append(rank, byte(s.kind))
	}
	if len(p.segments) > 0 && p.segments[0].text == ReservedPrefix[1:len(ReservedPrefix)-1] {
		return pattern{}, badPattern("%s belongs to the edge; no app gets requests below it", ReservedPrefix)
	}
	if p.open {
		p.rank = string(append(rank, byte(rest)))
	} else {
		p.rank = string(append(rank, byte(end)))
	}
	return p, nil
}

func parseSegment(part string, last bool) (segment, error) {
	switch {
	case part == "" && !last:
		return segment{}, badPattern("a path has no empty segment; requests with one are refused")
	case strings.Contains(part, "**"):
		return segment{}, badPattern(`"**" is a whole segment, and the last`)
	case strings.ContainsAny(part, "{}"):
		if !paramName(part) {
			return segment{}, badPattern(`%q is not a segment: "{name}" stands alone; write "*" for a part of a segment, %%7B for a brace`, part)
		}
		return segment{kind: param}, nil
	}
	glob := strings.Split(part, "*")
	if len(glob)-1 > maxStars {
		return segment{}, badPattern(`a segment has at most %d "*"`, maxStars)
	}
	for i := range glob {
		text, err := parseText(glob[i])
		if err != nil {
			return segment{}, err
		}
		glob[i] = text
	}
	if len(glob) > 1 {
		return segment{kind: partial, glob: glob}, nil
	}
	if glob[0] == "." || glob[0] == ".." {
		return segment{}, badPattern("a path has no dot segment; requests with one are refused")
	}
	return segment{kind: literal, text: glob[0]}, nil
}

// parseText decodes what stands in a pattern as such. Admins may write
// non-ASCII text as it is; requests always have it encoded.
func parseText(text string) (string, error) {
	for i := range len(text) {
		switch c := text[i]; {
		case c <= ' ' || c == 0x7f || strings.IndexByte(`\#?;`, c) >= 0:
			return "", badPattern("a path has no %q; requests with one never match it", string(rune(c)))
		case c == '%':
			if _, ok := unhex(text, i); !ok {
				return "", badPattern(`"%%" in a path is followed by two hexadecimal digits; "%%25" is the character itself`)
			}
		}
	}
	decoded := decode(text)
	if !utf8.ValidString(decoded) {
		return "", badPattern("a path is UTF-8")
	}
	if strings.ContainsFunc(decoded, func(r rune) bool { return unicode.IsControl(r) || r == '\\' || r == ';' }) {
		return "", badPattern("a path has no control character, backslash or semicolon, encoded or not; requests with one are refused")
	}
	return decoded, nil
}

func paramName(part string) bool {
	name, ok := strings.CutPrefix(part, "{")
	if !ok {
		return false
	}
	name, ok = strings.CutSuffix(name, "}")
	if !ok || name == "" {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !unreserved(c) || c == '.' || c == '~' {
			return false
		}
	}
	return true
}

// globMatch compares a whole segment; each "*" takes as little as it can.
func globMatch(glob []string, text string) bool {
	first, last := glob[0], glob[len(glob)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range glob[1 : len(glob)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}

func problemOf(field string, err error) Problem {
	p := Problem{Field: field, Reason: ProblemInvalid, Message: err.Error()}
	if bad, ok := errors.AsType[*patternError](err); ok {
		p.Suggestion = bad.suggestion
	}
	return p
}
