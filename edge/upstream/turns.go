package upstream

import (
	"errors"
	"net"
	"net/http"
)

// turns asks the servers of a route in turn. The next one is asked only if no connection to this one could be made: then
// it has received nothing.
type turns struct {
	transports *transports
	call       Call
	answer     *Answer
}

func (f *Forwarder) turns(c Call, a *Answer) *turns {
	return &turns{f.transports(c.TenantUID, c.Pool.AllowedUpstream), c, a}
}

func (t *turns) RoundTrip(r *http.Request) (*http.Response, error) {
	targets := t.call.Route.Targets
	first := t.call.Route.Turn()
	var failed error
	for i := range targets {
		base := targets[(first+i)%len(targets)]
		t.answer.Target = base.Scheme + "://" + base.Host
		r.URL = target(base, t.call.Path)
		// The app's configuration says what a target speaks, never the request: a server of HTTP/1.1 that is spoken to in
		// HTTP/2 reads bytes of the client's where it expects a request.
		transport := t.transports.http
		if base.Scheme == "h2c" {
			transport = t.transports.h2c
		}
		delete(r.Header, "Te")
		if t.call.GRPC && base.Scheme != "http" {
			// A gRPC server may refuse whoever does not say that it reads trailers. The client's own was hop-by-hop.
			r.Header["Te"] = []string{"trailers"}
		}
		res, err := transport.RoundTrip(r)
		if err == nil {
			return res, nil
		}
		// What is told is why the first failed: the rest is luck.
		if failed == nil {
			failed = err
		}
		if dial := (*net.OpError)(nil); !errors.As(err, &dial) || dial.Op != "dial" || r.Context().Err() != nil {
			return nil, err
		}
	}
	return nil, failed
}
