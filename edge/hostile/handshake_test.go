package hostile_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// splitter sends the first TLS records in pieces.
type splitter struct {
	net.Conn
	records int // of how many bytes; 0 leaves records alone
	writes  int // of how many bytes; 0 leaves writes alone
	done    bool
}

func (s *splitter) Write(p []byte) (int, error) {
	if s.done {
		return s.Conn.Write(p)
	}
	s.done = true
	out := p
	if s.records > 0 {
		out = nil
		// A record: type, version, length (RFC 8446 section 5.1). Handshake messages may span records.
		for rest := p; len(rest) >= 5; {
			length := int(binary.BigEndian.Uint16(rest[3:5]))
			for body := rest[5 : 5+length]; len(body) > 0; {
				piece := body[:min(s.records, len(body))]
				body = body[len(piece):]
				out = append(out, rest[:3]...)
				out = binary.BigEndian.AppendUint16(out, uint16(len(piece)))
				out = append(out, piece...)
			}
			rest = rest[5+length:]
		}
	}
	for len(out) > 0 {
		piece := out
		if s.writes > 0 {
			piece = out[:min(s.writes, len(out))]
		}
		if _, err := s.Conn.Write(piece); err != nil {
			return 0, err
		}
		out = out[len(piece):]
	}
	return len(p), nil
}

// TestSplitHandshake is HS-06: whatever pieces a ClientHello comes in, and however large it is, its name is read, and so
// the tenant's wall stands (CVE-2026-32305).
func TestSplitHandshake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	large := []string{"http/1.1"}
	for i := range 80 {
		large = append(large, fmt.Sprintf("%s-%d", strings.Repeat("x", 200), i))
	}
	for what, c := range map[string]struct {
		records, writes int
		protocols       []string
	}{
		"whole":                     {protocols: large[:1]},
		"in segments of one byte":   {writes: 1, protocols: large[:1]},
		"in records of one byte":    {records: 1, protocols: large[:1]},
		"in both":                   {records: 1, writes: 1, protocols: large[:1]},
		"16 KiB":                    {protocols: large},
		"16 KiB, in small records":  {records: 100, protocols: large},
		"16 KiB, in small segments": {writes: 100, protocols: large},
	} {
		for host, want := range map[string]int{hostApp1: http.StatusOK, hostAppB: http.StatusMisdirectedRequest} {
			plain, err := net.Dial("tcp", w.edge.Addr)
			if err != nil {
				t.Fatal(err)
			}
			conn := tls.Client(&splitter{Conn: plain, records: c.records, writes: c.writes}, w.edge.TLS(hostApp1, c.protocols...))
			_ = conn.SetDeadline(time.Now().Add(patience))
			if _, err := fmt.Fprintf(conn, "GET /public/x HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
				t.Errorf("%s: %v", what, err)
				plain.Close()
				continue
			}
			got, err := readReply(bufio.NewReader(conn), http.MethodGet)
			if err != nil || got.status != want {
				t.Errorf("%s: %s answered %d %q, %v; want %d", what, host, got.status, got.body, err, want)
			}
			plain.Close()
		}
	}
}

// TestSlow is G25 and DS-05: whoever does not get to the end of a handshake, or of a header, is cut off in time; and whoever
// sends its bytes one by one does not get more of it.
func TestSlow(t *testing.T) {
	t.Parallel()
	const limit = 10 * time.Second
	w := newWorld(t)
	secured := func() net.Conn {
		conn, alert := w.dial(t, hostApp1, "http/1.1")
		if alert != "" {
			t.Fatal(alert)
		}
		return conn
	}
	unsecured := func() net.Conn {
		conn, err := net.Dial("tcp", w.edge.Addr)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	var all sync.WaitGroup // and not subtests: there may be fewer processors than connections
	for what, c := range map[string]struct {
		conn  net.Conn
		bytes string
		drip  bool
	}{
		"nothing":                 {unsecured(), "", false},
		"half a ClientHello":      {unsecured(), "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", false},
		"a request line":          {secured(), "GET /public/x HTTP/1.1\r\n", false},
		"half a header":           {secured(), "GET /public/x HTTP/1.1\r\nHost: app1.a.test\r\nX-No", false},
		"a header, byte for byte": {secured(), "GET /public/x HTTP/1.1\r\nHost: app1.a.test\r\nX-Note: " + strings.Repeat("a", 1000), true},
	} {
		all.Go(func() {
			defer c.conn.Close()
			_ = c.conn.SetDeadline(time.Now().Add(3 * limit))
			began := time.Now()
			ended := make(chan struct{})
			if c.drip {
				all.Go(func() { drip(c.conn, c.bytes, ended) })
			} else {
				_, _ = io.WriteString(c.conn, c.bytes)
			}
			_, _ = io.Copy(io.Discard, c.conn)
			close(ended)
			if took := time.Since(began); took < limit/2 || took > 2*limit {
				t.Errorf("%s: cut off after %v, want about %v", what, took, limit)
			}
		})
	}
	all.Wait()
}

// drip sends bytes one by one, until they or the connection are at an end.
func drip(conn net.Conn, bytes string, ended chan struct{}) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for i := range len(bytes) {
		select {
		case <-ended:
			return
		case <-ticker.C:
			if _, err := io.WriteString(conn, bytes[i:i+1]); err != nil {
				return
			}
		}
	}
}
