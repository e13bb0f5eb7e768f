package edgetest

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Socket is a WebSocket as a client sees it.
type Socket struct {
	Conn *tls.Conn
	Read *bufio.Reader
}

// Socket opens a WebSocket, or returns the answer that it got instead.
func (e *Edge) Socket(t testing.TB, host, path string, header http.Header) (*Socket, *http.Response) {
	t.Helper()
	conn := e.Dial(t, host, "http/1.1")
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", path, host)
	for name, values := range header {
		for _, v := range values {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	_, err := io.WriteString(conn, b.String()+"\r\n")
	must(t, err)
	s := &Socket{conn, bufio.NewReader(conn)}
	res, err := http.ReadResponse(s.Read, nil)
	must(t, err)
	if res.StatusCode != http.StatusSwitchingProtocols {
		return nil, res
	}
	return s, res
}

// Send sends a frame, masked as clients must.
func (s *Socket) Send(t testing.TB, op byte, payload string) {
	t.Helper()
	_, err := s.Conn.Write(Frame(op, []byte(payload), true))
	must(t, err)
}

// Receive reads a frame.
func (s *Socket) Receive() (op byte, payload []byte, err error) { return ReadFrame(s.Read) }

// Frame is a final frame of RFC 6455.
func Frame(op byte, payload []byte, masked bool) []byte {
	b := []byte{0x80 | op}
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if masked {
		b = append(b, 0, 0, 0, 0) // a mask that changes nothing
	}
	return append(b, payload...)
}

// ReadFrame reads a frame.
func ReadFrame(r *bufio.Reader) (op byte, payload []byte, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, nil, err
	}
	length := uint64(head[1] & 0x7f)
	if length >= 126 {
		extended := make([]byte, map[uint64]int{126: 2, 127: 8}[length])
		if _, err := io.ReadFull(r, extended); err != nil {
			return 0, nil, err
		}
		length = 0
		for _, b := range extended {
			length = length<<8 | uint64(b)
		}
	}
	mask := make([]byte, 4)
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, mask); err != nil {
			return 0, nil, err
		}
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return head[0] & 0x0f, payload, nil
}
