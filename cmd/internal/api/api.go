// Package api is how our own programs call the control plane: where it is, with which token, and how its errors read.
//
// It must never know a noun: calls are made with the generated clients.
package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// Client is a control plane to call. Make generated clients with HTTP and URL:
//
//	apps := sallyportv1connect.NewAppServiceClient(c.HTTP, c.URL)
type Client struct {
	HTTP *http.Client
	URL  string
}

// New returns a client that presents token. url is `http(s)://host[:port]`. A token goes over plain http only to a
// loopback address.
func New(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("server %q: want a URL such as https://sallyport.example", server)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("server %q: plain http is for loopback addresses only, a token would be readable on the way", server)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	return &Client{
		HTTP: &http.Client{
			Transport: bearer{token: strings.TrimSpace(token), next: transport},
			// A redirect would carry the token to somebody else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		URL: strings.TrimSuffix(u.String(), "/"),
	}, nil
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

type bearer struct {
	token string
	next  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// Violation is one field that the control plane refused.
type Violation struct {
	Field, Description, Reason string
	Suggestion                 string
}

// Violations returns the fields that err names, if it is a refusal of the control plane's.
func Violations(err error) []Violation {
	var out []Violation
	suggestion := metadata(err)["suggestion"]
	for _, detail := range details(err) {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				out = append(out, Violation{Field: v.GetField(), Description: v.GetDescription(), Reason: v.GetReason()})
			}
		}
	}
	if len(out) > 0 {
		out[0].Suggestion = suggestion
	}
	return out
}

// Reason returns the stable reason code of err, or "".
func Reason(err error) string {
	for _, detail := range details(err) {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// Unreachable reports whether err means that no answer came, as opposed to a refusal.
func Unreachable(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	return connect.CodeOf(err) == connect.CodeUnavailable && !errors.Is(err, context.Canceled)
}

func metadata(err error) map[string]string {
	for _, detail := range details(err) {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetMetadata()
		}
	}
	return nil
}

func details(err error) []any {
	refusal, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return nil
	}
	var out []any
	for _, d := range refusal.Details() {
		if value, err := d.Value(); err == nil {
			out = append(out, value)
		}
	}
	return out
}
