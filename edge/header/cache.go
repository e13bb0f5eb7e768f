package header

import (
	"net/http"
	"strings"
)

// sharedCacheControls speak to caches in front past Cache-Control (RFC 9213 and
// vendors before it).
var sharedCacheControls = [...]string{
	"Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Vercel-Cdn-Cache-Control", "Netlify-Cdn-Cache-Control",
	"Akamai-Cache-Control", "Surrogate-Control", "Edge-Control", "X-Accel-Expires",
}

// Private keeps a response that was authorised for one caller out of shared
// caches, whatever the upstream says. What it says to the caller's own cache
// stays.
func Private(h http.Header) {
	for _, name := range sharedCacheControls {
		h.Del(name)
	}
	directives := []string{"private"}
	said, ok := splitDirectives(strings.Join(h["Cache-Control"], ","))
	if !ok { // a cache might read "public" where we read a quoted string
		said = []string{"no-store"}
	}
	for _, d := range said {
		name, _, _ := strings.Cut(d, "=")
		switch strings.ToLower(strings.TrimRight(name, " \t")) {
		case "public", "private", "s-maxage":
		default:
			directives = append(directives, d)
		}
	}
	h["Cache-Control"] = []string{strings.Join(directives, ", ")}

	// For caches that ignore "private": at least they keep callers apart.
	vary, _ := splitDirectives(strings.Join(h["Vary"], ","))
	for _, name := range []string{"Cookie", "Authorization"} {
		if !containsFold(vary, name) && !containsFold(vary, "*") {
			vary = append(vary, name)
		}
	}
	h["Vary"] = []string{strings.Join(vary, ", ")}
}

func containsFold(list []string, s string) bool {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return true
		}
	}
	return false
}

// splitDirectives splits at commas outside quoted strings (RFC 9110 section
// 5.6.4). It is not ok if such a string does not end.
func splitDirectives(s string) (list []string, ok bool) {
	quoted, start := false, 0
	add := func(d string) {
		if d = strings.Trim(d, " \t"); d != "" {
			list = append(list, d)
		}
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == ',' && !quoted:
			add(s[start:i])
			start = i + 1
		}
	}
	add(s[start:])
	return list, !quoted
}
