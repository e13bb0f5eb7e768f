package edgerpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// translate is the one place where an error gets its code, and where the text of one that is not meant for the caller
// stays behind. It also keeps a panic in one call from being the end of every stream.
type translate struct{ log *slog.Logger }

var codes = map[controlplane.ErrorKind]connect.Code{
	controlplane.Invalid:         connect.CodeInvalidArgument,
	controlplane.NotFound:        connect.CodeNotFound,
	controlplane.Exists:          connect.CodeAlreadyExists,
	controlplane.Conflict:        connect.CodeAborted,
	controlplane.Precondition:    connect.CodeFailedPrecondition,
	controlplane.Denied:          connect.CodePermissionDenied,
	controlplane.Unauthenticated: connect.CodeUnauthenticated,
	controlplane.Exhausted:       connect.CodeResourceExhausted,
	controlplane.Unavailable:     connect.CodeUnavailable,
}

func (t translate) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (response connect.AnyResponse, err error) {
		ctx, cancel := context.WithTimeout(ctx, unaryTimeout)
		defer cancel()
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
			err = t.translate(ctx, r.Spec().Procedure, err)
		}()
		return next(ctx, r)
	}
}

func (t translate) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
			err = t.translate(ctx, conn.Spec().Procedure, err)
		}()
		return next(ctx, conn)
	}
}

func (t translate) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (t translate) translate(ctx context.Context, procedure string, err error) error {
	if err == nil {
		return nil
	}
	var e *controlplane.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, errors.New("cancelled"))
	case errors.Is(err, context.DeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, errors.New("deadline exceeded"))
	default:
		if connectErr := (*connect.Error)(nil); errors.As(err, &connectErr) {
			return connectErr // the transport's own: it has no text of ours
		}
		t.log.ErrorContext(ctx, "edge call failed", "procedure", procedure, "error", err)
		return connect.NewError(connect.CodeInternal, errors.New("internal error"))
	}
	if e.Kind == controlplane.Unavailable {
		t.log.WarnContext(ctx, "edge call failed", "procedure", procedure, "error", err)
	}
	out := connect.NewError(codes[e.Kind], errors.New(e.Message))
	if detail, err := connect.NewErrorDetail(&errdetails.ErrorInfo{Reason: e.Reason, Domain: "sallyport.edge.v1", Metadata: e.Metadata}); err == nil {
		out.AddDetail(detail)
	}
	if e.RetryAfter > 0 {
		if detail, err := connect.NewErrorDetail(&errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)}); err == nil {
			out.AddDetail(detail)
		}
	}
	return out
}
