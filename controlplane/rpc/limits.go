package rpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"

	"github.com/sallyport-iap/sallyport/controlplane"
	"github.com/sallyport-iap/sallyport/controlplane/simulation"
	v1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1/sallyportv1connect"
)

// These bound one RPC. A deadline that the client sets applies as well, if it is earlier.
const (
	maxRequest  = 4 << 20
	maxImport   = 6 << 20 // a document of 4 MiB in base64, as JSON has bytes
	maxApply    = 16 << 20
	readTimeout = 30 * time.Second // for the whole body
	unaryTime   = 30 * time.Second
	applyTime   = 2 * time.Minute
	waitTime    = 65 * time.Second // the longest wait, and a little
)

func maxBytes(procedure string) int {
	switch procedure {
	case v1.ConfigServiceApplyProcedure, v1.DecisionServiceSimulateProcedure, v1.DecisionServiceExplainProcedure, v1.DecisionServiceLintProcedure,
		v1.DecisionServiceWhoCanAccessProcedure, v1.DecisionServiceWhatCanAccessProcedure, v1.PolicyTestServiceRunPolicyTestsProcedure:
		return maxApply // a draft is what Apply takes
	case v1.AppServiceImportOperationsProcedure:
		return maxImport
	default:
		return maxRequest
	}
}

// errTooLarge is noticed before anything is read.
func errTooLarge(limit string) error {
	return &controlplane.Error{
		Kind: controlplane.Exhausted, Reason: controlplane.ReasonQuota,
		Message: "the request is larger than " + limit + " bytes", Metadata: map[string]string{"quota": "request-bytes", "limit": limit},
	}
}

// limited bounds the bytes and the time of a request. Connect bounds the message once more, after decompression.
func limited(next http.Handler) http.Handler {
	errorWriter := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := maxBytes(r.URL.Path)
		if r.ContentLength > int64(limit) {
			_ = errorWriter.Write(w, r, eventOf(r.Context()).fail(errTooLarge(strconv.Itoa(limit)))) // a client that is gone is refused too
			return
		}
		controller := http.NewResponseController(w)
		// Without a body the server reads on already, to notice a client that leaves: no deadline for that.
		if r.Body != http.NoBody && controller.SetReadDeadline(time.Now().Add(readTimeout)) == nil {
			r.Body = &timedBody{ReadCloser: r.Body, done: func() { _ = controller.SetReadDeadline(time.Time{}) }}
		}
		if length, bounded := timeout(r.URL.Path); bounded {
			ctx, cancel := context.WithTimeout(r.Context(), length)
			defer cancel()
			r = r.WithContext(ctx)
		}
		r.Body = http.MaxBytesReader(w, r.Body, int64(limit)+envelope)
		next.ServeHTTP(w, r)
	})
}

// envelope is what gRPC puts around the one message of a request.
const envelope = 5

// timeout returns how long a call may take; tails may last.
func timeout(procedure string) (time.Duration, bool) {
	switch procedure {
	case v1.AuditServiceTailAccessEventsProcedure, v1.AuditServiceTailChangesProcedure:
		return 0, false
	case v1.RevisionServiceWaitProcedure:
		return waitTime, true
	case v1.ConfigServiceApplyProcedure:
		return applyTime, true
	case v1.DecisionServiceSimulateProcedure, v1.DecisionServiceSummarizeShadowProcedure:
		return simulation.MaxTime, true
	default:
		return unaryTime, true
	}
}

// timedBody lifts the deadline once the body is read: a tail or a wait goes on for longer, and the server keeps reading
// to notice a client that leaves.
type timedBody struct {
	io.ReadCloser
	done func()
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) && b.done != nil {
		b.done()
		b.done = nil
	}
	return n, err
}
