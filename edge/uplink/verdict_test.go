package uplink

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/sallyport-iap/sallyport/edge/snapshot"
	edgev1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1"
	"github.com/sallyport-iap/sallyport/proto/gen/sallyport/edge/v1/edgev1connect"
)

// renewing is a control plane of which only the answer to Renew matters.
type renewing struct {
	edgev1connect.EdgeServiceClient
	answer func() error
}

func (r *renewing) Renew(context.Context, *edgev1.RenewRequest) (*edgev1.RenewResponse, error) {
	return nil, r.answer()
}

// said is an error as the control plane sends it.
func said(code connect.Code, reason string) error {
	err := connect.NewWireError(code, errors.New("because of the test"))
	detail, failed := connect.NewErrorDetail(&errdetails.ErrorInfo{Reason: reason, Domain: "sallyport.edge.v1"})
	if failed != nil {
		panic(failed)
	}
	err.AddDetail(detail)
	return err
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want verdict
	}{
		"disabled, on the stream":    {&goodbye{reason: "disabled"}, disabled},
		"removed, on the stream":     {&goodbye{reason: "removed"}, removed},
		"drain":                      {&goodbye{reason: "drain"}, none},
		"disabled":                   {said(connect.CodePermissionDenied, "EDGE_DISABLED"), disabled},
		"removed":                    {said(connect.CodePermissionDenied, "EDGE_REMOVED"), removed},
		"denied for another reason":  {said(connect.CodePermissionDenied, "EDGE_OF_THE_FUTURE"), disabled},
		"unknown":                    {said(connect.CodeUnauthenticated, "EDGE_UNKNOWN"), unknown},
		"expired":                    {said(connect.CodeUnauthenticated, "TOKEN_MISSING"), none},
		"not its own words":          {connect.NewError(connect.CodePermissionDenied, errors.New("403 Forbidden")), none},
		"not there":                  {connect.NewError(connect.CodeUnavailable, io.EOF), none},
		"nothing that anybody knows": {io.EOF, none},
	} {
		if got := verdictOf(tc.err); got != tc.want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// An edge that the control plane does not know serves on, for so long that a database that was restored by mistake can be
// put right, and no longer.
func TestUnknown(t *testing.T) {
	t.Parallel()
	stranger := said(connect.CodeUnauthenticated, "EDGE_UNKNOWN")
	outage := connect.NewError(connect.CodeUnavailable, errors.New("nobody listens"))
	const slack = time.Minute // attempts are half a minute apart at most
	for name, tc := range map[string]struct {
		stream, renew func(after time.Duration) error
		want          time.Duration // until it serves nothing; 0: never
	}{
		"by all answers":              {always(stranger), always(stranger), 30 * time.Minute},
		"by an expired certificate's": {always(said(connect.CodeUnauthenticated, "TOKEN_MISSING")), always(stranger), 30 * time.Minute},
		"but it renews":               {always(stranger), always(outage), 0},
		"with an outage in between": {func(after time.Duration) error {
			if after > 20*time.Minute && after < 22*time.Minute {
				return outage
			}
			return stranger
		}, always(stranger), 52 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				id, err := newIdentity()
				if err != nil {
					t.Fatal(err)
				}
				store := snapshot.New(snapshot.Config{Log: slog.New(slog.DiscardHandler)})
				before, began := store.Table(), time.Now()
				u := newUplink(Config{Log: slog.New(slog.DiscardHandler)}, id)
				u.client = &renewing{answer: func() error { return tc.renew(time.Since(began)) }}
				var a away
				for store.Table() == before && time.Since(began) < 2*time.Hour {
					time.Sleep(u.pause(t.Context(), store, tc.stream(time.Since(began)), &a))
					a.attempts++
				}
				took := time.Since(began)
				if tc.want == 0 && store.Table() != before || tc.want != 0 && (took < tc.want || took > tc.want+2*slack) {
					t.Errorf("it served nothing after %s", took)
				}
			})
		})
	}
}

func always(err error) func(time.Duration) error { return func(time.Duration) error { return err } }

// Half an hour's sleep is one answer, not half an hour of them.
func TestUnknownAfterSleep(t *testing.T) {
	t.Parallel()
	var d doubt
	now := time.Now()
	if d.settled(now) || d.settled(now.Add(time.Hour)) {
		t.Error("two answers are enough")
	}
}

// Whoever enables an edge is not kept waiting.
func TestDisabledAsksOften(t *testing.T) {
	t.Parallel()
	u := newUplink(Config{Log: slog.New(slog.DiscardHandler)}, &Identity{})
	store := snapshot.New(snapshot.Config{Log: slog.New(slog.DiscardHandler)})
	a := away{attempts: 100} // after a long outage
	for range 1000 {
		if wait := u.pause(t.Context(), store, said(connect.CodePermissionDenied, "EDGE_DISABLED"), &a); wait < 500*time.Millisecond || wait > 5*time.Second {
			t.Fatalf("it asks again after %s", wait)
		}
		a.attempts++
	}
}
