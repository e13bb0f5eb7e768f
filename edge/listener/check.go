package listener

import (
	"net/http"
	"strconv"
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
	Padded     bool  // a value begins or ends with a blank
	Length     int64 // that net/http goes by; -1 if it does not know
	Lengths    []string
}

// LineOf reads a request of net/http.
func LineOf(r *http.Request) Line {
	n, padded := 0, false
	for _, values := range r.Header {
		n += len(values)
		for _, v := range values {
			padded = padded || v != "" && (blank(v[0]) || blank(v[len(v)-1]))
		}
	}
	return Line{
		Method: r.Method, Target: r.RequestURI, Protocol: r.Proto, Major: r.ProtoMajor, Minor: r.ProtoMinor,
		Host: r.Host, HostHeader: r.Header["Host"], Expect: r.Header["Expect"], Headers: n, Padded: padded,
		Length: r.ContentLength, Lengths: r.Header["Content-Length"],
	}
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// Check refuses what no app could mean. It comes before anything else looks at a request.
func Check(l Line) *exchange.Denial {
	switch {
	case !(l.Major == 1 && l.Minor == 1) && !(l.Major == 2 && l.Minor == 0):
		return closing(exchange.Refuse(policy.RequestMalformedVersion, "The protocol version is not spoken here."))
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
	case l.Padded:
		// HTTP/2 only: net/http takes blanks off in HTTP/1.1. An upstream would too, and read what we did not (RFC 9113 section
		// 8.2.1).
		return closing(exchange.Refuse(policy.RequestMalformedHeader, "A header's value begins or ends with a blank."))
	case l.Major == 2 && len(l.Lengths) > 0 && (len(l.Lengths) > 1 || l.Lengths[0] != strconv.FormatInt(l.Length, 10)):
		// net/http takes the first of several, and 0 for one that it cannot read: the body would be lost on its way (RFC
		// 9113 section 8.1.1).
		return closing(exchange.Refuse(policy.RequestMalformedFraming, "Content-Length is not the length of the body."))
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
