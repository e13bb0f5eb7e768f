package route

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a request target. Above them nothing legitimate was found, and
// parsers downstream become slow (CVE-2026-56860).
const (
	MaxTarget   = 8 << 10 // bytes, query included
	MaxSegments = 256
)

// ReservedPrefix is where the edge's own endpoints live on every app host.
const ReservedPrefix = "/.sallyport/"

// Options are an app's opt-ins to paths that are refused otherwise. They are
// for upstreams known to read such paths exactly as described here.
type Options struct {
	// AllowEncodedSlash lets "%2F" pass, opaque: never a separator in matching.
	// A dot segment beside one stays refused, as some upstreams decode first.
	AllowEncodedSlash bool
	// AllowSemicolon lets parameters pass: from ";" to the end of the segment
	// they are cut off for matching and forwarded as sent. "..;" and "%3B" stay
	// refused.
	AllowSemicolon bool
	// MergeSlashes turns runs of "/" into one, before matching; what is
	// forwarded is merged too.
	MergeSlashes bool
}

// Path is a request target that can be read in one way only.
type Path struct {
	Match    string // canonical, what patterns are compared with
	Forward  string // what the upstream gets; differs from Match by ";parameters" only
	Query    string // as sent, without "?"; never part of a match
	HasQuery bool   // tells "/a?" from "/a"
}

// Target returns the bytes to send upstream as request target.
func (p Path) Target() string {
	if !p.HasQuery {
		return p.Forward
	}
	return p.Forward + "?" + p.Query
}

// Reserved tells whether the path belongs to the edge itself.
func Reserved(p Path) bool {
	return strings.HasPrefix(p.Match, ReservedPrefix) || p.Match == ReservedPrefix[:len(ReservedPrefix)-1]
}

// Canonical reads the raw request target of a request: origin-form (RFC 9112
// section 3.2.1) and nothing else. The error is a *Refusal.
func Canonical(target string, o Options) (Path, error) {
	if len(target) > MaxTarget {
		return Path{}, ambiguous("the URL is longer than 8 KiB")
	}
	raw, query, hasQuery := strings.Cut(target, "?")
	if raw == "" || raw[0] != '/' {
		return Path{}, &Refusal{Reason: ReasonTarget, Detail: "the request target is not a path"}
	}
	for i := range len(query) {
		if c := query[i]; c < 0x21 || c >= 0x7f || c == '#' {
			return Path{}, ambiguous("the query has a byte that must be percent-encoded")
		}
	}
	forward, err := normalise(raw, o)
	if err != nil {
		return Path{}, err
	}
	if o.MergeSlashes {
		forward = mergeSlashes(forward)
	}
	match, err := checkSegments(forward, o)
	if err != nil {
		return Path{}, err
	}
	return Path{Match: match, Forward: forward, Query: query, HasQuery: hasQuery}, nil
}

// normalise refuses the bytes and escapes that no option allows and gives the
// rest their one spelling. It returns its argument if that is canonical.
func normalise(raw string, o Options) (string, error) {
	var out []byte // nil while raw[:i] is as it should be
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c < 0x21 || c >= 0x7f || c == '#' || c == '\\':
			return "", ambiguous("the path has a byte that must be percent-encoded")
		case c == ';' && !o.AllowSemicolon:
			return "", ambiguous(`the path has a ";"`)
		case c != '%':
			if out != nil {
				out = append(out, c)
			}
			continue
		}
		v, ok := unhex(raw, i)
		if !ok {
			return "", ambiguous("the path has a malformed percent-encoding")
		}
		switch {
		case v < 0x20 || v == 0x7f || v == '\\':
			return "", ambiguous("the path has an encoded control character or backslash")
		case v == '/' && !o.AllowEncodedSlash:
			return "", ambiguous("the path has an encoded slash")
		case v == ';':
			// Decoded before or after parameters are cut off? Upstreams differ.
			return "", ambiguous("the path has an encoded semicolon")
		}
		canonical := [3]byte{'%', upperHex[v>>4], upperHex[v&15]}
		switch {
		case unreserved(v):
			if out == nil {
				out = append(make([]byte, 0, len(raw)), raw[:i]...)
			}
			out = append(out, v)
		case out != nil:
			out = append(out, canonical[:]...)
		case raw[i:i+3] != string(canonical[:]):
			out = append(make([]byte, 0, len(raw)), raw[:i]...)
			out = append(out, canonical[:]...)
		}
		i += 2
	}
	if out == nil {
		return raw, nil
	}
	return string(out), nil
}

// checkSegments refuses segments that some program would resolve, drop or
// re-split, and returns the path with parameters cut off.
func checkSegments(path string, o Options) (string, error) {
	var match strings.Builder
	cut := o.AllowSemicolon && strings.IndexByte(path, ';') >= 0
	for n, rest, more := 0, path[1:], true; more; n++ {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if n == MaxSegments {
			return "", ambiguous("the path has more than 256 segments")
		}
		name, _, _ := strings.Cut(segment, ";")
		if name == "" && more {
			return "", ambiguous("the path has an empty segment")
		}
		if err := checkSegment(decode(segment)); err != nil {
			return "", err
		}
		if cut {
			match.WriteByte('/')
			match.WriteString(name)
		}
	}
	if cut {
		return match.String(), nil
	}
	return path, nil
}

// checkSegment sees a segment with all its escapes decoded, as the most eager
// upstream would. A "/" in it came from "%2F".
func checkSegment(decoded string) error {
	if !utf8.ValidString(decoded) {
		return ambiguous("the path is not UTF-8")
	}
	for _, r := range decoded {
		if unicode.IsControl(r) {
			return ambiguous("the path has an encoded control character or backslash")
		}
	}
	for part := range strings.SplitSeq(decoded, "/") {
		if name, _, _ := strings.Cut(part, ";"); name == "." || name == ".." {
			return ambiguous("the path has a dot segment")
		}
	}
	return nil
}

func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	out := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] == '/' && i > 0 && path[i-1] == '/' {
			continue
		}
		out = append(out, path[i])
	}
	return string(out)
}

// decode undoes the percent-encoding of one segment, once. Malformed escapes
// cannot occur any more.
func decode(segment string) string {
	if strings.IndexByte(segment, '%') < 0 {
		return segment
	}
	out := make([]byte, 0, len(segment))
	for i := 0; i < len(segment); i++ {
		if v, ok := unhex(segment, i); segment[i] == '%' && ok {
			out = append(out, v)
			i += 2
			continue
		}
		out = append(out, segment[i])
	}
	return string(out)
}

const upperHex = "0123456789ABCDEF"

// unhex reads the two digits after the "%" at s[i].
func unhex(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	hi, ok1 := hexDigit(s[i+1])
	lo, ok2 := hexDigit(s[i+2])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// unreserved is RFC 3986 section 2.3: encoded or not, these mean the same.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}
