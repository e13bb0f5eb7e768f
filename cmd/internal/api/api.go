// Package api is how our own programs call the control plane: where it is, with which token, and how its errors read.
//
// It must never know a noun: calls are made with the generated clients. And it must never put a token into an error.
package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// dialTimeout is for one address.
	dialTimeout = 5 * time.Second
	// callTimeout is over the longest that the API takes for one call, so that only who gets no answer waits so long.
	callTimeout = 150 * time.Second
)

// Client is a control plane to call. Make generated clients with HTTP and URL:
//
//	apps := sallyportv1connect.NewAppServiceClient(c.HTTP, c.URL)
type Client struct {
	HTTP *http.Client
	URL  string
}

// New returns a client that presents token. server is `http(s)://host[:port]`. A token goes over plain http only to a
// loopback address.
func New(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("the control plane's address must be a URL such as https://sallyport.example")
	}
	if u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("give the control plane's address as %s://%s, with nothing before or after the host", u.Scheme, u.Host)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("%s://%s: over plain http a token could be read on the way; that is for this machine only, so use https", u.Scheme, u.Host)
	}
	token = strings.TrimSpace(token)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the token has characters that no token has, such as spaces or line breaks")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	return &Client{
		HTTP: &http.Client{
			Transport: bearer{token: token, next: transport},
			// A redirect would carry the token to somebody else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		URL: u.Scheme + "://" + u.Host,
	}, nil
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// bearer presents a token, and does not wait for ever.
type bearer struct {
	token string
	next  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if kind := r.Header.Get("Content-Type"); kind == "application/proto" || kind == "application/json" { // else it is a stream, which lasts
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
	}
	r = r.Clone(ctx)
	r.Header.Set("Authorization", "Bearer "+b.token)
	response, err := b.next.RoundTrip(r)
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = body{ReadCloser: response.Body, done: cancel}
	return response, nil
}

// body ends the time limit when it is closed.
type body struct {
	io.ReadCloser
	done context.CancelFunc
}

func (b body) Close() error {
	err := b.ReadCloser.Close()
	b.done()
	return err
}
