package header

import (
	"net/http"
	"net/netip"
	"strings"
)

// Upstream is what the edge tells an upstream about a request. What is empty is
// not told.
type Upstream struct {
	Assertion string
	User      string
	Email     string
	Groups    []string

	ClientIP netip.Addr // the zero value is unknown
	Host     string     // as the client asked for it, canonical
	Proto    string     // "https" or "http", the listener's
}

// Set says it. It comes last, so that nothing sent before can stand beside.
func Set(h http.Header, u Upstream) {
	address := ""
	if u.ClientIP.IsValid() {
		address = u.ClientIP.String()
	}
	put(h, "X-Forwarded-For", address)
	put(h, "X-Forwarded-Host", u.Host)
	put(h, "X-Forwarded-Proto", u.Proto)
	put(h, Assertion, u.Assertion)
	put(h, User, u.User)
	put(h, Email, u.Email)
	put(h, Groups, strings.Join(u.Groups, ","))
}

// put leaves a header out rather than sending a value that an upstream may read
// in another encoding, and so as somebody else.
func put(h http.Header, name, value string) {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		h.Del(name)
		return
	}
	h[name] = []string{value}
}
