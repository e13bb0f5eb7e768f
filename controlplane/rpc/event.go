package rpc

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// event is what one RPC's log line is made of. The stages write into it as they learn; it is written once, at the end.
// It belongs to one request and one goroutine at a time.
type event struct {
	requestID string
	procedure string
	ip        netip.Addr
	caller    *controlplane.Caller
	again     func(context.Context) (*controlplane.Caller, error) // who calls as of now, if they still may: for what lasts
	scope     string                                              // what the request was about: a tenant's name, or the platform
	status    int                                                 // HTTP's; 0 if nothing was answered
	code      string                                              // connect's, "" = ok
	err       error                                               // with its cause: for the log only
}

type eventKey struct{}

// eventOf returns the request's event; every request has one, because [logged] is around everything.
func eventOf(ctx context.Context) *event {
	if e, ok := ctx.Value(eventKey{}).(*event); ok {
		return e
	}
	return &event{}
}

// callerOf returns who makes the request; the gate lets nobody through without.
func callerOf(ctx context.Context) *controlplane.Caller { return eventOf(ctx).caller }

const requestIDHeader = "X-Request-Id"

// identified gives the request an id: the caller's if it is a sane one, so that its logs and ours can be joined.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &event{requestID: r.Header.Get(requestIDHeader), procedure: strings.TrimPrefix(r.URL.Path, "/"), ip: peer(r)}
		if !saneID(e.requestID) {
			e.requestID = "r_" + rand.Text()
		}
		w.Header().Set(requestIDHeader, e.requestID)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), eventKey{}, e)))
	})
}

func saneID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// peer is the address of the connection. What a header says is not believed: nothing here sits behind a proxy unless the
// wiring puts one there, and then its address is what we know.
func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// logged writes one wide event for each request.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		e := eventOf(r.Context())
		defer func() {
			attrs := []slog.Attr{
				slog.String("request_id", e.requestID), slog.String("procedure", e.procedure),
				slog.String("ip", e.ip.String()), slog.Duration("duration", time.Since(begin)), slog.Int("status", e.status),
			}
			if c := e.caller; c != nil {
				attrs = append(attrs, slog.String("actor", c.Actor), slog.String("actor_kind", c.ActorKind),
					slog.String("tenant_uid", string(c.TenantUID)))
			}
			if e.scope != "" {
				attrs = append(attrs, slog.String("scope", e.scope))
			}
			level := slog.LevelInfo
			if e.err != nil {
				attrs = append(attrs, slog.String("code", e.code), slog.String("error", e.err.Error()))
				if e.code == connect.CodeInternal.String() || e.code == connect.CodeUnavailable.String() {
					level = slog.LevelError
				}
			}
			log.LogAttrs(r.Context(), level, "rpc", attrs...)
		}()
		next.ServeHTTP(w, r)
	})
}

// fail makes the error that goes out and notes what it was made from.
func (e *event) fail(err error) *connect.Error {
	wire := toWire(err, e.requestID)
	e.err, e.code = err, wire.Code().String()
	return wire
}
