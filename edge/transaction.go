package edge

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/sallyport-iap/sallyport/edge/exchange"
	"github.com/sallyport-iap/sallyport/edge/listener"
	"github.com/sallyport-iap/sallyport/edge/policy"
	"github.com/sallyport-iap/sallyport/edge/route"
	"github.com/sallyport-iap/sallyport/edge/snapshot"
	"github.com/sallyport-iap/sallyport/edge/stream"
	"github.com/sallyport-iap/sallyport/edge/upstream"
	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

// transaction is one request on its way through the stages, with all that they found out.
type transaction struct {
	exchange.Request
	*Handler

	w        *listener.Response
	r        *http.Request
	body     *listener.Body // nil: there is none
	answered bool

	table      *snapshot.Table
	serverName string         // that the connection was opened for
	connected  *snapshot.Site // whose connection it is, and so whose record, before anything of the request is read
	caller     *exchange.Caller
	stranger   policy.Reason // why there is no caller
	unknown    *exchange.Denial
	setCookie  *http.Cookie
	preflight  bool
	operation  string
	route      *snapshot.Route
	decision   policy.Decision
	forwarding upstream.Answer
	forwarded  time.Time // when the upstream was asked
	entry      *stream.Entry
	lasted     bool          // a record of its beginning was written
	cut        policy.Reason // why we ended it
	event      *sallyportv1.AccessEvent
}

func (h *Handler) begin(w http.ResponseWriter, r *http.Request) *transaction {
	now := h.Now()
	x := &transaction{Handler: h, r: r, w: listener.NewResponse(w, r.ProtoMajor == 2), table: h.Table()}
	x.Request = exchange.Request{
		ID:     ulid.MustNew(ulid.Timestamp(now), rand.Reader).String(),
		Method: r.Method, Protocol: r.Proto, PublicPort: h.PublicPort, Header: r.Header, UserAgent: r.UserAgent(), Now: now,
		Client: exchange.Classify(r.Method, r.Header, false),
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		x.Peer = peer.Addr().Unmap()
	}
	if name, err := route.Hostname(r.TLS.ServerName); err == nil {
		x.serverName = name
		x.connected, _, _ = x.table.Host(name)
	}
	if r.Body != nil && r.ContentLength != 0 {
		x.body = listener.NewBody(r.Body, x.w)
		// On a copy: by the body's type net/http tells, after the handler, that nobody asked an expecting client to go on.
		x.r = r.WithContext(r.Context())
		x.r.Body = x.body
	}
	if x.Protocol == "HTTP/1.1" && r.ContentLength < 0 {
		// net/http drops a Content-Length that came beside Transfer-Encoding and does not say so. Whoever else read this
		// connection may have counted by it, so nothing more is read from it (RFC 9112 section 6.1).
		x.w.Header().Set("Connection", "close")
	}
	x.event = x.newEvent()
	return x
}

// end writes the record, whatever happened.
func (x *transaction) end() {
	failure := recover()
	if failure != nil && failure != http.ErrAbortHandler { //nolint:errorlint // the very value that was thrown
		x.Log.Error("a request made the edge panic", slog.String("decision_id", x.DecisionID()), slog.Any("panic", failure), slog.String("stack", string(debug.Stack())))
		d := exchange.Unavailable(policy.UnavailableInternal, 0, fmt.Errorf("panic: %v", failure))
		d.Status = http.StatusInternalServerError
		d.Close = true
		x.decision = policy.Decision{} // whatever it was, it did not happen
		x.tell(d)
	}
	if x.entry != nil {
		x.Streams.Close(x.entry)
	}
	x.complete()
	x.w.Finish(x.body != nil)
	//nolint:errorlint // the very value that was thrown
	if failure == http.ErrAbortHandler || failure != nil && x.w.Status == 0 {
		panic(http.ErrAbortHandler)
	}
}

// tell refuses, and survives a second panic: the record comes first.
func (x *transaction) tell(d *exchange.Denial) {
	defer func() {
		if again := recover(); again != nil {
			x.Log.Error("an answer made the edge panic", slog.String("decision_id", x.DecisionID()), slog.Any("panic", again))
		}
	}()
	x.refuse(d)
}

// micros is a duration as the record has it.
func micros(d time.Duration) int64 { return max(d.Microseconds(), 0) }
