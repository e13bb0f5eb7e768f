package edgetest

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 wants it
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Upstream is a server that keeps every byte it gets. It is not net/http: that would hide what a smuggled request is.
type Upstream struct {
	// Answer replaces the echo. It is set before the first request. It returns whether the connection goes on.
	Answer func(conn net.Conn, r *Received) bool

	listener net.Listener
	mu       sync.Mutex
	conns    []*recording
	received []*Received
	changed  chan struct{}
	open     sync.WaitGroup
}

// Received is a request as its bytes say, read strictly.
type Received struct {
	Connection int // which, from 0
	Method     string
	Target     string
	Protocol   string
	Header     [][2]string // as sent, in order
	Body       []byte
	Trailer    [][2]string
	Bad        error // why the bytes are no request
	Size       int   // in bytes, as sent

	buffered *bufio.Reader
}

// Values are those of a header, whatever its case.
func (r *Received) Values(name string) []string {
	var list []string
	for _, h := range r.Header {
		if strings.EqualFold(h[0], name) {
			list = append(list, h[1])
		}
	}
	return list
}

// Get is the first value of a header.
func (r *Received) Get(name string) string {
	if list := r.Values(name); len(list) > 0 {
		return list[0]
	}
	return ""
}

type recording struct {
	net.Conn
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (c *recording) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes.Write(p[:n])
	return n, err
}

func (c *recording) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes.Len()
}

// NewUpstream starts an upstream that echoes, and stops it with the test.
func NewUpstream(t testing.TB) *Upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	u := &Upstream{listener: l, changed: make(chan struct{})}
	u.open.Go(u.accept)
	t.Cleanup(func() {
		_ = l.Close()
		u.mu.Lock()
		conns := u.conns
		u.mu.Unlock()
		for _, c := range conns {
			_ = c.Close()
		}
		u.open.Wait()
	})
	return u
}

// URL is where it listens.
func (u *Upstream) URL() string { return "http://" + u.listener.Addr().String() }

func (u *Upstream) accept() {
	for {
		conn, err := u.listener.Accept()
		if err != nil {
			return
		}
		c := &recording{Conn: conn}
		u.mu.Lock()
		n := len(u.conns)
		u.conns = append(u.conns, c)
		u.mu.Unlock()
		u.open.Go(func() { u.serve(n, c) })
	}
}

func (u *Upstream) serve(n int, c *recording) {
	defer c.Close()
	b := bufio.NewReader(c)
	for {
		began := c.size() - b.Buffered()
		r, err := readRequest(b)
		if errors.Is(err, io.EOF) && r == nil {
			return
		}
		r.Connection, r.Bad, r.buffered, r.Size = n, err, b, c.size()-b.Buffered()-began
		u.mu.Lock()
		u.received = append(u.received, r)
		close(u.changed)
		u.changed = make(chan struct{})
		answer := u.Answer
		u.mu.Unlock()
		if err != nil {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		if answer == nil {
			answer = Echo
		}
		if !answer(c, r) {
			return
		}
	}
}

// Echo answers with the request line, the headers and the body that came. A WebSocket handshake is agreed to, and frames
// are echoed unmasked.
func Echo(conn net.Conn, r *Received) bool {
	if strings.EqualFold(r.Get("Upgrade"), "websocket") {
		return echoSocket(conn, r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\n", r.Method, r.Target, r.Protocol)
	for _, h := range r.Header {
		fmt.Fprintf(&b, "%s: %s\n", h[0], h[1])
	}
	fmt.Fprintf(&b, "\n%s", r.Body)
	body := b.String()
	if r.Method == "HEAD" {
		body = ""
	}
	_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", b.Len(), body)
	return err == nil
}

func echoSocket(conn net.Conn, r *Received) bool {
	sum := sha1.Sum([]byte(r.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 says so
	_, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	if err != nil {
		return false
	}
	for {
		op, payload, err := ReadFrame(r.buffered)
		if err != nil {
			return false
		}
		if _, err := conn.Write(Frame(op, payload, false)); err != nil || op == 8 {
			return false
		}
	}
}

// Received are the requests so far.
func (u *Upstream) Received() []*Received {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]*Received(nil), u.received...)
}

// Wait returns the requests once there are at least n.
func (u *Upstream) Wait(t testing.TB, n int) []*Received {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		u.mu.Lock()
		list, changed := append([]*Received(nil), u.received...), u.changed
		u.mu.Unlock()
		if len(list) >= n {
			return list
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("after 10 s the upstream has %d requests, not %d", len(list), n)
		}
	}
}

// Bytes is everything that came on all connections, in the order of connections.
func (u *Upstream) Bytes() []byte {
	u.mu.Lock()
	conns := u.conns
	u.mu.Unlock()
	var all []byte
	for _, c := range conns {
		c.mu.Lock()
		all = append(all, c.bytes.Bytes()...)
		c.mu.Unlock()
	}
	return all
}

// Len is how many bytes came.
func (u *Upstream) Len() int {
	u.mu.Lock()
	conns := u.conns
	u.mu.Unlock()
	n := 0
	for _, c := range conns {
		n += c.size()
	}
	return n
}

// Connections is how many were made so far.
func (u *Upstream) Connections() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.conns)
}

// readRequest reads one request by the letter of RFC 9112: what is lenient here could hide what the edge let through.
func readRequest(b *bufio.Reader) (*Received, error) {
	line, err := readLine(b)
	if err != nil && line == "" {
		return nil, io.EOF
	}
	r := &Received{}
	if err != nil {
		return r, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || parts[2] != "HTTP/1.1" {
		return r, fmt.Errorf("not a request line: %q", line)
	}
	r.Method, r.Target, r.Protocol = parts[0], parts[1], parts[2]
	if r.Header, err = readHeader(b); err != nil {
		return r, err
	}
	length, coding := r.Values("Content-Length"), r.Values("Transfer-Encoding")
	switch {
	case len(length) > 1 || len(coding) > 1 || len(length)+len(coding) > 1:
		return r, errors.New("more than one length")
	case len(coding) == 1 && coding[0] != "chunked":
		return r, fmt.Errorf("transfer coding %q", coding[0])
	case len(coding) == 1:
		return r, readChunks(b, r)
	case len(length) == 1:
		n, err := strconv.ParseUint(length[0], 10, 31)
		if err != nil {
			return r, err
		}
		r.Body = make([]byte, n)
		_, err = io.ReadFull(b, r.Body)
		return r, err
	default:
		return r, nil
	}
}

func readChunks(b *bufio.Reader, r *Received) error {
	for {
		line, err := readLine(b)
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(line, 16, 31)
		if err != nil {
			return err
		}
		if n == 0 {
			r.Trailer, err = readHeader(b)
			return err
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(b, chunk); err != nil {
			return err
		}
		if !bytes.HasSuffix(chunk, []byte("\r\n")) {
			return errors.New("a chunk does not end where it says")
		}
		r.Body = append(r.Body, chunk[:n]...)
	}
}

func readHeader(b *bufio.Reader) ([][2]string, error) {
	var header [][2]string
	for {
		line, err := readLine(b)
		if err != nil || line == "" {
			return header, err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return header, fmt.Errorf("not a header: %q", line)
		}
		header = append(header, [2]string{name, strings.Trim(value, " \t")})
	}
}

func readLine(b *bufio.Reader) (string, error) {
	line, err := b.ReadString('\n')
	if err != nil {
		return line, err
	}
	if !strings.HasSuffix(line, "\r\n") {
		return line, fmt.Errorf("a line ends in a bare LF: %q", line)
	}
	return strings.TrimSuffix(line, "\r\n"), nil
}
