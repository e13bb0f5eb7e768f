package hostile_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// maxFrame is what every receiver of HTTP/2 takes (RFC 9113 section 4.2).
const maxFrame = 16 << 10

// frames writes and reads HTTP/2 without minding whether it is valid.
type frames struct {
	*http2.Framer
	encoded bytes.Buffer
	encoder *hpack.Encoder
}

func newFrames(conn io.ReadWriter) (*frames, error) {
	f := &frames{Framer: http2.NewFramer(conn, conn)}
	f.AllowIllegalWrites = true
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.encoder = hpack.NewEncoder(&f.encoded)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, err
	}
	return f, f.WriteSettings()
}

// headers writes a header block, in as many frames as it needs.
func (f *frames) headers(stream uint32, fields []hpack.HeaderField, end bool) error {
	f.encoded.Reset()
	for _, field := range fields {
		if err := f.encoder.WriteField(field); err != nil {
			return err
		}
	}
	block := f.encoded.Bytes()
	first := block[:min(len(block), maxFrame)]
	block = block[len(first):]
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: end, EndHeaders: len(block) == 0})
	for err == nil && len(block) > 0 {
		next := block[:min(len(block), maxFrame)]
		block = block[len(next):]
		err = f.WriteContinuation(stream, len(block) == 0, next)
	}
	return err
}

// sent is what a row sends on its stream.
type sent struct {
	fields, trailer []hpack.HeaderField
	data            []byte
	hasData         bool
	open            bool
}

// parseSent reads the lines of a row.
func parseSent(lines []string) sent {
	var s sent
	for _, line := range lines {
		if data, ok := strings.CutPrefix(line, "DATA "); ok {
			s.data, s.hasData = append(s.data, data...), true
			continue
		}
		if line == "OPEN" {
			s.open = true
			continue
		}
		if field, ok := strings.CutPrefix(line, "TRAILER "); ok {
			s.trailer = append(s.trailer, parseField(field))
			continue
		}
		s.fields = append(s.fields, parseField(line))
	}
	return s
}

// parseField splits after the name, which may itself begin with a colon, or hold one.
func parseField(line string) hpack.HeaderField {
	name, value, _ := strings.Cut(line, ": ")
	return hpack.HeaderField{Name: name, Value: value}
}

const (
	hostileStream = 1
	followStream  = 3
)

// sendHTTP2 sends frames on a connection of its own and reads the answer. If the connection is to go on, it has to answer
// one more request.
func (w *world) sendHTTP2(t testing.TB, r *row, lines []string) outcome {
	t.Helper()
	conn, alert := w.dial(t, r.sni, "h2")
	if alert != "" {
		return outcome{fate: alert}
	}
	defer conn.Close()
	f, err := newFrames(conn)
	if err != nil {
		t.Fatal(err)
	}
	s := parseSent(lines)
	if err := f.send(s); err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	got := outcome{fate: fateOpen}
	one, fate := f.receive(hostileStream)
	if one != nil {
		got.replies = append(got.replies, *one)
	}
	if fate != fateOpen {
		got.fate = fate
	}
	want, torn := r.answers[len(r.answers)-1].fate, r.answers[len(r.answers)-1].torn
	if want == fateClosed && got.fate == fateOpen {
		// The answer may be ahead of the farewell.
		_, got.fate = f.receive(0)
	}
	if got.fate == fateClosed || want == fateClosed || torn {
		return got
	}
	if err := f.headers(followStream, fieldsOf("GET", followHost(r.sni), follow), true); err != nil {
		t.Fatalf("%s: the next request: %v", r, err)
	}
	got.followed = true
	next, fate := f.receive(followStream)
	if next == nil || next.status != http.StatusOK || fate != fateOpen {
		t.Errorf("%s: the next request on the connection: %+v, %s", r, next, fate)
	}
	return got
}

func fieldsOf(method, host, path string) []hpack.HeaderField {
	return []hpack.HeaderField{{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: host}, {Name: ":path", Value: path}}
}

func (f *frames) send(s sent) error {
	err := f.headers(hostileStream, s.fields, !s.hasData && s.trailer == nil && !s.open)
	if err == nil && s.hasData {
		err = f.WriteData(hostileStream, s.trailer == nil && !s.open, s.data)
	}
	if err == nil && s.trailer != nil {
		err = f.headers(hostileStream, s.trailer, true)
	}
	return err
}

// receive reads until a stream is over, or the connection is said to be; of stream 0, the connection only.
func (f *frames) receive(stream uint32) (*reply, string) {
	var got *reply
	closing := false
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			if streamErr := (http2.StreamError{}); errors.As(err, &streamErr) {
				return got, "unreadable (" + err.Error() + ")"
			}
			return got, fateOf(err)
		}
		ended := false
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if frame.StreamID != stream {
				continue
			}
			if got == nil {
				got = &reply{header: http.Header{}}
			}
			for _, field := range frame.Fields {
				if field.Name == ":status" {
					got.status, _ = strconv.Atoi(field.Value)
				} else {
					got.header.Add(field.Name, field.Value)
				}
			}
			ended = frame.StreamEnded()
		case *http2.DataFrame:
			if frame.StreamID == stream && got != nil {
				got.body += string(frame.Data())
				ended = frame.StreamEnded()
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == stream {
				return got, fateReset
			}
		case *http2.GoAwayFrame:
			closing = true
			if stream == 0 || frame.LastStreamID < stream {
				return got, fateClosed
			}
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck() // a connection that is gone says so at the next read
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = f.WritePing(true, frame.Data)
			}
		}
		if ended {
			if closing {
				return got, fateClosed
			}
			return got, fateOpen
		}
	}
}
