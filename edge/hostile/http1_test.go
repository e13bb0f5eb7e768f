package hostile_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that happens at once.
const patience = 5 * time.Second

// reply is one answer that came.
type reply struct {
	status int
	header http.Header
	body   string
}

// outcome is all that came of a row.
type outcome struct {
	replies  []reply
	fate     string // open, closed, reset, or "alert " and its name
	followed bool   // by an honest request
}

// follow is an honest request that shows whether a connection goes on after what was sent on it. It names no credential.
const follow = "/public/follow"

// followHost is where to send it: the auth host has no upstream.
func followHost(sni string) string {
	if sni == hostLogin {
		return hostApp1
	}
	return sni
}

// sendHTTP1 sends bytes on a connection of its own and reads as many answers as are wanted. If the connection is to go on,
// it has to answer one more request; if not, nothing more may come of it.
func (w *world) sendHTTP1(t testing.TB, r *row, raw string) outcome {
	t.Helper()
	conn, alert := w.dial(t, r.sni, "http/1.1")
	if alert != "" {
		return outcome{fate: alert}
	}
	defer conn.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// An edge that has seen enough closes before it was sent all of it.
		_, _ = io.WriteString(conn, raw)
		if r.leave {
			_ = conn.CloseWrite()
		}
	}()
	defer func() {
		conn.Close()
		<-sent
	}()
	in := bufio.NewReader(conn)
	var got outcome
	for i, want := range r.answers {
		if want.status == 0 {
			break
		}
		one, err := readReply(in, methodOf(raw, i))
		if err != nil {
			got.fate = fateOf(err)
			return got
		}
		got.replies = append(got.replies, one)
		if one.status == http.StatusSwitchingProtocols {
			got.fate = fateSocket
			return got
		}
	}
	if r.answers[len(r.answers)-1].fate == fateOpen {
		<-sent
		if _, err := io.WriteString(conn, "GET "+follow+" HTTP/1.1\r\nHost: "+followHost(r.sni)+"\r\n\r\n"); err != nil {
			t.Fatalf("%s: the next request: %v", r, err)
		}
		next, err := readReply(in, http.MethodGet)
		if err != nil || next.status != http.StatusOK {
			t.Errorf("%s: the next request on the connection got %d %q, %v", r, next.status, next.body, err)
		}
		got.fate, got.followed = fateOpen, true
		return got
	}
	rest, err := io.ReadAll(in)
	if len(rest) > 0 {
		t.Errorf("%s: one answer too many: %q", r, rest)
	}
	if err == nil {
		err = io.EOF
	}
	got.fate = fateOf(err)
	return got
}

// methodOf tells how the i-th answer is to be read: only HEAD matters.
func methodOf(raw string, i int) string {
	if i == 0 && strings.HasPrefix(raw, "HEAD ") {
		return http.MethodHead
	}
	return http.MethodGet
}

func readReply(in *bufio.Reader, method string) (reply, error) {
	res, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return reply{res.StatusCode, res.Header, ""}, nil
	}
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body)}, err
}

// fateOf says what an error in reading means for the connection.
func fateOf(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		return fateClosed
	}
	return fmt.Sprintf("unreadable (%v)", err)
}

// sendTCP sends bytes where a handshake is expected, and reads whatever comes.
func (w *world) sendTCP(t testing.TB, raw string) outcome {
	t.Helper()
	conn, err := net.Dial("tcp", w.edge.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, raw)
	var got outcome
	in := bufio.NewReader(conn)
	if first, err := in.Peek(1); err == nil && first[0] == 'H' {
		if one, err := readReply(in, http.MethodGet); err == nil {
			got.replies = append(got.replies, one)
		}
	}
	_, err = io.Copy(io.Discard, in)
	if err == nil {
		err = io.EOF
	}
	got.fate = fateOf(err)
	return got
}

// dial makes a TLS connection with a server name, or none.
func (w *world) dial(t testing.TB, sni, protocol string) (conn *tls.Conn, alert string) {
	t.Helper()
	plain, err := net.Dial("tcp", w.edge.Addr)
	if err != nil {
		t.Fatal(err)
	}
	config := w.edge.TLS(sni, protocol)
	if sni == "" {
		config.InsecureSkipVerify = true // there is no name to verify, and no certificate to come
	}
	conn = tls.Client(plain, config)
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := conn.Handshake(); err != nil {
		plain.Close()
		return nil, alertOf(t, err)
	}
	return conn, ""
}

func alertOf(t testing.TB, err error) string {
	t.Helper()
	// crypto/tls has no type for an alert that came over TCP.
	_, alert, ok := strings.Cut(err.Error(), "remote error: tls: ")
	if !ok {
		t.Fatalf("the handshake failed without an alert: %v", err)
	}
	return fateAlert + strings.ReplaceAll(alert, " ", "_")
}
