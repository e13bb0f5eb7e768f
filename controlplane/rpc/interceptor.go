package rpc

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
)

// interceptor is what is around every handler: errors outermost, then what is wrong with the message.
type interceptor struct{ validator *validator }

func (i *interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		if err := i.checkAny(request.Any()); err != nil {
			return nil, eventOf(ctx).fail(err)
		}
		response, err := next(ctx, request)
		if err != nil {
			return nil, eventOf(ctx).fail(err)
		}
		return response, nil
	}
}

func (i *interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		if err := next(ctx, &checkedConn{StreamingHandlerConn: conn, interceptor: i}); err != nil {
			return eventOf(ctx).fail(err)
		}
		return nil
	}
}

// WrapStreamingClient is for clients, which this is not.
func (i *interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// checkedConn checks the messages of a stream as they come.
type checkedConn struct {
	connect.StreamingHandlerConn
	interceptor *interceptor
}

func (c *checkedConn) Receive(message any) error {
	if err := c.StreamingHandlerConn.Receive(message); err != nil {
		return err
	}
	return c.interceptor.checkAny(message)
}

var errNoMessage = errors.New("a request that is no protobuf message")

// checkAny holds a request against what its proto says.
func (i *interceptor) checkAny(message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return errNoMessage
	}
	if err := refuseUnknown(m); err != nil {
		return err
	}
	return i.validator.checkRequest(m)
}
