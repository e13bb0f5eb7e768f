package header

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Options are what an app and a request say about stripping.
type Options struct {
	// AllowNames are names with other bytes than letters, digits and hyphens
	// that the app's upstream wants. Ours and the spoofable ones never pass.
	AllowNames []string
	// WebSocket leaves "Connection: Upgrade" and "Upgrade: websocket", nothing
	// else of the kind. Set it if [Upgrade] said so and the app allows it.
	WebSocket bool
}

// Taken is what [Strip] found that is for the edge.
type Taken struct {
	Cookies            []Cookie // of ours, by exact name, in the order sent
	Authorization      []string // left in place: it may be the upstream's
	ProxyAuthorization []string
	Token              []string // X-Sallyport-Token
	ForwardedFor       []string // X-Forwarded-For; means nothing unless the peer is trusted
}

// Strip removes from a request's header what only the edge may say, what ends
// with this connection, and what some upstream could take for either. The error
// is a *Refusal; the header must not be used then.
func Strip(h http.Header, o Options) (Taken, error) {
	canonicalise(h)
	if err := checkConnection(h["Connection"]); err != nil {
		return Taken{}, err
	}
	taken := Taken{
		Authorization:      slices.Clone(h["Authorization"]),
		ProxyAuthorization: h["Proxy-Authorization"],
		Token:              h[Token],
		ForwardedFor:       h["X-Forwarded-For"],
	}
	kept, ours, err := splitCookies(h["Cookie"])
	if err != nil {
		return Taken{}, err
	}
	taken.Cookies = ours
	for name := range h {
		if everyday[name] {
			continue
		}
		folded := fold(name)
		switch {
		case ourHeader(folded), spoofableNames.has(folded), hopByHopNames.has(folded):
		case !plain(name) && !slices.ContainsFunc(o.AllowNames, func(a string) bool { return strings.EqualFold(a, name) }):
		default:
			continue
		}
		delete(h, name)
	}
	if kept != "" {
		h["Cookie"] = []string{kept}
	} else {
		delete(h, "Cookie")
	}
	if o.WebSocket {
		h["Connection"] = []string{"Upgrade"}
		h["Upgrade"] = []string{"websocket"}
	}
	return taken, nil
}

// canonicalise joins what differs in case only. net/http has done that; another
// front might not, and then "cookie" would slip past "Cookie".
func canonicalise(h http.Header) {
	var odd []string
	for name := range h {
		if !everyday[name] && textproto.CanonicalMIMEHeaderKey(name) != name {
			odd = append(odd, name)
		}
	}
	slices.Sort(odd)
	for _, name := range odd {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		h[canonical] = append(h[canonical], h[name]...)
		delete(h, name)
	}
}

// checkConnection refuses a Connection header that names anything else than
// what is hop-by-hop by itself. Whoever obeys "Connection: Cookie" removes what
// it just decided on; whoever obeys "Connection: X-Sallyport-User" removes what
// we say (CVE-2021-33197 and later).
func checkConnection(lines []string) error {
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			option = strings.ToLower(strings.Trim(option, " \t"))
			if option != "" && option != "close" && !slices.ContainsFunc(hopByHop[:], func(n string) bool { return strings.EqualFold(n, option) }) {
				return &Refusal{ReasonConnection, "the Connection header names a header that is not hop-by-hop"}
			}
		}
	}
	return nil
}

// StripTrailer removes from the trailer of a request or response what must not
// come after the fact, and what Strip would have removed.
func StripTrailer(t http.Header) {
	for name := range t {
		if folded := fold(name); !plain(name) || ourHeader(folded) || trailerNames.has(folded) {
			delete(t, name)
		}
	}
}

// One returns the single line of a header that must not repeat, "" if there is
// none. The error is a *Refusal.
func One(lines []string) (string, error) {
	switch len(lines) {
	case 0:
		return "", nil
	case 1:
		return lines[0], nil
	}
	return "", &Refusal{ReasonTwoCredentials, "a header that carries a credential is there twice"}
}
