package listener

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// Stall is how long a client may take to send or take the next bytes. What makes progress is never timed out.
const Stall = 30 * time.Second

// rest is how long a client may take for what is left of a body that nobody wants.
const rest = time.Second

// fresh is how old a deadline may be before it is set again: setting one costs more than a small write.
const fresh = time.Second

// Response writes to a client, counts, and gives up on one that takes nothing.
type Response struct {
	http.ResponseWriter
	Status int   // 0 until the header is written
	Bytes  int64 // of the body

	control  *http.ResponseController
	http2    bool
	deadline time.Time
}

// NewResponse wraps a response of net/http.
func NewResponse(w http.ResponseWriter, http2 bool) *Response {
	return &Response{ResponseWriter: w, control: http.NewResponseController(w), http2: http2}
}

// WriteHeader drops informational answers: they would carry an upstream's headers past everything that looks at them.
func (w *Response) WriteHeader(status int) {
	if status < 200 || w.Status != 0 {
		return
	}
	w.Status = status
	w.ResponseWriter.WriteHeader(status)
}

// Switched notes that the connection was taken over.
func (w *Response) Switched() { w.Status = http.StatusSwitchingProtocols }

func (w *Response) Write(p []byte) (int, error) {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
	w.arm()
	n, err := w.ResponseWriter.Write(p)
	w.disarm()
	w.Bytes += int64(n)
	return n, err
}

// FlushError flushes what was written.
func (w *Response) FlushError() error {
	w.arm()
	defer w.disarm()
	return w.control.Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *Response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Finish arms the deadlines for what net/http does after the handler: it writes what is buffered, and reads what is left of
// a small body, which a client that was refused may never send.
func (w *Response) Finish(hasBody bool) {
	if w.Status == http.StatusSwitchingProtocols {
		return
	}
	now := time.Now()
	_ = w.control.SetWriteDeadline(now.Add(Stall))
	if hasBody && !w.http2 {
		_ = w.control.SetReadDeadline(now.Add(rest))
	}
}

// Abandon makes a write or read that hangs fail at once.
func (w *Response) Abandon() {
	past := time.Unix(1, 0)
	_ = w.control.SetWriteDeadline(past)
	_ = w.control.SetReadDeadline(past)
}

// arm sets the deadline. On HTTP/1.1 it stays until the next write sets it again; on HTTP/2 it would reset a stream that
// is merely quiet, so it is taken off again.
func (w *Response) arm() {
	now := time.Now()
	if !w.http2 && now.Sub(w.deadline) < fresh {
		return
	}
	w.deadline = now
	_ = w.control.SetWriteDeadline(now.Add(Stall))
}

func (w *Response) disarm() {
	if w.http2 {
		_ = w.control.SetWriteDeadline(time.Time{})
	}
}

// Body reads from a client, counts, and gives up on one that sends nothing.
type Body struct {
	// Progress is called after each read that brought something. Nil is fine.
	Progress func()

	body     io.ReadCloser
	control  *http.ResponseController
	deadline time.Time
	bytes    atomic.Int64
	failed   atomic.Pointer[error]
}

// NewBody wraps a request's body.
func NewBody(body io.ReadCloser, w *Response) *Body { return &Body{body: body, control: w.control} }

func (b *Body) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(b.deadline) >= fresh {
		b.deadline = now
		_ = b.control.SetReadDeadline(now.Add(Stall))
	}
	n, err := b.body.Read(p)
	b.bytes.Add(int64(n))
	if err != nil {
		// What waits for the client after its body may wait long: net/http reads on to notice that the client left.
		_ = b.control.SetReadDeadline(time.Time{})
		if err != io.EOF {
			b.failed.CompareAndSwap(nil, &err)
		}
		return n, err
	}
	if n > 0 && b.Progress != nil {
		b.Progress()
	}
	return n, nil
}

// Close closes the body.
func (b *Body) Close() error { return b.body.Close() }

// Bytes is how many were read.
func (b *Body) Bytes() int64 { return b.bytes.Load() }

// Failed is what ended the body other than its end: bad framing, a client that stalled or left. Nil if nothing did.
func (b *Body) Failed() error {
	if err := b.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Stalled reports whether an error is a deadline that passed.
func Stalled(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
