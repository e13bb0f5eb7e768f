// Package app holds what an app must be beyond the shape that its proto declares, as far as the app alone can tell: the
// addresses that a pool opens, hosts that others have, and what policies refer to are package changeset's. It is pure.
package app

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/address"
	"github.com/sallyport-iap/sallyport/controlplane/policy"
)

// Check says what is wrong with an app; fields are paths in it.
func Check(app *controlplane.App) []controlplane.Violation {
	violations := policy.CheckApp(app)
	for r, route := range app.Routes {
		for u, upstream := range route.Upstreams {
			field := fmt.Sprintf("routes[%d].upstreams[%d].url", r, u)
			violations = append(violations, checkUpstream(field, upstream.URL)...)
			if route.Websocket && strings.HasPrefix(upstream.URL, "h2c:") {
				violations = append(violations, invalid(field, "a WebSocket needs an upstream of HTTP/1.1")...)
			}
		}
	}
	for i, name := range app.AllowedHeaders {
		violations = append(violations, checkHeader(fmt.Sprintf("allowed_headers[%d]", i), name)...)
	}
	for i, origin := range app.WebsocketOrigins {
		violations = append(violations, checkOrigin(fmt.Sprintf("websocket_origins[%d]", i), origin)...)
	}
	return append(violations, app.Session.Check("session")...)
}

func invalid(field, format string, args ...any) []controlplane.Violation {
	return []controlplane.Violation{{Field: field, Description: fmt.Sprintf(format, args...), Reason: controlplane.ReasonFieldInvalid}}
}

func checkUpstream(field, text string) []controlplane.Violation {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return invalid(field, "must be http://host:port, https://host:port or h2c://host:port")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "h2c":
		return invalid(field, "the scheme must be http, https or h2c (HTTP/2 without TLS)")
	case u.User != nil:
		return invalid(field, "must hold no user and password")
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		v := invalid(field, "must have no path, query or fragment: requests keep their own")
		v[0].Suggestion = u.Scheme + "://" + u.Host
		return v
	case address.Ambiguous(u.Hostname()):
		return invalid(field, "the host looks like an address; write it in its usual form")
	case strings.Contains(u.Hostname(), "%"):
		return invalid(field, "an address with a zone means something else on every edge")
	case u.Port() == "" && strings.HasSuffix(u.Host, ":"), u.Port() == "0":
		return invalid(field, "the port is missing")
	}
	return nil
}

// kept are headers that only we may set, or that frame the request. Everything is compared folded, because upstreams
// fold `_` and `.` into `-` (CGI, WSGI, PHP): letting such a spelling through would let a client speak as us.
var kept = map[string]bool{
	"authorization": true, "proxy-authorization": true, "cookie": true, "host": true, "connection": true, "upgrade": true,
	"keep-alive": true, "te": true, "trailer": true, "transfer-encoding": true, "content-length": true, "forwarded": true,
	"x-real-ip": true, "x-request-id": true, "proxy-connection": true, "via": true,
}

func checkHeader(field, name string) []controlplane.Violation {
	folded := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
	if kept[folded] || strings.HasPrefix(folded, "x-sallyport") || strings.HasPrefix(folded, "x-forwarded-") {
		return invalid(field, "%q reads as %s to some upstreams, which only Sallyport may set", name, folded)
	}
	return nil
}

func checkOrigin(field, text string) []controlplane.Violation {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != text || text != strings.ToLower(text) {
		return invalid(field, "must be an origin such as https://partner.example: lower case, no path")
	}
	// It is compared with what browsers say, byte for byte.
	if strings.Contains(u.Host, "*") {
		return invalid(field, "must be one origin: there are no patterns here")
	}
	if port := u.Port(); strings.HasSuffix(u.Host, ":") || port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		return invalid(field, "must not name the port that goes without saying: no browser does (RFC 6454 section 6.2)")
	}
	return nil
}
