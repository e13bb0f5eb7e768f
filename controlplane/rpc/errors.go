package rpc

import (
	"context"
	"errors"
	"maps"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport-iap/sallyport/controlplane"
)

// domain is that of every ErrorInfo.
const domain = "sallyport.v1"

// codes is the one table from kinds of error to what goes over the wire. Everything that is not in it is internal.
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

// toWire makes the error that a client sees. Only a [*controlplane.Error] goes out with its text, for only those texts
// were written for callers; of anything else the client learns nothing but the request id to ask for.
func toWire(err error, requestID string) *connect.Error {
	known, ok := errors.AsType[*controlplane.Error](err)
	code, listed := connect.CodeInternal, false
	if ok {
		code, listed = lookup(known.Kind)
	}
	var ofConnect *connect.Error
	switch {
	case listed:
	case errors.As(err, &ofConnect) && (ofConnect.Code() == connect.CodeInvalidArgument || ofConnect.Code() == connect.CodeResourceExhausted):
		// No handler of ours makes one: it is connect's word on a message that it could not read.
		return detailed(ofConnect.Code(), ofConnect.Message(), requestID)
	case errors.Is(err, context.Canceled):
		return detailed(connect.CodeCanceled, "canceled", requestID)
	case errors.Is(err, context.DeadlineExceeded):
		return detailed(connect.CodeDeadlineExceeded, "deadline exceeded", requestID)
	default:
		return detailed(connect.CodeInternal, "internal error", requestID,
			&errdetails.ErrorInfo{Reason: "INTERNAL", Domain: domain})
	}
	var details []proto.Message
	switch {
	case len(known.Violations) == 0:
	case known.Kind == controlplane.Precondition:
		details = append(details, preconditionFailure(known.Violations))
	default:
		details = append(details, badRequest(known.Violations))
	}
	details = append(details, errorInfo(known))
	if known.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(known.RetryAfter)})
	}
	return detailed(code, known.Message, requestID, details...)
}

func lookup(kind controlplane.ErrorKind) (connect.Code, bool) {
	if code, ok := codes[kind]; ok {
		return code, true
	}
	return connect.CodeInternal, false
}

func detailed(code connect.Code, message, requestID string, details ...proto.Message) *connect.Error {
	wire := connect.NewError(code, errors.New(message))
	for _, d := range append(details, &errdetails.RequestInfo{RequestId: requestID}) {
		if detail, err := connect.NewErrorDetail(d); err == nil {
			wire.AddDetail(detail)
		}
	}
	return wire
}

func badRequest(violations []controlplane.Violation) *errdetails.BadRequest {
	request := &errdetails.BadRequest{}
	for _, v := range violations {
		request.FieldViolations = append(request.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: v.Field, Description: v.Description, Reason: v.Reason,
		})
	}
	return request
}

// preconditionFailure names what stands in the way: a resource, where a bad request has a field.
func preconditionFailure(violations []controlplane.Violation) *errdetails.PreconditionFailure {
	failure := &errdetails.PreconditionFailure{}
	for _, v := range violations {
		failure.Violations = append(failure.Violations, &errdetails.PreconditionFailure_Violation{Type: v.Reason, Subject: v.Field, Description: v.Description})
	}
	return failure
}

func errorInfo(e *controlplane.Error) *errdetails.ErrorInfo {
	metadata := maps.Clone(e.Metadata)
	if len(e.Violations) > 0 && e.Violations[0].Suggestion != "" {
		if metadata == nil {
			metadata = map[string]string{}
		}
		metadata["suggestion"] = e.Violations[0].Suggestion
	}
	return &errdetails.ErrorInfo{Reason: e.Reason, Domain: domain, Metadata: metadata}
}
