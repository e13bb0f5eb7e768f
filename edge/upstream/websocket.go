package upstream

import (
	"bufio"
	"context"
	"crypto/sha1" //nolint:gosec // RFC 6455 section 4.2.2 names it; it protects nothing
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/edge/header"
	"github.com/sallyport-iap/sallyport/edge/listener"
)

// tunnel answers a WebSocket handshake that was allowed. If the upstream agrees, frames pass both ways until one side, or
// the cause of ctx, ends it.
func (f *Forwarder) tunnel(ctx context.Context, w *listener.Response, transport *turns, wait *waiting, c Call, a *Answer) {
	out, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://upstream.invalid/", http.NoBody)
	if err != nil {
		a.fail(ctx, c, err)
		return
	}
	rewrite(out, c)
	res, err := transport.RoundTrip(out)
	if err != nil {
		a.fail(ctx, c, err)
		return
	}
	defer res.Body.Close()
	wait.arrived()
	a.FirstByte = time.Now()
	if res.StatusCode != http.StatusSwitchingProtocols {
		f.declined(ctx, w, res, c, a)
		return
	}
	server, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !accepted(res.Header, c.Header.Get("Sec-WebSocket-Key")) {
		a.fail(ctx, c, errBadHandshake)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		a.fail(ctx, c, err)
		return
	}
	defer client.Close()
	w.Switched()
	s := &socket{client: client, server: server}
	if err := s.answer(res.Header); err != nil {
		a.Err = err
		return
	}
	c.Upgraded()
	a.Err = s.run(ctx, buffered.Reader)
	w.Bytes = s.sent
}

// accepted checks what RFC 6455 section 4.1 has a client check of the server's answer.
func accepted(h http.Header, key string) bool {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 says so; nothing is kept safe by it
	return strings.EqualFold(h.Get("Upgrade"), "websocket") && len(h["Upgrade"]) == 1 &&
		strings.Contains(strings.ToLower(strings.Join(h["Connection"], ",")), "upgrade") &&
		h.Get("Sec-WebSocket-Accept") == base64.StdEncoding.EncodeToString(sum[:])
}

// declined passes an ordinary answer to a handshake on.
func (f *Forwarder) declined(ctx context.Context, w *listener.Response, res *http.Response, c Call, a *Answer) {
	if err := guard(res, c); err != nil {
		a.fail(ctx, c, err)
		return
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Trailer", "Te"} {
		res.Header.Del(name)
	}
	maps.Copy(w.Header(), res.Header)
	w.WriteHeader(res.StatusCode)
	buffer := f.buffers.Get()
	defer f.buffers.Put(buffer)
	if _, err := io.CopyBuffer(w, res.Body, buffer); err != nil {
		a.Err = err
		panic(http.ErrAbortHandler)
	}
}

// socket is an open WebSocket.
type socket struct {
	client net.Conn
	server io.ReadWriteCloser
	frames frames
	sent   int64 // to the client
}

// answer sends the upstream's agreement to the client.
func (s *socket) answer(h http.Header) error {
	header.StripResponse(h)
	for _, name := range []string{"Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Content-Length", "Trailer", "Te"} {
		h.Del(name)
	}
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	if err := h.Write(&b); err != nil {
		return err
	}
	b.WriteString("\r\n")
	return s.write([]byte(b.String()))
}

func (s *socket) write(p []byte) error {
	if err := s.client.SetWriteDeadline(time.Now().Add(listener.Stall)); err != nil {
		return err
	}
	_, err := s.client.Write(p)
	return err
}

// run copies until one side ends or ctx is cancelled.
func (s *socket) run(ctx context.Context, buffered *bufio.Reader) error {
	// The hijacked connection may carry a deadline of net/http's.
	if err := s.client.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	up, down := make(chan error, 1), make(chan error, 1)
	go func() { up <- s.toServer(buffered) }()
	go func() { down <- s.toClient() }()
	var err error
	select {
	case err = <-up:
		_ = s.server.Close()
		<-down //nolint:errcheck // the first end is what is told
	case err = <-down:
		_ = s.client.Close()
		<-up //nolint:errcheck // the first end is what is told
	case <-ctx.Done():
		err = context.Cause(ctx)
		// Closing the upstream ends its copying after at most one more write, which a client that takes nothing may not hold up.
		_ = s.server.Close()
		_ = s.client.SetWriteDeadline(time.Now().Add(time.Second))
		<-down //nolint:errcheck // the first end is what is told
		s.sayWhy(err)
		_ = s.client.Close()
		<-up //nolint:errcheck // the first end is what is told
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// sayWhy puts a close frame where the last frame to the client is complete; elsewhere it would be read as a part of it.
func (s *socket) sayWhy(err error) {
	if cut := (*Cut)(nil); errors.As(err, &cut) && s.frames.complete() {
		_ = s.client.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = s.client.Write(closeFrame(string(cut.Reason)))
	}
}

func (s *socket) toServer(buffered *bufio.Reader) error {
	if n := buffered.Buffered(); n > 0 {
		early, _ := buffered.Peek(n)
		if _, err := s.server.Write(early); err != nil {
			return err
		}
	}
	_, err := io.Copy(s.server, s.client)
	return err
}

func (s *socket) toClient() error {
	buffer := make([]byte, 16<<10)
	for {
		n, err := s.server.Read(buffer)
		if n > 0 {
			s.frames.pass(buffer[:n])
			if err := s.write(buffer[:n]); err != nil {
				return err
			}
			s.sent += int64(n)
		}
		if err != nil {
			return err
		}
	}
}
