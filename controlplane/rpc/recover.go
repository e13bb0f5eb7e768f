package rpc

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"connectrpc.com/connect"
)

// recovered turns a panic into an internal error in whatever protocol the caller speaks. What had begun to be answered
// cannot be taken back: that connection is cut, so that nobody takes half an answer for a whole one.
func recovered(next http.Handler) http.Handler {
	errorWriter := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := &watchedWriter{ResponseWriter: w, event: eventOf(r.Context())}
		defer func() {
			value := recover()
			if value == nil {
				return
			}
			if err, ok := value.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(value)
			}
			wire := watched.event.fail(fmt.Errorf("panic: %v\n%s", value, debug.Stack()))
			if watched.event.status != 0 {
				panic(http.ErrAbortHandler)
			}
			_ = errorWriter.Write(watched, r, wire) // the connection is gone; nobody is left to tell
		}()
		next.ServeHTTP(watched, r)
	})
}

// watchedWriter notes that an answer has begun, and how.
type watchedWriter struct {
	http.ResponseWriter
	event *event
}

func (w *watchedWriter) begin(status int) {
	if w.event.status == 0 {
		w.event.status = status
	}
}

func (w *watchedWriter) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *watchedWriter) Write(data []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriter.Write(data)
}

// Flush is what connect asks for to send a stream's messages as they come.
func (w *watchedWriter) Flush() {
	w.begin(http.StatusOK)
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
