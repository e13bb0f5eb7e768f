package route

import "slices"

// WebSocket is the method of a WebSocket handshake, so that "may read" never
// silently includes "may open a socket". The edge sets it; nobody can send it.
const WebSocket = "WEBSOCKET"

// anyMethod is what "*" stands for. WEBSOCKET and rarer methods must be named.
var anyMethod = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

const maxMethod = 32

// Method checks the method that a client sent. The error is a *Refusal.
//
// Methods are case-sensitive (RFC 9110 section 9.1), but upstreams that fold
// case exist: "get" must neither be GET nor reach them. CONNECT makes a tunnel
// past all policy, TRACE echoes credentials, PRI is the HTTP/2 preface.
func Method(raw string) error {
	switch raw {
	case "CONNECT", "TRACE", "PRI", WebSocket:
		return &Refusal{Reason: ReasonMethod, Detail: "the method is not allowed"}
	}
	if !wellFormedMethod(raw) {
		return &Refusal{Reason: ReasonMethod, Detail: "the method is not one of upper-case letters, digits and hyphens"}
	}
	return nil
}

func wellFormedMethod(m string) bool {
	if m == "" || len(m) > maxMethod || m[0] < 'A' || m[0] > 'Z' {
		return false
	}
	for i := range len(m) {
		if c := m[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// methods is the set of methods that an operation names.
type methods struct {
	any   bool     // "*"
	named []string // GET includes HEAD
}

// match says whether m is in the set, and whether it is by name.
func (s methods) match(m string) (matched, byName bool) {
	if slices.Contains(s.named, m) || m == "HEAD" && slices.Contains(s.named, "GET") {
		return true, true
	}
	return s.any && slices.Contains(anyMethod[:], m), false
}

// ties returns the methods for which neither set is more specific.
func (s methods) ties(o methods) []string {
	var common []string
	for _, m := range append(append(slices.Clone(s.named), o.named...), anyMethod[:]...) {
		inS, named := s.match(m)
		inO, oNamed := o.match(m)
		if inS && inO && named == oNamed && !slices.Contains(common, m) {
			common = append(common, m)
		}
	}
	return common
}
