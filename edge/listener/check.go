package listener

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
)

// Limits of a request. What they leave of net/http's own are in server.go.
const (
	MaxHeaders = 100
	MaxTarget  = 8 << 10
)

// Line is what a request says before its header, as it was sent.
type Line struct {
	Method     string
	Target     string // raw
	Protocol   string
	Major      int
	Minor      int
	Host       string // raw: Host, or :authority
	HostHeader []string
	Expect     []string
	Headers    int
	Chunked    bool
	TLS        *tls.ConnectionState
}

// LineOf reads a request of net/http.
func LineOf(r *http.Request) Line {
	n := 0
	for _, values := range r.Header {
		n += len(values)
	}
	return Line{
		Method: r.Method, Target: r.RequestURI, Protocol: r.Proto, Major: r.ProtoMajor, Minor: r.ProtoMinor,
		Host: r.Host, HostHeader: r.Header["Host"], Expect: r.Header["Expect"], Headers: n, Chunked: len(r.TransferEncoding) > 0, TLS: r.TLS,
	}
}

type connection struct{}

// remember lets ServerName reach the connection.
func remember(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connection{}, c)
}

// ServerName is the name that a request's connection was opened for. It is not read from the request: net/http takes the
// TLS state off one that says ":scheme: http".
func ServerName(r *http.Request) string {
	if c, ok := r.Context().Value(connection{}).(*tls.Conn); ok {
		return c.ConnectionState().ServerName
	}
	return ""
}

// Check refuses what no app could mean. It comes before anything else looks at a request.
func Check(l Line) *exchange.Denial {
	switch {
	case !(l.Major == 1 && l.Minor == 1) && !(l.Major == 2 && l.Minor == 0):
		return closing(exchange.Refuse(policy.RequestMalformedVersion, "The protocol version is not spoken here."))
	case l.TLS == nil:
		// HTTP/2 lets a client say ":scheme: http" on a TLS connection.
		return closing(exchange.Refuse(policy.RequestMalformedTarget, "The scheme is not the connection's."))
	case len(l.Target) > MaxTarget:
		d := closing(exchange.Refuse(policy.RequestTooLarge, "The request target is longer than 8 KiB."))
		d.Status = http.StatusRequestURITooLong
		return d
	case l.Headers > MaxHeaders:
		d := closing(exchange.Refuse(policy.RequestTooLarge, "There are more than 100 headers."))
		d.Status = http.StatusRequestHeaderFieldsTooLarge
		return d
	case route.Method(l.Method) != nil:
		return closing(exchange.Refuse(policy.RequestMethod, "The method is not one that is spoken here."))
	case !strings.HasPrefix(l.Target, "/"):
		// Of an absolute-form, net/http takes the host for the request's, whatever Host says. Nothing but the client of a
		// forward proxy sends one.
		return closing(exchange.Refuse(policy.RequestMalformedTarget, "The request target is no path."))
	case len(l.HostHeader) > 1 || len(l.HostHeader) == 1 && l.HostHeader[0] != l.Host:
		// HTTP/2 only: net/http takes Host out of an HTTP/1.1 header (RFC 9113 section 8.3.1).
		return closing(exchange.Refuse(policy.RequestBadHost, "Host and :authority differ."))
	case len(l.Expect) > 1 || len(l.Expect) == 1 && !strings.EqualFold(l.Expect[0], "100-continue"):
		// What one server meets and the next does not understand is read as two places for the body to begin.
		d := closing(exchange.Refuse(policy.RequestMalformedHeader, "The expectation is not one that can be met."))
		d.Status = http.StatusExpectationFailed
		return d
	default:
		return nil
	}
}

func closing(d *exchange.Denial) *exchange.Denial {
	d.Close = true
	return d
}
