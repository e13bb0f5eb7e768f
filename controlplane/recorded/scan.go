package recorded

import (
	"bytes"
	"encoding/json"
)

// Raw is an event in its pieces: JSON values as they are stored, nil where there is none.
type Raw struct {
	Time, App, Operation, SourceIP, Principal, Gap []byte
	Phase                                          []byte // of a stream
	Method, Host, Path                             []byte // of the request
	// Of the decision.
	Outcome, Reason, Policy, Rule, Grant, Config, Lineage, AuthTime, Facts, Shadow []byte
	// Of the facts: those that are another in each request of one session.
	MatchMethod, Country []byte
	// The other facts, but for the path, as members of an object.
	Lasting []byte
}

// Scan finds the pieces of an event, which must be JSON: it is stored as that. The pieces are parts of its
// bytes, but for Lasting, whose room is used again.
func Scan(event []byte, r *Raw) (ok bool) {
	*r = Raw{Lasting: r.Lasting[:0]}
	return members(event, func(key, value []byte) {
		switch string(key) {
		case "time":
			r.Time = value
		case "app":
			r.App = value
		case "operation":
			r.Operation = value
		case "source_ip":
			r.SourceIP = value
		case "principal":
			r.Principal = value
		case "gap":
			r.Gap = value
		case "stream":
			members(value, func(key, value []byte) {
				if string(key) == "phase" {
					r.Phase = value
				}
			})
		case "request":
			members(value, r.request)
		case "decision":
			members(value, r.decision)
		}
	})
}

func (r *Raw) request(key, value []byte) {
	switch string(key) {
	case "method":
		r.Method = value
	case "host":
		r.Host = value
	case "path":
		r.Path = value
	}
}

func (r *Raw) decision(key, value []byte) {
	switch string(key) {
	case "outcome":
		r.Outcome = value
	case "reason":
		r.Reason = value
	case "policy":
		r.Policy = value
	case "rule":
		r.Rule = value
	case "grant":
		r.Grant = value
	case "config":
		r.Config = value
	case "lineage":
		r.Lineage = value
	case "auth_time":
		r.AuthTime = value
	case "facts":
		r.Facts, r.Lasting = value, r.Lasting[:0]
		members(value, r.fact)
	case "shadow":
		r.Shadow = value
	}
}

func (r *Raw) fact(key, value []byte) {
	switch string(key) {
	case "method":
		r.MatchMethod = value
	case "country":
		r.Country = value
	case "path":
	default:
		r.Lasting = append(append(append(append(r.Lasting, ',', '"'), key...), '"', ':'), value...)
	}
}

// Text is the text of a piece; "" if it is none.
func Text(piece []byte) string {
	if n := len(piece); n >= 2 && piece[0] == '"' && bytes.IndexByte(piece, '\\') < 0 {
		return string(piece[1 : n-1])
	}
	var s string
	_ = json.Unmarshal(piece, &s) // what is no text is none
	return s
}

// members calls found with each member of an object; it is false if this is none. Of two members of one name the last is
// what counts, so found may be called again.
func members(b []byte, found func(key, value []byte)) (ok bool) {
	b = space(b)
	if len(b) == 0 || b[0] != '{' {
		return false
	}
	for b = space(b[1:]); len(b) > 0 && b[0] == '"'; {
		end := text(b)
		if end == 0 {
			return false
		}
		key := b[1 : end-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			key = []byte(Text(b[:end]))
		}
		if b = space(b[end:]); len(b) == 0 || b[0] != ':' {
			return false
		}
		b = space(b[1:])
		end = value(b)
		if end == 0 {
			return false
		}
		if string(b[:end]) != "null" {
			found(key, b[:end:end])
		}
		if b = space(b[end:]); len(b) > 0 && b[0] == ',' {
			b = space(b[1:])
		}
	}
	return len(b) > 0 && b[0] == '}'
}

func space(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// text returns the length of the text that b begins with; 0 if it does not end.
func text(b []byte) int {
	for i := 1; i < len(b); i++ {
		next := bytes.IndexByte(b[i:], '"')
		if next < 0 {
			return 0
		}
		i += next
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
	return 0
}

// value returns the length of the value that b begins with; 0 if it does not end.
func value(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"':
		return text(b)
	case '{', '[':
		depth := 0
		for i := 0; i < len(b); i++ {
			switch b[i] {
			case '"':
				n := text(b[i:])
				if n == 0 {
					return 0
				}
				i += n - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return 0
	}
	if end := bytes.IndexAny(b, ",}] \n\t\r"); end >= 0 {
		return end
	}
	return len(b)
}
