package exchange

import (
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
)

// Request is what was asked, after it was made canonical and stripped of what only we may say.
type Request struct {
	ID         string // ULID; the decision id is "d_" and this
	Method     string
	Protocol   string // HTTP/1.1 or HTTP/2.0
	Host       string // canonical, without port
	PublicPort int    // that clients use
	Path       route.Path
	Header     http.Header
	Taken      header.Taken // cookies and credentials of ours, taken out of Header
	Body       io.Reader    // for our own pages: at most 64 KiB of it
	Peer       netip.Addr   // of the connection
	ClientIP   netip.Addr   // behind trusted proxies; the zero value is unknown
	Country    string       // of ClientIP; "" is unknown
	UserAgent  string
	Now        time.Time
	Site       *snapshot.Site
	App        *snapshot.App // nil on the auth host
	Client     Client
	WebSocket  bool // a well-formed handshake
}

// Verb is the method that operations and rules know: the handshake of a WebSocket is one of its own.
func (r *Request) Verb() string {
	if r.WebSocket {
		return route.WebSocket
	}
	return r.Method
}

// Question is what is decided on: the request, as somebody's, at an instant.
func (r *Request) Question(operation string, who *policy.Principal, now time.Time) *policy.Request {
	return &policy.Request{
		Operation: operation, Principal: who, Method: r.Verb(), Host: r.Host, Path: r.Path.Match,
		SourceIP: r.ClientIP, Country: r.Country, Now: now,
	}
}

// DecisionID is what support looks the request up by.
func (r *Request) DecisionID() string { return "d_" + r.ID }

// Origin is the origin of the host that was asked, from configuration: a request's own port and scheme say nothing.
func (r *Request) Origin() string { return Origin(r.Host, r.PublicPort) }

// Origin is the https origin of a host on the public port.
func Origin(host string, publicPort int) string {
	if publicPort == 443 {
		return "https://" + host
	}
	return "https://" + host + ":" + strconv.Itoa(publicPort)
}
