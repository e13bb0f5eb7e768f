// Package route reads a request's target, host and method the one way that is
// decided on, recorded and forwarded, and finds where a request goes (route)
// and what it is (operation).
//
// It must never guess. What two programs could read differently is refused:
// the proxy in front and the upstream behind must see the same path, or a rule
// about one path guards another. It does no I/O and imports nothing of ours.
//
// # Canonical path
//
// [Canonical] takes the raw request target. Escapes of unreserved characters
// are decoded, other escapes get upper-case digits, and nothing is decoded
// twice: "%252e" stays the literal it is. Dot segments in any spelling, empty
// segments, backslashes, controls, ";" and "%2F" are refused; three of these an
// app may opt into (see [Options]). Canonical is idempotent, and without
// options every path it accepts is the same path to net/url, to http.ServeMux
// and to nginx's URI normalisation. Fuzz tests hold both.
//
// # Matching
//
// A pattern is compared with the canonical path segment by segment, each
// segment decoded once. Why decoded: RFC 3986 leaves "%3A" and ":" apart, most
// upstreams do not. If the pattern /users:lock did not match /users%3Alock,
// that spelling would fall through to a broader, weaker operation and still
// lock users. Splitting comes before decoding, so an encoded slash (opt-in)
// never becomes a separator.
//
//	literal   equal, case-sensitive
//	a*b       any bytes of that segment, none included
//	{name}    one segment that is not empty
//	**        only as the last: zero or more segments
//
// Of the patterns that match, the most specific wins, segment by segment:
// literal, then "*", then {name}, then "**"; among equals a named method comes
// before "*". Why not order of writing: a list that is sorted, or merged from
// two tools, must mean the same. Patterns that would tie for some path are
// refused by [Compile], naming that path.
package route
