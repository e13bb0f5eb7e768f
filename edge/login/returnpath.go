package login

import (
	"net/url"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/route"
)

const maxReturnPath = 2 << 10

// returnPath is where a browser may be sent back to, given what it asked for: a canonical path with its query, never a
// URL. Whatever else is asked for becomes "/". options are the app's: it may have paths that others refuse.
func returnPath(target string, options route.Options) string {
	if len(target) > maxReturnPath {
		return "/"
	}
	p, err := route.Canonical(target, options)
	if err != nil {
		return "/"
	}
	canonical := p.Target()
	// A second slash or backslash would make a host of what follows. route.Canonical lets neither through; this is where
	// it would hurt.
	if len(canonical) > maxReturnPath || !strings.HasPrefix(canonical, "/") || len(canonical) > 1 && (canonical[1] == '/' || canonical[1] == '\\') {
		return "/"
	}
	// Ours are steps and forms; nobody wants to arrive there but to see who they are.
	if route.Reserved(p) && p.Match != pathMe {
		return "/"
	}
	// The query goes into a header line as sent.
	for i := range len(canonical) {
		if canonical[i] <= ' ' || canonical[i] >= 0x7f || canonical[i] == '\\' || canonical[i] == '#' {
			return "/"
		}
	}
	return canonical
}

// SignInPath is a link on an app's host that signs in and comes back to a path of it.
func SignInPath(target string) string {
	return pathSignIn + "?return=" + url.QueryEscape(returnPath(target, route.Options{}))
}

// parameters are those of the query; a query that is malformed in part is none.
func parameters(req *exchange.Request) (url.Values, bool) {
	query, err := url.ParseQuery(req.Path.Query)
	return query, err == nil
}

// one reads a parameter that may be there once. Two values would be read differently by somebody.
func one(query url.Values, name string) (string, bool) {
	v := query[name]
	if len(v) > 1 {
		return "", false
	}
	if len(v) == 0 {
		return "", true
	}
	return v[0], true
}

func pathOptions(req *exchange.Request) route.Options {
	if req.App == nil {
		return route.Options{}
	}
	return req.App.Paths
}

// front is the path of an app's first page.
var front = route.Path{Match: "/", Forward: "/"}
