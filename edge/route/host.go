package route

import (
	"strconv"
	"strings"
)

// Host reads a Host header or :authority and returns the host name that apps
// are looked up by: lower case, no trailing dot, no port. A port must be the
// listener's; none at all is accepted, as nothing contradicts the connection.
// The error is a *Refusal.
func Host(raw string, listenerPort int) (string, error) {
	name, port, found := strings.Cut(raw, ":")
	// Compared as text, so that ":", ":0443" and ":99999" fall out as well.
	if found && port != strconv.Itoa(listenerPort) {
		return "", badHost("the port is not the one that was connected to")
	}
	return Hostname(name)
}

// Hostname reads a host name without port, as admins write it for an app. The
// error is a *Refusal.
//
// Letters, digits and hyphens only: "_" and "%" are folded or decoded by some
// and not by others, and an IP literal in brackets is never an app's host.
func Hostname(raw string) (string, error) {
	name := strings.TrimSuffix(raw, ".")
	if name == "" {
		return "", badHost("the host is empty")
	}
	if len(name) > 253 {
		return "", badHost("the host is longer than 253 bytes")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "", badHost("a label of the host is empty or longer than 63 bytes")
		}
		if label[0] == '-' || label[len(label)-1] == '-' {
			return "", badHost("a label of the host begins or ends with a hyphen")
		}
		for i := range len(label) {
			if c := label[i]; !unreserved(c) || c == '_' || c == '~' {
				return "", badHost("the host has a byte that no host name has")
			}
		}
	}
	return strings.ToLower(name), nil
}

func badHost(detail string) *Refusal { return &Refusal{Reason: ReasonBadHost, Detail: detail} }
