package header

import (
	"net/http"
	"slices"
	"strings"
)

// Limits of the Cookie header. Browsers send at most 50 or so per host, of 4 KiB
// each; what is beyond was put there to push ours out.
const (
	MaxCookieBytes = 16 << 10
	MaxCookies     = 256
)

// Cookie is one cookie of ours as it was sent.
type Cookie struct{ Name, Value string }

// splitCookies returns the Cookie header without ours, and ours. Several lines
// become one (RFC 9113 section 8.2.3), so that upstream and edge read the same.
func splitCookies(lines []string) (kept string, ours []Cookie, err error) {
	total := 0
	for _, line := range lines {
		total += len(line)
	}
	if total > MaxCookieBytes {
		return "", nil, &Refusal{ReasonTooLarge, "the cookies are larger than 16 KiB"}
	}
	var rest []string
	count := 0
	for _, line := range lines {
		var others []string
		removed := false
		for pair := range strings.SplitSeq(line, ";") {
			if count++; count > MaxCookies {
				return "", nil, &Refusal{ReasonTooLarge, "there are more than 256 cookies"}
			}
			if !ourPair(pair) {
				others = append(others, pair)
				continue
			}
			removed = true
			name, value, _ := strings.Cut(pair, "=")
			if name = strings.Trim(name, " \t"); strings.HasPrefix(name, Session) {
				ours = append(ours, Cookie{name, strings.Trim(value, " \t")})
			}
		}
		// Each cookie keeps its bytes; only the blank that separated the first
		// from one of ours goes.
		if line = strings.Join(others, ";"); removed {
			line = strings.TrimLeft(line, " \t")
		}
		if line != "" {
			rest = append(rest, line)
		}
	}
	return strings.Join(rest, "; "), ours, nil
}

// ourPair looks past what parsers disagree on: blanks, a missing name
// ("=__Host-sp=…"), quotes.
func ourPair(pair string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(pair, " \t="), "=")
	return ourCookie(fold(name))
}

// Session returns the value of the session cookie, "" if there is none. Two are
// refused, even if equal: which one an app behind would have meant is unknown.
// The error is a *Refusal.
func (t Taken) Session() (string, error) { return t.Cookie(Session) }

// Cookie returns the value of one cookie of ours, "" if there is none. The error
// is a *Refusal.
func (t Taken) Cookie(name string) (string, error) {
	value, found := "", false
	for _, c := range t.Cookies {
		if c.Name != name {
			continue
		}
		if found {
			return "", &Refusal{ReasonTwoCredentials, "a cookie of ours is there twice"}
		}
		value, found = c.Value, true
	}
	return value, nil
}

// CookiesNamed returns our cookies whose names begin with prefix, in the order
// sent.
func (t Taken) CookiesNamed(prefix string) []Cookie {
	var found []Cookie
	for _, c := range t.Cookies {
		if strings.HasPrefix(c.Name, prefix) {
			found = append(found, c)
		}
	}
	return found
}

// StripResponse removes from an upstream's response what only the edge may say
// to a client: our headers, cookies named like ours, and Alt-Svc, which would
// lead past the edge.
func StripResponse(h http.Header) {
	for name := range h {
		if ourHeader(fold(name)) {
			delete(h, name)
		}
	}
	h.Del("Alt-Svc")
	if lines := slices.DeleteFunc(h["Set-Cookie"], ourPair); len(lines) > 0 {
		h["Set-Cookie"] = lines
	} else {
		delete(h, "Set-Cookie")
	}
}
