package login

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// maxAnswer is the most that a provider may answer. The largest key sets are some 50 KiB.
const maxAnswer = 1 << 20

var errTooLarge = errors.New("the identity provider answered more than 1 MiB")

// bounded limits what its answers hold: the libraries that read them do not.
func bounded(c *http.Client) *http.Client {
	limited := *c
	inner := c.Transport
	limited.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		answer, err := inner.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		answer.Body = &capped{ReadCloser: answer.Body, left: maxAnswer}
		return answer, nil
	})
	return &limited
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type capped struct {
	io.ReadCloser
	left int
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLarge
	}
	if len(p) > c.left {
		p = p[:c.left]
	}
	n, err := c.ReadCloser.Read(p)
	c.left -= n
	return n, err
}

// checkURL refuses what no endpoint of a provider is. The address behind it is checked when it is dialled.
func checkURL(what, text string, allowHTTPLoopback bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("the %s is not a plain URL", what)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && allowHTTPLoopback && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("the %s is not https", what)
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
