package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/sallyport-iap/sallyport/edge/egress"
	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/listener"
	"github.com/sallyport-iap/sallyport/edge/policy"
)

var (
	errBadStatus    = errors.New("the status is not one of HTTP")
	errBadHandshake = errors.New("the WebSocket handshake is not answered right")
)

// fail notes why there is no answer.
func (a *Answer) fail(ctx context.Context, c Call, err error) {
	a.Err = err
	cause := context.Cause(ctx)
	if cut := (*Cut)(nil); errors.As(cause, &cut) {
		a.Err, a.Denial = cut, exchange.Deny(cut.Reason)
		return
	}
	if c.Body != nil && c.Body.Failed() != nil && !errors.Is(cause, errTimeout) {
		a.Denial = clientFailed(c.Body.Failed())
		return
	}
	if cause != nil && !errors.Is(cause, errTimeout) {
		panic(http.ErrAbortHandler) // the client left: there is nobody to tell, and net/http would say 200
	}
	reason := policy.UpstreamTimeout
	if !errors.Is(cause, errTimeout) {
		reason = classify(err)
	}
	a.Denial = &exchange.Denial{Outcome: exchange.Allowed, Reason: reason, Err: err}
}

// clientFailed is said to a client whose own body could not be read to its end. The request was allowed, and the upstream
// may have acted on its beginning: nobody who reads the record should think that it received nothing.
func clientFailed(err error) *exchange.Denial {
	d := &exchange.Denial{Outcome: exchange.Allowed, Reason: policy.RequestMalformedFraming, Detail: "The body is malformed or incomplete.", Close: true, Err: err}
	if listener.Stalled(err) {
		d.Status, d.Detail = http.StatusRequestTimeout, "The body did not arrive in time."
	}
	return d
}

func classify(err error) policy.Reason {
	if forbidden := (*egress.Forbidden)(nil); errors.As(err, &forbidden) {
		return policy.UpstreamForbiddenAddress
	}
	if tlsFailed(err) {
		return policy.UpstreamTLS
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return policy.UpstreamTimeout
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return policy.UpstreamUnreachable
	}
	return policy.UpstreamBadResponse
}

func tlsFailed(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		unknown      x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	return errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &unknown) || errors.As(err, &hostname) || errors.As(err, &invalid)
}

// trailerGuard takes out of a trailer what only we may say, once the trailer is there.
type trailerGuard struct {
	io.ReadCloser
	res *http.Response
}

func (g *trailerGuard) Read(p []byte) (int, error) {
	n, err := g.ReadCloser.Read(p)
	if err == io.EOF {
		header.StripTrailer(g.res.Trailer)
	}
	return n, err
}

// Close may be what completes the trailer.
func (g *trailerGuard) Close() error {
	err := g.ReadCloser.Close()
	header.StripTrailer(g.res.Trailer)
	return err
}
